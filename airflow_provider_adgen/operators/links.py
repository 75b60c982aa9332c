# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Links on a task's page: to its stored file, its results, the gallery, the vendor's dashboard.

The worker knows the address and stores it as an XCom; the API server reads that and needs nothing else. A link without
an address is not shown. No link is signed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import BaseOperator, Context

    from airflow_provider_adgen.core.account import Account
    from airflow_provider_adgen.core.vendor import Vendor

_SHOWN = "_adgen_links"


class AdGenLink(BaseOperatorLink):
    """A link whose address a running task has found out."""

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Return the address; empty where there is none. Airflow calls it on the worker, after each leg."""
        return str(vars(operator).get(_SHOWN, {}).get(self.xcom_key, ""))


class StoredFileLink(AdGenLink):
    """To the first file that the task has stored."""

    name = "Stored file"


class ResultsLink(AdGenLink):
    """To the results of a batch."""

    name = "Results"


class GalleryLink(AdGenLink):
    """To the gallery of a campaign's run."""

    name = "Gallery"


class DashboardLink(AdGenLink):
    """To the dashboard of the vendor, where its documentation says where that is."""

    name = "Vendor dashboard"


STORED_FILE, RESULTS, GALLERY, DASHBOARD = StoredFileLink(), ResultsLink(), GalleryLink(), DashboardLink()


def show_stored(
    operator: BaseOperator,
    context: Context,
    link: AdGenLink,
    uri: str,
    urls: Mapping[str, str] | None = None,
) -> str | None:
    """
    Let a link lead to something that is stored, if people can reach it; return the address.

    :param operator: the task.
    :param context: Airflow's context.
    :param link: the link.
    :param uri: its object-storage path.
    :param urls: web addresses by path, which go before those of ``[adgen] destination_urls``.
    """
    from airflow_provider_adgen.core.errors import InvalidRequest
    from airflow_provider_adgen.core.web_address import parse_destination_urls, web_address
    from airflow_provider_adgen.settings import destination_urls

    known: dict[str, str] = {}
    try:
        known = parse_destination_urls(destination_urls() or "{}")
    except InvalidRequest as error:  # what is paid for counts more than a link to it
        operator.log.warning("%s The task's page has no link.", error.message)
    address = (web_address(uri, urls) if urls else None) or web_address(uri, known)
    if address is not None:
        show(operator, context, link, address)
    return address


def show_dashboard(operator: BaseOperator, context: Context, account: Account, vendor: Vendor) -> None:
    """Let the task's page lead to the vendor's dashboard, if it is known where that is."""
    from urllib.parse import urlsplit

    from airflow_provider_adgen.core.account import is_loopback

    # A sandbox has no dashboard, and its address means another machine to whoever reads the page.
    if vendor.dashboard is not None and not is_loopback(urlsplit(account.base_url).hostname or ""):
        show(operator, context, DASHBOARD, f"{account.base_url}{vendor.dashboard}")


def show(operator: BaseOperator, context: Context, link: AdGenLink, address: str) -> None:
    """Let a link lead to a web address from now on; a task that does not defer is read while it runs."""
    shown = vars(operator).setdefault(_SHOWN, {})
    if shown.get(link.xcom_key) != address:
        shown[link.xcom_key] = address
        context["ti"].xcom_push(key=link.xcom_key, value=address)
