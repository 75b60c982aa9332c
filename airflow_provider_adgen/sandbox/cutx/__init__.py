# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CutX as documented at https://cutx-docs.pages.dev: generation, projects, products, credits.

Left out: campaigns (they spend advertising money, not credits), checkout, the seller suite and logging in.
"""
