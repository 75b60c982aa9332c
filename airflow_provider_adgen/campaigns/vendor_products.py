# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The products that a vendor itself must know before a planned request can be sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.briefs import FOUND_BY
from airflow_provider_adgen.core.known_products import found_by

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_adgen.campaigns.plan import Plan
    from airflow_provider_adgen.campaigns.vendor_ids import VendorIds


def ensure_vendor_products(
    plan: Plan, *, project: str, known: Mapping[str, VendorIds] | None = None
) -> dict[str, VendorIds]:
    """
    Make sure that each vendor has the products of a plan, and return their ids by connection.

    What is missing is made; whether that costs credits is not documented for Adsumo, and at CutX it costs none. What
    was made is found again, so a call that broke off can be repeated.
    :func:`~airflow_provider_adgen.core.briefs.with_vendor_ids` puts the ids into a request.

    :param plan: the plan.
    :param project: the name of the vendor's project, for vendors that have projects and briefs that name none in
        ``options``.
    :param known: the ids of an earlier call, by connection: those products are not asked for.
    :raises InvalidRequest: a product lacks what the vendor needs to make it.
    :raises ApiError: the vendor refused something.
    :raises WireError: no answer arrived.
    """
    found: dict[str, VendorIds] = {}
    for conn_id, needed in plan.vendor_products.items():
        ids = _usable((known or {}).get(conn_id, {}), needed)
        missing = [product for product in needed["products"] if product not in ids]
        if missing:
            ids |= _ensured(plan.accounts[conn_id].vendor, conn_id, needed, missing, project)
        found[conn_id] = ids
    return found


def _usable(known: VendorIds, needed: Mapping[str, Any]) -> VendorIds:
    """Return what is known of the products as they are, without another project's than the one the briefs name."""
    project, products = needed["project_id"], needed["products"]
    return {
        product: ids
        for product, ids in known.items()
        if set(needed["fields"]) <= set(ids)
        and project in (None, ids.get("project_id"))
        and (product not in products or ids.get(FOUND_BY) == _found_by(products[product]))
    }


def _found_by(arguments: Mapping[str, Any]) -> str:
    return found_by(arguments.get("name"), arguments.get("link"))


def _ensured(vendor: str, conn_id: str, needed: Mapping[str, Any], missing: list[str], project: str) -> VendorIds:
    from airflow_provider_adgen.hooks.base import typed_hook

    hook: Any = typed_hook(vendor, conn_id)
    project_id = needed["project_id"]
    with hook:
        if "project_id" in needed["fields"]:
            project_id = hook.ensure_project(name=project).id
        made = hook.ensure_products([needed["products"][product] for product in missing], project_id=project_id)
        of_project = {"project_id": project_id} if project_id is not None else {}
        return {
            product: {"product_id": vendors.id, **of_project, FOUND_BY: _found_by(needed["products"][product])}
            for product, vendors in zip(missing, made, strict=True)
        }
