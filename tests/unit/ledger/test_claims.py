# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Who may pay for a creative that several runs want, step by step; integration tests go through orders of events."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from fsspec.implementations.local import LocalFileSystem

from airflow_provider_adgen.core.clock import Clock
from airflow_provider_adgen.core.identity import TaskIdentity
from airflow_provider_adgen.core.record import Attempt, Record, RecordUnreadable
from airflow_provider_adgen.ledger.claims import Claim, ClaimedElsewhere, Claims, ClaimUnknown
from airflow_provider_adgen.ledger.item_records import LedgerRecords, RecordRef, record_store
from airflow_provider_adgen.ledger.library import Library
from airflow_provider_adgen.ledger.library_objects import Entry, LibraryUnavailable
from tests.support.library import generation, wanted, write

if TYPE_CHECKING:
    from pathlib import Path

ONE = wanted()


class Now(Clock):
    time = 1_800_000_000.0

    def now(self) -> float:
        return self.time


class World:
    """Two runs, A and B, that share a library and a ledger on a local disk."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.base = folder, f"file://{folder}"
        self.clock = Now()
        self.library = Library(f"{self.base}/library", clock=self.clock)
        self.claims = Claims(self.library, LedgerRecords(f"{self.base}/ledger"), rng=random.Random(1))

    def ref(self, run: str) -> RecordRef:
        return RecordRef(TaskIdentity("spring", run, "generate"), ONE.key)

    def claim(self, run: str) -> Any:
        return self.claims.claim(ONE, self.ref(run))

    def claimed(self, run: str) -> Claim:
        found = self.claim(run)
        assert isinstance(found, Claim)
        return found

    def record(self, run: str, phase: Any, claim: Claim, **fields: Any) -> None:
        """Write a version of the attempt that was made under a claim."""
        made: dict[str, Any] = {
            "uid": claim.uid[:12],
            "epoch": 1,
            "fingerprint": "f",
            "request_kind": "text-to-image",
            "conn_id": "adsumo_default",
            "intended_at": self.clock.time,
            "post_seconds": 60.0,
            "claim": claim.uid,
            "posters": ["p"],
            "withdrawn_by": ["p"] if phase == "withdrawn" else [],
        }
        attempt = Attempt(**{"phase": phase, **made, **fields})
        record_store(f"{self.base}/ledger", self.ref(run)).write(attempt, Record(attempts=[attempt]))

    def stored(self, job: str = "job-1") -> dict[str, Any]:
        uri = f"{self.base}/ads/{job}.png"
        write(uri, b"png")
        return generation(job, uri)

    def objects(self, suffix: str = "") -> list[Path]:
        folder = self.folder / "library" / "claims"
        return sorted(path for path in folder.rglob("*") if path.is_file() and path.name.endswith(suffix))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


class TestClaiming:
    def test_the_first_one_has_it(self, world: World) -> None:
        claim = world.claimed("A")
        assert (claim.wanted, world.claims.stands(claim)) == (ONE, True)
        (path,) = world.objects()
        text = json.loads(path.read_text())
        assert RecordRef.from_json(text["record"]) == world.ref("A")
        assert (text["key"], text["claimed_at"]) == (ONE.key, world.clock.time)

    def test_the_next_one_waits_and_holds_nothing(self, world: World) -> None:
        world.claimed("A")
        found = world.claim("B")
        assert isinstance(found, ClaimedElsewhere)
        assert 1 <= found.seconds <= 10
        assert found.why == (
            f"{ONE.key} is not submitted here: item '{ONE.key}' of spring.generate in run A is about to submit it."
        )
        assert len(world.objects()) == 1

    def test_other_creatives_are_not_concerned(self, world: World) -> None:
        world.claimed("A")
        other = wanted("another")
        assert isinstance(
            world.claims.claim(other, RecordRef(TaskIdentity("spring", "B", "generate"), other.key)), Claim
        )

    def test_a_claim_that_was_withdrawn_is_free(self, world: World) -> None:
        world.claims.withdraw(world.claimed("A"))
        assert world.objects() == []
        world.claimed("B")

    def test_an_earlier_try_of_the_same_record_is_no_rival(self, world: World) -> None:
        first = world.claimed("A")
        second = world.claimed("A")
        assert first.uid != second.uid
        assert isinstance(world.claim("B"), ClaimedElsewhere)
        world.claims.release(ONE, world.ref("A"))
        assert world.objects() == []

    def test_rivals_both_withdraw(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        found: list[Any] = []
        write_claim = Claims._write

        def at_once(claims: Claims, one: Any, record: RecordRef) -> Claim:
            mine = write_claim(claims, one, record)
            if not found:
                found.append(None)
                found[0] = world.claim("B")  # it has seen nothing before, and writes now
            return mine

        monkeypatch.setattr(Claims, "_others", _blind_once(Claims._others, "B"))
        monkeypatch.setattr(Claims, "_write", at_once)
        first = world.claim("A")
        assert isinstance(found[0], ClaimedElsewhere)
        assert isinstance(first, Claim), "B was gone again when A looked"
        assert len(world.objects()) == 1


def _blind_once(others: Any, run: str) -> Any:
    """Let a run see nobody before it writes its claim: it looked before anybody had written."""

    def look(claims: Claims, one: Any, record: RecordRef, *, settle: bool = False) -> Any:
        return () if record.task.run_id == run and not settle else others(claims, one, record, settle=settle)

    return look


class TestWhatTheRecordSays:
    def test_who_submits_is_waited_for(self, world: World) -> None:
        world.record("A", "intent", world.claimed("A"))
        found = world.claim("B")
        assert isinstance(found, ClaimedElsewhere) and found.why.endswith("in run A is submitting it.")

    def test_who_waits_for_its_job_is_waited_for(self, world: World) -> None:
        world.record("A", "submitted", world.claimed("A"), job_ids=["job-1"])
        world.clock.time += 5 * 86400
        found = world.claim("B")
        assert isinstance(found, ClaimedElsewhere) and found.why.endswith("in run A waits for its job.")
        assert 30 <= found.seconds <= 60

    def test_a_claim_without_an_intent_is_void_after_ten_minutes(self, world: World) -> None:
        first = world.claimed("A")
        world.clock.time += 599
        assert isinstance(world.claim("B"), ClaimedElsewhere)
        world.clock.time += 1
        second = world.claimed("B")
        assert not world.claims.stands(first), "it sees that it was taken for dead"
        assert world.claims.stands(second)

    def test_a_void_claim_goes_with_that_of_its_successor_and_before_its_mark(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = world.claimed("A")
        world.clock.time += 600
        second = world.claimed("B")
        remove, stood = LocalFileSystem.rm_file, []

        def watched(fs: Any, path: str) -> None:
            remove(fs, path)
            stood.append(world.claims.stands(first))

        monkeypatch.setattr(LocalFileSystem, "rm_file", watched)
        world.claims.withdraw(second)
        assert stood == [False] * 3
        assert world.objects() == []

    def test_one_that_comes_back_to_life_in_time_keeps_it(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        first = world.claimed("A")
        world.clock.time += 600
        mark = Claims._mark

        def late(claims: Claims, one: Any, path: str) -> None:
            world.record("A", "intent", first)
            assert world.claims.stands(first)
            mark(claims, one, path)

        monkeypatch.setattr(Claims, "_mark", late)
        found = world.claim("B")
        assert isinstance(found, ClaimedElsewhere) and "is submitting it" in found.why
        assert isinstance(world.claim("C"), ClaimedElsewhere), "the mark that is left frees it for nobody"
        world.record("A", "submitted", first, job_ids=["job-1"])
        assert isinstance(world.claim("C"), ClaimedElsewhere)

    def test_a_job_that_ended_without_a_result_frees_it(self, world: World) -> None:
        first = world.claimed("A")
        world.record("A", "submitted", first, job_ids=["job-1"], ended="failed")
        world.claimed("B")
        assert not world.claims.stands(first), "nobody submits under it a second time"

    def test_what_the_same_record_did_before_does_not_count(self, world: World) -> None:
        first = world.claimed("A")
        world.record("A", "submitted", first, job_ids=["job-1"], ended="failed")
        world.claims.release(ONE, world.ref("A"))
        world.claimed("A")
        assert isinstance(world.claim("B"), ClaimedElsewhere)

    @pytest.mark.parametrize("unknown", [True, False])
    def test_an_unknown_submission_stops(self, world: World, unknown: bool) -> None:
        first = world.claimed("A")
        world.record("A", "intent", first, unknown=unknown)
        world.clock.time += 0 if unknown else 960
        with pytest.raises(
            ClaimUnknown, match=r"run A.*Nothing was sent from here.*ledger show spring A generate"
        ) as caught:
            world.claim("B")
        assert ONE.key in str(caught.value) and caught.value.retry_helps
        assert len(world.objects()) == 1, "nothing of B is left"
        world.record("A", "withdrawn", first)
        assert isinstance(world.claim("B"), Claim if not unknown else ClaimedElsewhere)

    def test_an_unknown_submission_stops_nobody_where_the_creative_is_there(self, world: World) -> None:
        world.record("A", "intent", world.claimed("A"), unknown=True)
        world.library.add(ONE, world.stored(), conn_id="a", made_at=world.clock.time)
        assert isinstance(world.claim("B"), Entry)

    def test_a_record_that_cannot_be_read_stops(self, world: World) -> None:
        world.record("A", "intent", world.claimed("A"))
        (path,) = (world.folder / "ledger").rglob("*.json")
        path.write_text("{")
        with pytest.raises(RecordUnreadable):
            world.claim("B")
        assert len(world.objects()) == 1


class TestWhatWasMade:
    def test_made_between_the_look_up_and_the_claim(self, world: World) -> None:
        entry = world.library.add(ONE, world.stored(), conn_id="a", made_at=world.clock.time)
        assert world.claim("B") == entry
        assert world.objects() == []

    @pytest.mark.parametrize("trouble", ["rejected", "files gone", "too old"])
    def test_what_cannot_be_used_is_claimed(self, world: World, trouble: str) -> None:
        made = world.stored()
        world.library.add(ONE, made, conn_id="a", made_at=world.clock.time)
        if trouble == "rejected":
            world.library.reject(ONE.digest, "job-1")
        elif trouble == "files gone":
            (world.folder / "ads" / "job-1.png").unlink()
        else:
            world.library._max_age = 10
            world.clock.time += 11
        world.claimed("B")

    def test_delivered_by_a_process_that_died_before_it_wrote_the_entry(self, world: World) -> None:
        first = world.claimed("A")
        world.record("A", "done", first, result=world.stored(), submitted_at=world.clock.time + 1)
        found = world.claim("B")
        assert isinstance(found, Entry)
        assert (found.made_at, found.conn_id) == (world.clock.time + 1, "adsumo_default")
        assert found.paid_by == world.ref("A").to_json()
        assert world.library.lookup([ONE])[ONE].entry == found
        assert len(list((world.folder / "library" / "entries").rglob("*.json"))) == 1
        world.claim("C")
        assert len(list((world.folder / "library" / "entries").rglob("*.json"))) == 1

    @pytest.mark.parametrize("trouble", ["rejected", "files gone", "nothing stored"])
    def test_delivered_and_of_no_use(self, world: World, trouble: str) -> None:
        made = world.stored() if trouble != "nothing stored" else {"id": "job-1", "creatives": [{"uri": None}]}
        world.record("A", "done", world.claimed("A"), result=made)
        if trouble == "rejected":
            world.library.reject(ONE.digest, "job-1")
        elif trouble == "files gone":
            (world.folder / "ads" / "job-1.png").unlink()
        second = world.claimed("B")
        world.claims.withdraw(second)
        assert world.objects() == []


class TestTrouble:
    def test_claims_that_cannot_be_listed_are_not_absent(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        claim = world.claimed("A")

        def stale(*_args: Any, **_options: Any) -> Any:
            raise OSError("stale file handle")

        with monkeypatch.context() as patch:
            patch.setattr(LocalFileSystem, "ls", stale)
            for ask in (lambda: world.claim("B"), lambda: world.claims.stands(claim)):
                with pytest.raises(LibraryUnavailable, match="stale file handle"):
                    ask()
            world.claims.release(ONE, world.ref("A"))
        assert len(world.objects()) == 1

    def test_a_claim_that_cannot_be_read(self, world: World) -> None:
        world.claimed("A")
        (path,) = world.objects()
        path.write_text("{")
        with pytest.raises(LibraryUnavailable, match="cannot be understood"):
            world.claim("B")
        path.write_text("{}")
        with pytest.raises(LibraryUnavailable, match="cannot be understood"):
            world.claim("B")

    def test_a_name_that_this_version_does_not_know(self, world: World) -> None:
        world.claimed("A")
        world.objects()[0].with_name(f"{ONE.digest}-v2.json").write_text("{}")
        with pytest.raises(LibraryUnavailable, match="cannot be understood"):
            world.claim("B")

    def test_a_claim_that_is_not_written_is_none(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_args: Any) -> Any:
            raise OSError("the disk is full")

        monkeypatch.setattr("airflow_provider_adgen.ledger.claims.create_object", full)
        with pytest.raises(LibraryUnavailable, match="could not be written"):
            world.claim("A")

    def test_trouble_after_the_claim_was_written_leaves_none(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_args: Any, **_options: Any) -> Any:
            raise LibraryUnavailable("no")

        monkeypatch.setattr(Library, "lookup", broken)
        with pytest.raises(LibraryUnavailable):
            world.claim("A")
        assert world.objects() == []

    def test_one_that_is_withdrawn_while_it_is_read(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        claim = world.claimed("A")
        cat = LocalFileSystem.cat_file

        def gone(fs: Any, path: str, *args: Any, **options: Any) -> Any:
            world.claims.withdraw(claim)
            return cat(fs, path, *args, **options)

        monkeypatch.setattr(LocalFileSystem, "cat_file", gone)
        world.claimed("B")

    def test_where_nothing_may_be_deleted(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        def refused(*_args: Any, **_options: Any) -> Any:
            raise PermissionError("no delete")

        monkeypatch.setattr(LocalFileSystem, "rm_file", refused)
        first = world.claimed("A")
        world.claims.withdraw(first)
        assert not world.claims.stands(first)
        second = world.claimed("B")
        assert isinstance(world.claim("C"), ClaimedElsewhere)
        world.record("B", "submitted", second, job_ids=["job-1"])
        world.library.add(ONE, world.stored(), conn_id="a", made_at=world.clock.time)
        world.record("B", "done", second, result=world.stored())
        world.claims.release(ONE, world.ref("B"))
        assert len(world.objects(".json")) == len(world.objects(".void")) == 2
        assert isinstance(world.claim("C"), Entry)


class TestReferences:
    @pytest.mark.parametrize(
        "ref",
        [
            RecordRef(TaskIdentity("dag.v2", "manual__2026-01-01T00:00:00+00:00", "group.make", 3), "LMP/1x1"),
            RecordRef(TaskIdentity("dag", "run", "task", region="loop/0", slot=2)),
        ],
    )
    def test_what_is_written_is_read(self, ref: RecordRef) -> None:
        assert RecordRef.from_json(json.loads(json.dumps(ref.to_json()))) == ref

    def test_an_items_record_is_below_its_tasks(self, tmp_path: Path) -> None:
        task = TaskIdentity("dag", "run", "task")
        for ref in (RecordRef(task), RecordRef(task, "../LMP 1/1x1"), RecordRef(task, "b")):
            attempt = Attempt(
                phase="intent", epoch=1, fingerprint="f", request_kind="k", intended_at=1.0, post_seconds=60.0
            )
            record_store(f"file://{tmp_path}", ref).write(attempt, Record(attempts=[attempt]))
        folders = {path.parent.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.json")}
        own = "item-3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"
        assert folders >= {"dag/run/task/-1", f"dag/run/task/-1/{own}"} and len(folders) == 3
        assert all(folder.startswith("dag/run/task/-1") for folder in folders)
