# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The briefs that the page shows, planned and sent to the sandbox: what is planned is what the vendor charges."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.campaigns import Brief, plan_campaign
from airflow_provider_adgen.campaigns.vendor_products import ensure_vendor_products
from airflow_provider_adgen.core.briefs import with_vendor_ids
from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.core.registry import get_vendor
from airflow_provider_adgen.hooks.base import typed_hook
from airflow_provider_adgen.operators.generate import GenerateOperator
from tests.support.products import ShopRow
from tests.support.tasks import run_task, task_context
from tools.docgen.briefs import brief_table

if TYPE_CHECKING:
    from airflow_provider_adgen.sandbox import Sandbox

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "briefs.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
TITLES = {"adsumo": "Adsumo", "cinematicads": "CinematicAds", "cutx": "CutX", "sume": "Sume"}
LAMP = ShopRow()


def example(title: str) -> dict[str, Any]:
    """Run the example below a heading, as it stands."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0] if title else PAGE.split("\n## ")[0]
    (text,) = FENCE.findall(section)
    names: dict[str, Any] = {}
    exec(compile(text, f"briefs.md {title}", "exec"), names)  # noqa: S102 - our own documentation
    return names


@pytest.fixture
def accounts(adgen_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Sandbox:
    monkeypatch.setenv("AIRFLOW__ADGEN__LEDGER_PATH", f"file://{tmp_path}/ledger")
    for vendor in TITLES:
        monkeypatch.setenv(f"AIRFLOW_CONN_{vendor.upper()}_DEFAULT", adgen_sandbox.connection_json(vendor))
    return adgen_sandbox


@pytest.mark.parametrize("vendor", sorted(TITLES))
def test_the_example_of_each_vendor_is_made(accounts: Sandbox, vendor: str, tmp_path: Path) -> None:
    conn_id = f"{vendor}_default"
    briefs: list[Brief] = example(TITLES[vendor])["briefs"]
    plan = plan_campaign([LAMP], briefs, [conn_id])
    assert {item["meta"]["brief"] for item in plan.items} == {brief.name for brief in briefs}
    ids = ensure_vendor_products(plan, project="Spring").get(conn_id, {})
    for number, item in enumerate(plan.items):
        operator = GenerateOperator(
            task_id=f"item-{number}",
            conn_id=conn_id,
            request=with_vendor_ids(item["choices"][0]["request"], ids),
            poll_interval=0.05,
            deferrable=False,
            destination=str(tmp_path / f"{number}"),
        )
        made = run_task(operator, task_context(task_id=f"item-{number}"))
        assert made["status"] == "completed"
        brief = next(brief for brief in briefs if brief.name == item["meta"]["brief"])
        assert made["kind"] == brief.kind
        assert made["creatives"] or made["variants"]
        if plan.credits[item["key"]] is not None:
            assert [charge["credits"] for charge in accounts.charges][-1] == plan.credits[item["key"]]
    assert len(accounts.charges) == len(plan.items)


def test_the_first_example_plans_both_accounts(accounts: Sandbox) -> None:
    made = example("")["plan"]([LAMP])
    assert [(item["key"], [one["conn_id"] for one in item["choices"]]) for item in made.items] == [
        ("LMP-014/hero/1x1", ["adsumo_default", "sume_default"]),
        ("LMP-014/hero/9x16", ["adsumo_default", "sume_default"]),
    ]
    assert made.accounts["adsumo_default"].credits == 2
    assert accounts.charges == []


def test_each_vendors_product_is_made_once_over_two_runs(accounts: Sandbox) -> None:
    plan = plan_campaign([LAMP], example("CutX")["briefs"], ["cutx_default"])
    first, second = (ensure_vendor_products(plan, project="Spring") for _ in range(2))
    assert first == second
    hook: Any = typed_hook("cutx", "cutx_default")
    project = first["cutx_default"]["LMP-014"]["project_id"]
    assert len(list(hook.list_products(project))) == 1


def test_the_refusal_that_is_shown_is_what_a_plan_says(accounts: Sandbox) -> None:
    rows = [LAMP, *(ShopRow(id=f"P{number}") for number in range(41))]
    brief = Brief("talk", "video", script="Have you seen {title}?", formats=["9:16"])
    with pytest.raises(InvalidRequest) as refused:
        plan_campaign(rows, [brief], ["adsumo_default", "sume_default"])
    assert f"```\n{refused.value.message}\n```" in PAGE


def test_the_table_has_a_row_for_every_way_to_make_a_brief() -> None:
    rows = brief_table().splitlines()[2:]
    assert len(rows) == sum(len(get_vendor(vendor).recipes) for vendor in TITLES)
    for vendor, title in TITLES.items():
        for recipe in get_vendor(vendor).recipes:
            found = [row for row in rows if f"[{title}]" in row and f"| {recipe.makes} |" in row]
            assert any(f"[`{recipe.request.kind}`]" in row for row in found)
    assert "| `prompt`, `formats` |   | `model` (`fast`, `pro`) |" in brief_table()
