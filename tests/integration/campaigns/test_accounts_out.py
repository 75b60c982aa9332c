# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Campaigns that go on without an account: what it has made before is neither paid for again nor lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_adgen.campaigns import Brief

if TYPE_CHECKING:
    from tests.support.campaign import CampaignRig

ALL = {name: "success" for name in ("check", "plan", "generate", "draft", "publish", "verdict")}
DROP: dict[str, Any] = {"accounts": ["adsumo_default", "sume_default"], "on_account_out": "drop"}
AD = Brief("ad", kind="image", prompt="{title}.", formats=["1:1"])


def found(campaign: CampaignRig) -> dict[str, tuple[str, str]]:
    """Return the status and the account of each item, by the product."""
    return {line["key"].partition("/")[0]: (line["status"], line["conn_id"]) for line in campaign.lines_of_run()}


def test_what_a_dropped_account_made_is_used_again(campaign: CampaignRig) -> None:
    assert campaign.go(reuse=True, **DROP) == ALL, campaign.errors
    campaign.sandbox.set_credits("adsumo", 0)
    campaign.feed("Lamp", "Armchair", "Table")
    campaign.begin_run("dry", None)
    campaign.go(reuse=True, dry_run=True, **DROP)
    assert campaign.told("plan")["credits"] == {"adsumo_default": 0, "sume_default": 0}
    assert (campaign.told("plan")["count"], campaign.told("plan")["reused"]) == (3, 2)
    campaign.begin_run("weekly-2", None)
    assert campaign.go(reuse=True, **DROP) == ALL, campaign.errors
    assert len(campaign.charges) == 4, "only the product that changed is paid for"
    assert found(campaign) == {
        "P-1": ("reused", "adsumo_default"),
        "P-2": ("completed", "sume_default"),
        "P-3": ("reused", "adsumo_default"),
    }
    out, on = campaign.plan["accounts"]
    assert (out["items"], out["reused"], on["items"], on["out"]) == (0, 2, 1, None)
    assert out["out"] == "Adsumo says that it has no credits left."


@pytest.mark.parametrize("reuse", [False, True])
def test_what_a_dropped_account_made_stays_after_a_clear_of_the_run(campaign: CampaignRig, reuse: bool) -> None:
    campaign.sandbox.fail_next("adsumo", times=1)
    states = campaign.go(reuse=reuse, **DROP)
    assert states == ALL | {"generate": "failed", "verdict": "failed"}
    paid = len(campaign.charges)
    campaign.sandbox.set_credits("adsumo", 0)
    campaign.cleared(*ALL)
    assert campaign.go(reuse=reuse, **DROP) == ALL, campaign.errors
    assert len(campaign.charges) == paid + 1
    assert sorted(found(campaign).values()) == [
        ("completed", "adsumo_default"),
        ("completed", "adsumo_default"),
        ("completed", "sume_default"),
    ]
    assert campaign.manifest["totals"]["missing"] == 0


def test_a_brief_that_only_a_dropped_account_can_make_is_refused(campaign: CampaignRig) -> None:
    campaign.sandbox.set_credits("adsumo", 0)
    spot = Brief("spot", kind="voice", script="{title}.", voice="EXAVITQu4vr4xnSDxMaL")
    assert campaign.go(briefs=[spot], **DROP)["plan"] == "failed"
    assert campaign.message("plan") == (
        "The campaign cannot be planned. Nothing was sent and nothing was charged.\n"
        "  P-1/spot and 2 more: no account can make brief 'spot':\n"
        "    adsumo_default: it takes no part in this run: Adsumo says that it has no credits left.\n"
        "    sume_default: Sume has no request that makes voice of a brief"
    )
    assert campaign.charges == []


def test_no_product_is_made_at_an_account_that_takes_no_part(campaign: CampaignRig) -> None:
    both = {"briefs": [AD], "accounts": ["cutx_default", "sume_default"], "on_account_out": "drop", "reuse": True}
    assert campaign.go(**both) == ALL, campaign.errors
    paid = len(campaign.charges)
    campaign.sandbox.set_credits("cutx", 0)
    campaign.feed("Lamp", "Chair", "Table", "Sofa")
    campaign.begin_run("weekly-2", None)
    before = len(campaign.sandbox.requests("cutx", method="POST"))
    assert campaign.go(**both) == ALL, campaign.errors
    assert len(campaign.sandbox.requests("cutx", method="POST")) == before
    assert len(campaign.charges) == paid + 1
    assert found(campaign) == {
        **dict.fromkeys(("P-1", "P-2", "P-3"), ("reused", "cutx_default")),
        "P-4": ("completed", "sume_default"),
    }
