# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""An account at Adsumo."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.core.vocabulary import Generation
from airflow_provider_adgen.hooks.base import AdGenHook
from airflow_provider_adgen.hooks.endpoints import calling, listing, running
from airflow_provider_adgen.vendors.adsumo import VENDOR, api, products
from airflow_provider_adgen.vendors.adsumo.models import Avatar, Product, Voice

if TYPE_CHECKING:
    from airflow_provider_adgen.core.account import Account
    from airflow_provider_adgen.vendors.adsumo.models import WebhookEvent


class AdsumoHook(AdGenHook):
    """
    An account at Adsumo (https://www.adsumo.ai, API v1).

    :param conn_id: the Airflow connection of type ``adsumo``; its password holds the ``adsumo_sk_...`` key.
    """

    default_conn_name: ClassVar[str] = "adsumo_default"
    conn_type: ClassVar[str] = "adsumo"
    hook_name: ClassVar[str] = "Adsumo"

    list_products, alist_products = listing(api.list_products, Product)
    create_product, acreate_product = calling(api.create_product)
    get_product, aget_product = calling(api.get_product)
    delete_product, adelete_product = calling(api.delete_product)
    ensure_product, aensure_product = running(products.ensure_product)
    ensure_products, aensure_products = listing(products.ensure_products, Product)
    find_deleted_products, afind_deleted_products = listing(products.find_deleted_products, str)
    list_avatars, alist_avatars = listing(api.list_avatars, Avatar)
    list_custom_avatars, alist_custom_avatars = listing(api.list_custom_avatars, Avatar)
    create_custom_avatar, acreate_custom_avatar = calling(api.create_custom_avatar)
    delete_custom_avatar, adelete_custom_avatar = calling(api.delete_custom_avatar)
    list_voices, alist_voices = listing(api.list_voices, Voice)
    list_generations, alist_generations = listing(VENDOR.list_generations, Generation)

    def verify_webhook(self, body: bytes | bytearray | memoryview | str, signature: str | None) -> WebhookEvent:
        """
        Check a notification's signature and read it; sends nothing.

        Adsumo signs the raw body with HMAC-SHA256 under the secret made with the API key, and mixes in no time:
        whoever recorded a notification can send it again, so treat it as a hint and ask for the generation.

        :param body: the request body exactly as it arrived; a text is taken as UTF-8.
        :param signature: the header ``X-Adsumo-Signature``, None where it is missing.
        :raises InvalidRequest: the connection has no ``webhook_secret``, or the signature is missing or does not match.
        :raises UnexpectedResponse: the body is signed and not readable.
        """
        return VENDOR.verify_webhook(body, signature, self._webhook_secret(self.account()))

    async def averify_webhook(self, body: bytes | bytearray | memoryview | str, signature: str | None) -> WebhookEvent:
        """Check a notification's signature and read it; see :meth:`verify_webhook`."""
        return VENDOR.verify_webhook(body, signature, self._webhook_secret(await self.aaccount()))

    def _webhook_secret(self, account: Account) -> str:
        if account.webhook_secret is None:
            raise InvalidRequest(
                f"Connection {self.conn_id!r} has no webhook_secret in its extra, so no webhook can be verified."
            )
        return account.webhook_secret.reveal()
