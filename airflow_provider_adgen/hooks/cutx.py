# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""An account at CutX."""

from __future__ import annotations

from typing import ClassVar

from airflow_provider_adgen.hooks.base import AdGenHook
from airflow_provider_adgen.hooks.endpoints import calling, listing, running
from airflow_provider_adgen.vendors.cutx import api, products
from airflow_provider_adgen.vendors.cutx.models import Asset, Product, Project


class CutxHook(AdGenHook):
    """
    An account at CutX (documented at https://cutx-docs.pages.dev).

    :param conn_id: the Airflow connection of type ``cutx``. Its host is needed, because CutX documents no address of
        its API. Its password holds the token, a JWT valid for 7 days: the hook warns when its end is near or past.
    """

    default_conn_name: ClassVar[str] = "cutx_default"
    conn_type: ClassVar[str] = "cutx"
    hook_name: ClassVar[str] = "CutX"

    list_projects, alist_projects = listing(api.list_projects, Project)
    list_products, alist_products = listing(api.list_products, Product)
    list_assets, alist_assets = listing(api.list_assets, Asset)
    create_project, acreate_project = calling(api.create_project)
    ingest_product, aingest_product = calling(api.ingest_product)
    ensure_project, aensure_project = running(products.ensure_project)
    ensure_product, aensure_product = running(products.ensure_product)
    ensure_products, aensure_products = listing(products.ensure_products, Product)
    find_deleted_products, afind_deleted_products = listing(products.find_deleted_products, str)
    get_me, aget_me = calling(api.get_me)
