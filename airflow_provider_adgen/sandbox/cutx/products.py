# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CutX: projects and products."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_adgen.sandbox.cutx.generation import ASSETS
from airflow_provider_adgen.sandbox.engine.answers import Answer, Invalid
from airflow_provider_adgen.sandbox.engine.checks import is_uuid, query_choice, query_number
from airflow_provider_adgen.sandbox.engine.clock import iso

if TYPE_CHECKING:
    from airflow_provider_adgen.sandbox.engine.call import Call
    from airflow_provider_adgen.sandbox.engine.documents import Document
    from airflow_provider_adgen.sandbox.engine.jobs import Which

_SPACE = uuid.UUID("c07f0000-0000-4000-8000-000000000000")
# The longest list: the sandbox's own choice. The pages show 20 and 50 and name no maximum.
LONGEST_LIST = 200


def fixtures(account: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Give a new account a project with a product: every generation names both."""
    project = str(uuid.uuid5(_SPACE, f"project {account}"))
    product = scraped("https://shop.example/trail-shoe")
    return [
        ("project", project, {"name": "First project", "description": None}),
        ("product", str(uuid.uuid5(_SPACE, f"product {account}")), {**product, "project": project}),
    ]


def scraped(url: str) -> dict[str, Any]:
    """Invent the content of a product page: the sandbox fetches nothing."""
    parts = urlsplit(url)
    words = [word for word in parts.path.replace("-", " ").replace("_", " ").replace("/", " ").split() if word]
    name = " ".join(words).rpartition(".")[0] or " ".join(words) or (parts.hostname or "Product")
    price = 10 + uuid.uuid5(_SPACE, url).int % 9000 / 100
    return {
        "name": name.capitalize(),
        "description": f"What {parts.hostname} says of {name}.",
        "price": f"{price:.2f}",
        "currency": "USD",
        "brand": (parts.hostname or "").removeprefix("www.").partition(".")[0].capitalize(),
        "category": "General",
        "source_url": url,
        "features": ["Light", "Durable", "Made to last"],
    }


def _picture(call: Call, product: Document) -> str:
    return call.picture("product", f"{product.data['name'].replace(' ', '-')}.png")


def list_products(call: Call) -> Answer:
    """GET /api/products: an account's projects, or with ``projectId`` that project's products."""
    project = call.query.get("projectId")
    if project is None:
        limit = query_number(call.query, "limit", 20, 1, LONGEST_LIST)
        found = call.documents("project", limit=limit)
        return Answer(200, {"projects": [_project(call, item) for item in found]})
    if not is_uuid(project):
        raise Invalid("projectId", "must be a UUID")
    call.document("project", project, "Project not found")
    limit = query_number(call.query, "limit", 50, 1, LONGEST_LIST)
    names = ("name", "description", "price", "currency", "brand", "category", "source_url")
    shown = [
        {
            "id": product.id,
            **{name: product.data[name] for name in names},
            "image_url": _picture(call, product),
            "created_at": iso(product.created),
        }
        for product in call.documents("product", project=project, limit=limit)
    ]
    return Answer(200, {"products": shown})


def _project(call: Call, project: Document) -> dict[str, Any]:
    products = call.state.documents.count(call.vendor.name, call.account.id, "product", project=project.id)
    return {
        "id": project.id,
        "name": project.data["name"],
        "description": project.data["description"],
        # Counts are strings in the page's example.
        "product_count": str(products),
        "asset_count": str(call.state.jobs.count(_with_assets(call, project.id))),
        "created_at": iso(project.created),
        "updated_at": iso(project.created),
    }


def _with_assets(call: Call, project: str | None, form: str | None = None) -> Which:
    """Say which jobs have an asset: of a project, and of a form (image or video)."""
    kinds = [kind for kind, (made, _) in ASSETS.items() if form in (None, made)]
    return call.which(kinds=kinds, status="completed", field=None if project is None else ("projectId", project))


def create_project(call: Call) -> Answer:
    """POST /api/products, which makes a project."""
    fields = call.fields()
    data = {"name": fields.needed("name", longest=200), "description": fields.text("description", longest=1000)}
    call.checked()
    project = call.store("project", str(uuid.uuid4()), data)
    shown = {
        "id": project.id,
        **data,
        "user_id": call.account.id,
        "status": "active",
        "created_at": iso(project.created),
    }
    return Answer(201, {"project": shown})


def ingest(call: Call) -> Answer:
    """POST /api/products/ingest, which costs nothing."""
    fields = call.fields()
    url = fields.address("url", required=True) or ""
    project = fields.identifier("projectId", required=True) or ""
    call.checked()
    call.document("project", project, "Project not found")
    data = {**scraped(url), "project": project}
    product = call.store("product", str(uuid.uuid4()), data)
    image = {"id": str(uuid.uuid5(_SPACE, product.id)), "url": _picture(call, product), "is_primary": True}
    shown = {"id": product.id, **{key: value for key, value in data.items() if key != "project"}, "images": [image]}
    return Answer(201, {"product": shown})


def list_assets(call: Call) -> Answer:
    """GET /api/assets. The page with its answer could not be read; the shape is that of the other lists."""
    project = call.query.get("projectId")
    wanted = query_choice(call.query, "type", ("image", "video"))
    limit = query_number(call.query, "limit", 20, 1, LONGEST_LIST)
    offset = query_number(call.query, "offset", 0, 0)
    jobs = call.state.jobs.page(_with_assets(call, project, wanted), limit=limit, offset=offset)
    shown = [
        {
            "id": str(uuid.uuid5(_SPACE, job.id)),
            "type": ASSETS[job.type][0],
            "url": call.link(job.id, ASSETS[job.type][1]),
            "created_at": iso(job.ends),
        }
        for job in jobs
    ]
    return Answer(200, {"assets": shown})
