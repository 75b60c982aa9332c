# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_adgen.sandbox.client import SandboxError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_adgen.sandbox import Sandbox

VIDEO = {"prompt": "White sneakers", "model": "sora-2"}
REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    "adsumo": ("/videos/ai-video", VIDEO),
    "cutx": ("/api/generate/static-ad", {}),
    "sume": ("/videos/generations", {"prompt": "White sneakers"}),
    "cinematicads": ("/api/workflow", {"type": "staticad", "concept": "White sneakers"}),
}


@pytest.fixture
def submit_to(client_for: Callable[..., httpx.Client]) -> Callable[..., Callable[[], httpx.Response]]:
    """Make a function that submits one generation to a vendor."""

    def make(vendor: str, key: str = "default") -> Callable[[], httpx.Response]:
        client = client_for(vendor, key)
        path, body = REQUESTS[vendor]
        if vendor == "cutx":
            project = client.get("/api/products").json()["projects"][0]["id"]
            product = client.get("/api/products", params={"projectId": project}).json()["products"][0]["id"]
            body = {"projectId": project, "productId": product}
        return lambda: client.post(path, json=body)

    return make


@pytest.fixture
def adsumo(client_for: Callable[..., httpx.Client]) -> httpx.Client:
    return client_for("adsumo")


def message(answer: httpx.Response) -> str:
    """Read the message of an error in whichever envelope."""
    data = answer.json()
    error = data["error"]
    return str(data.get("message") or (error["message"] if isinstance(error, dict) else error))


def seconds_between(first: str, second: str) -> float:
    return (datetime.fromisoformat(second) - datetime.fromisoformat(first)).total_seconds()


class TestActiveLimit:
    @pytest.mark.parametrize("vendor", sorted(REQUESTS))
    def test_one_more_is_refused_until_one_ends(
        self, sandbox: Sandbox, submit_to: Callable[..., Callable[[], httpx.Response]], vendor: str
    ) -> None:
        sandbox.settings({vendor: {"active_limit": 2}})
        submit = submit_to(vendor)
        answers = [submit() for _ in range(3)]
        assert [answer.status_code for answer in answers] == [*[answers[0].status_code] * 2, 429]
        assert message(answers[2]) == (
            "Too many active generations: this account may have 2 running at once. Nothing was started."
        )
        assert len(sandbox.jobs()) == len(sandbox.charges) == 2
        sandbox.set_job(sandbox.jobs()[0]["id"], "failed")
        assert [submit().status_code for _ in range(2)] == [answers[0].status_code, 429]
        sandbox.advance(1_000)
        assert submit().status_code == answers[0].status_code

    def test_it_is_told_from_a_rate_limit(
        self, sandbox: Sandbox, submit_to: Callable[..., Callable[[], httpx.Response]]
    ) -> None:
        refusals = {}
        rates = {"submit": [1, 60], "workflow": [1, 60]}
        for kind, limit in (("active", {"active_limit": 1}), ("rate", {"active_limit": None, "rate_limits": rates})):
            for vendor in REQUESTS:
                submit = submit_to(vendor)
                sandbox.settings({vendor: limit})
                refusals[vendor, kind] = [submit() for _ in range(2)][1]
        assert {answer.status_code for answer in refusals.values()} == {429}
        for vendor in REQUESTS:
            active, rate = refusals[vendor, "active"], refusals[vendor, "rate"]
            assert set(active.json()) == set(rate.json())
            assert "active generations" in message(active)
            assert message(rate) == "Rate limit exceeded"
        codes = {kind: refusals["sume", kind].json()["error"]["code"] for kind in ("active", "rate")}
        assert codes == {"active": "active_generation_limit", "rate": "rate_limited"}
        # The one code that Adsumo documents for a 429.
        assert refusals["adsumo", "active"].json()["error"]["code"] == "rate_limited"
        told = {vendor for vendor in REQUESTS if "retry-after" in refusals[vendor, "active"].headers}
        assert told == {"adsumo"}

    def test_each_account_has_its_own(
        self, sandbox: Sandbox, submit_to: Callable[..., Callable[[], httpx.Response]]
    ) -> None:
        sandbox.settings(adsumo={"active_limit": {"team": 1, "*": 2}})
        team, other = submit_to("adsumo"), submit_to("adsumo", sandbox.add_account("adsumo", "other"))
        assert [team().status_code for _ in range(2)] == [200, 429]
        assert [other().status_code for _ in range(3)] == [200, 200, 429]
        sandbox.settings(adsumo={"active_limit": {"*": None}})
        assert [other().status_code, team().status_code] == [200, 429]

    def test_it_is_off_where_none_is_documented(self, sandbox: Sandbox) -> None:
        limits = {vendor: values["active_limit"] for vendor, values in sandbox.settings().items() if vendor in REQUESTS}
        assert limits == {"adsumo": None, "cutx": None, "sume": 100, "cinematicads": None}

    def test_a_repeated_key_is_answered_at_the_limit(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.settings(adsumo={"active_limit": 1})
        answers = [adsumo.post("/videos/ai-video", json=VIDEO, headers={"Idempotency-Key": "a"}) for _ in range(2)]
        assert answers[0].json() == answers[1].json()
        refused = adsumo.post("/videos/ai-video", json=VIDEO, headers={"Idempotency-Key": "b"})
        assert refused.status_code == 429
        # The refused key is not used up.
        sandbox.advance(1_000)
        assert adsumo.post("/videos/ai-video", json=VIDEO, headers={"Idempotency-Key": "b"}).status_code == 200

    def test_the_wait_it_asks_for_can_be_chosen(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.settings(adsumo={"active_limit": 0, "active_retry_after": 7})
        assert adsumo.post("/videos/ai-video", json=VIDEO).headers["retry-after"] == "7"
        sandbox.settings(adsumo={"active_retry_after": None})
        assert "retry-after" not in adsumo.post("/videos/ai-video", json=VIDEO).headers


class TestSlowUnderLoad:
    def test_answers_are_at_once_until_set(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        for _ in range(3):
            adsumo.post("/videos/ai-video", json=VIDEO)
        assert [entry["late"] for entry in sandbox.requests()] == [0, 0, 0]

    def test_each_running_job_makes_answers_later(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.settings(adsumo={"slow_per_job": 0.01, "slow_at_most": 0.025})
        answers = [adsumo.post("/videos/ai-video", json=VIDEO) for _ in range(4)]
        assert [entry["late"] for entry in sandbox.requests()] == pytest.approx([0, 0.01, 0.02, 0.025])
        assert all(answer.elapsed.total_seconds() > 0.01 * number for number, answer in enumerate(answers[:3]))
        sandbox.advance(1_000)
        adsumo.get("/voices")
        assert sandbox.requests()[-1]["late"] == 0

    def test_who_gives_up_has_paid(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        adsumo.post("/videos/ai-video", json=VIDEO)
        sandbox.settings(adsumo={"slow_per_job": 5})
        with pytest.raises(httpx.ReadTimeout):
            adsumo.post("/videos/ai-video", json=VIDEO, timeout=0.1)
        assert len(sandbox.charges) == 2

    def test_another_vendor_is_not_slower(
        self, sandbox: Sandbox, submit_to: Callable[..., Callable[[], httpx.Response]]
    ) -> None:
        sandbox.settings({vendor: {"slow_per_job": 0.01} for vendor in REQUESTS})
        for vendor in ("adsumo", "sume", "cinematicads"):
            submit_to(vendor)()
        assert [entry["late"] for entry in sandbox.requests(method="POST")] == [0, 0, 0]


class TestLedgerQueries:
    DAYS = ("2030-01-01", "2030-01-02", "2030-01-03")

    @pytest.fixture
    def entries(self, sandbox: Sandbox, client_for: Callable[..., httpx.Client]) -> list[dict[str, Any]]:
        """Two accounts of Adsumo on two days, and a CutX job that fails after midnight."""
        now = sandbox.overview()["time"]
        second = sandbox.add_account("adsumo", "second", key="adsumo_sk_second")
        team, other = client_for("adsumo"), client_for("adsumo", second)
        cutx = client_for("cutx")
        sandbox.advance(seconds_between(now, "2030-01-01T23:59:00Z"))
        team.post("/videos/ai-video", json=VIDEO, headers={"Idempotency-Key": "a"})
        other.post("/videos/ai-video", json=VIDEO, headers={"Idempotency-Key": "b"})
        project = cutx.get("/api/products").json()["projects"][0]["id"]
        product = cutx.get("/api/products", params={"projectId": project}).json()["products"][0]["id"]
        sandbox.fail_next("cutx", seconds=600)
        body = {"projectId": project, "productId": product, "idempotencyKey": "a"}
        assert cutx.post("/api/generate/static-ad", json=body).status_code == 200
        sandbox.advance(86_400)
        team.post("/images/text-to-image", json={"prompt": "x", "model": "fast", "aspect_ratio": "1:1"})
        return sandbox.ledger()

    def test_an_entry_says_everything(self, sandbox: Sandbox, entries: list[dict[str, Any]]) -> None:
        refund = entries[3]
        job = sandbox.jobs("cutx")[0]
        assert {name: refund[name] for name in ("vendor", "account", "kind", "credits", "job_id")} == {
            "vendor": "cutx",
            "account": "team",
            "kind": "refund",
            "credits": 3,
            "job_id": job["id"],
        }
        assert refund["idempotency_key"] == "a"
        # The day of the job's end, although nobody asked before a day later.
        assert refund["time"][:16] == "2030-01-02T00:09"

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ({"day": DAYS[0]}, [0, 1, 2]),
            ({"day": DAYS[1]}, [3, 4]),
            ({"day": DAYS[2]}, []),
            ({"since": "2030-01-02T00:00:00Z"}, [3, 4]),
            ({"until": "2030-01-02T01:00:00+01:00"}, [0, 1, 2]),
            ({"since": "2030-01-02T00:00:00Z", "until": "2030-01-02T12:00:00Z"}, [3]),
            ({"idempotency_key": "a"}, [0, 2, 3]),
            ({"idempotency_key": "a", "vendor": "adsumo"}, [0]),
            ({"account": "second"}, [1]),
            ({"account": "team", "kind": "charge"}, [0, 2, 4]),
            ({"key": "adsumo_sk_second"}, [1]),
            ({"key": "adsumo_sk_sandbox", "day": DAYS[1]}, [4]),
            ({"vendor": "cutx"}, [2, 3]),
            ({"vendor": "sume"}, []),
        ],
        ids=lambda value: " ".join(value.values()) if isinstance(value, dict) else None,
    )
    def test_it_can_be_asked_for_a_part(
        self, sandbox: Sandbox, entries: list[dict[str, Any]], asked: dict[str, str], found: list[int]
    ) -> None:
        assert len(entries) == 5
        assert sandbox.ledger(**asked) == [entries[number] for number in found]

    def test_sums_are_of_each_account(self, sandbox: Sandbox, entries: list[dict[str, Any]]) -> None:
        def row(vendor: str, account: str, charges: int, charged: int, refunds: int = 0, refunded: int = 0) -> Any:
            return {
                "vendor": vendor,
                "account": account,
                "charges": charges,
                "charged": charged,
                "refunds": refunds,
                "refunded": refunded,
            }

        sandbox.set_credits("adsumo", 5)
        assert sandbox.ledger_sums() == [
            row("adsumo", "team", 2, 21),
            row("adsumo", "second", 1, 20),
            row("cutx", "team", 1, 3, 1, 3),
        ]
        assert sandbox.ledger_sums("cutx", by="day") == [
            row("cutx", "team", 1, 3) | {"day": self.DAYS[0]},
            row("cutx", "team", 0, 0, 1, 3) | {"day": self.DAYS[1]},
        ]
        assert sandbox.ledger_sums(by="idempotency_key", account="team", vendor="adsumo") == [
            row("adsumo", "team", 1, 20) | {"idempotency_key": "a"},
            row("adsumo", "team", 1, 1) | {"idempotency_key": None},
        ]
        (of_job,) = sandbox.ledger_sums(by="job_id", day=self.DAYS[1], kind="charge")
        assert of_job == row("adsumo", "team", 1, 1) | {"job_id": entries[4]["job_id"]}
        for account in sandbox.accounts():
            spent = [entry for entry in sandbox.ledger_sums(account["vendor"], account=account["account"])]
            assert account["used"] == sum(entry["charged"] - entry["refunded"] for entry in spent)

    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            ({"since": "2030-01-02T00:00:00"}, "no time zone"),
            ({"day": "yesterday"}, "yesterday"),
            ({"vendor": "nobody"}, "unknown vendor"),
            ({"kind": "charges"}, "not 'charges'"),
            ({"account": "nobody"}, "no account 'nobody'"),
            ({"key": "nobody"}, "no such key"),
            ({"vendor": "sume", "key": "adsumo_sk_sandbox"}, "no such key"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, dict) else None,
    )
    def test_a_mistake_is_not_an_empty_ledger(self, sandbox: Sandbox, asked: dict[str, str], said: str) -> None:
        for ask in (sandbox.ledger, sandbox.ledger_sums):
            with pytest.raises(SandboxError, match=said):
                ask(**asked)

    def test_unknown_questions_are_refused(self, sandbox: Sandbox) -> None:
        with pytest.raises(SandboxError, match="by 'hour'"):
            sandbox.ledger_sums(by="hour")
        with pytest.raises(SandboxError, match="cannot be asked for 'what'"):
            sandbox.ledger_sums(what="image")
