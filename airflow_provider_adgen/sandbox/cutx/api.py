# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CutX: routes, envelope, settings."""

from __future__ import annotations

import base64
import hmac
import json
from hashlib import sha256
from http.client import responses
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_adgen.sandbox.cutx import generation, products
from airflow_provider_adgen.sandbox.engine.answers import Answer, Refusal
from airflow_provider_adgen.sandbox.engine.clock import iso
from airflow_provider_adgen.sandbox.engine.vendor import Endpoint, Vendor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_adgen.sandbox.engine.call import Call

WORDS = {**responses, 402: "Insufficient credits"}


def token(account: str) -> str:
    """Make an account's token: shaped as the JWT that CutX documents (HS256), without an expiry of its own."""

    def part(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    head = part(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    claims = part(json.dumps({"sub": f"sandbox-{account}"}).encode())
    signature = hmac.new(b"adgen sandbox", f"{head}.{claims}".encode(), sha256).digest()
    return f"{head}.{claims}.{part(signature)}"


class CutX(Vendor):
    """CutX. Credits are taken before a job runs; those of a failed job are refunded, as documented."""

    name = "cutx"
    prefix = "/cutx"
    default_key = token("team")
    forbidden = "Account suspended"
    refunded = frozenset({"failed"})
    seconds = generation.SECONDS
    drawn = staticmethod(generation.artwork)
    fixtures = staticmethod(products.fixtures)
    key_of = staticmethod(token)
    settings: ClassVar[Mapping[str, Any]] = {
        # "flat" ({"error", "message"}, the one body any page shows), "bare" ({"error"}) or "nested"
        # ({"error": {"message"}}): the bodies of generation errors are not documented.
        "error_shape": "flat",
        # Whether `style: "modern"`, which the page's own example sends, is refused as its table says.
        "strict_style": False,
        # A key whose job has ended: "new" job (the generation page) or "conflict" (the database page).
        "key_after_end": "new",
        # Seconds that writing copy takes; its idempotency key is in force during that time.
        "copy_seconds": 0,
        # How many variants of a text are written; the page promises 5.
        "copy_variants": 5,
        # Name of a field with the reason of a failure in the status; none is documented.
        "error_field": None,
    }

    def endpoints(self) -> Sequence[Endpoint]:
        """List the routes."""
        return [
            Endpoint("POST", "/api/generate/copy", generation.copy, "submit"),
            Endpoint("POST", "/api/generate/static-ad", generation.static_ad, "submit"),
            Endpoint("POST", "/api/generate/video", generation.video, "submit"),
            Endpoint("GET", "/api/generate/status", generation.status),
            Endpoint("GET", "/api/products", products.list_products),
            Endpoint("POST", "/api/products", products.create_project, "write"),
            Endpoint("POST", "/api/products/ingest", products.ingest, "write"),
            Endpoint("GET", "/api/assets", products.list_assets),
            Endpoint("GET", "/api/credits/balance", self.balance),
            Endpoint("GET", "/api/auth/me", self.me),
        ]

    def token(self, headers: Mapping[str, str]) -> str | None:
        """Read the token: bearer, or the cookie ``cutx_token``."""
        found = super().token(headers)
        if found is None and "cookie" in headers:
            cookie = SimpleCookie(headers["cookie"]).get("cutx_token")
            found = cookie.value if cookie is not None else None
        return found

    def envelope(self, refusal: Refusal) -> Any:
        """Build the body of a refusal."""
        shape = self.setting("error_shape")
        if shape == "bare":
            return {"error": refusal.message}
        if shape == "nested":
            return {"error": {"message": refusal.message}}
        return {"error": WORDS.get(refusal.status, "Error"), "message": refusal.message}

    def balance(self, call: Call) -> Answer:
        """GET /api/credits/balance."""
        shown = {
            "balance": call.account.balance,
            "lifetime_purchased": call.account.credit_limit,
            "lifetime_used": call.account.used,
        }
        return Answer(200, shown)

    def me(self, call: Call) -> Answer:
        """GET /api/auth/me."""
        name = call.account.id
        user = {
            "id": f"user-{name}",
            "email": f"{name}@example.com",
            "name": name.capitalize(),
            "role": "user",
            "email_verified": True,
            "created_at": iso(1_767_225_600),
        }
        return Answer(200, {"user": user})
