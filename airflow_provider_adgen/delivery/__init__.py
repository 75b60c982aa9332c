# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
