# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Whether a history went as promised, by the vendors' books.

- Nothing is paid twice: each further job of an item has a reason that the documentation names, or a person gave.
- Nothing that is paid is lost: each job is recorded, or belongs to a submission that is said to be unknown.
- What is paid, and made, is stored.
- Budgets and ``max_credits`` are kept.
- Each item is told of; a task succeeds only with a result of each, and nothing under way.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.core.decisions.budgets import day_of
from airflow_provider_adgen.core.record import Attempt, Record
from airflow_provider_adgen.ledger.stores import item_folder
from airflow_provider_adgen.lifecycle.resolution import GONE, NOT_SUBMITTED, variable_name

if TYPE_CHECKING:
    from tests.support.histories.batches import Batch, Try, Wanted
    from tests.support.histories.machine import Machine
    from tests.support.histories.vendors import Job

SLACK = 15_000.0
"""Seconds that a try may take beyond what its author allows: for what is frozen, and for the triggers."""

KEY_TELLS = 23 * 3600.0
"""Seconds for which a submission at Adsumo is repeated with its key."""

DISMISSED = "a person declared that it was not submitted"


class Judge:
    """
    Looks at each sale when it is made, at each try when it is over, and at everything in the end.

    :param machine: the world.
    :param batches: what buys in it.
    :param skew: seconds by which a worker's clock is off, at most.
    :param shared: the batches share a library.
    :param budgets: the limits of a day and a month, by connection.
    """

    def __init__(
        self, machine: Machine, batches: list[Batch], *, skew: float, shared: bool, budgets: dict[str, dict[str, int]]
    ) -> None:
        self.machine, self.batches, self.skew, self.shared, self.budgets = machine, batches, skew, shared, budgets
        self.sold: list[Job] = []
        self.wrong: list[str] = []
        self.rejected: dict[str, float] = {}
        self.used: set[tuple[str, str, str]] = set()
        self.given_up: set[str] = set()
        self.lost: dict[str, float] = {}
        self._read: dict[str, Record] = {}
        # What is recorded, and where, at this step of the history.
        self._known_at = -1
        self._known: dict[str, Record] = {}
        self._folders: dict[str, list[str]] = {}
        for shop in machine.shops.values():
            shop.sold = self.sale

    # --- the records --------------------------------------------------------------------------------------------------

    def record(self, batch: Batch, key: str) -> Record:
        """Return what is recorded of an item, as the storage has it."""
        if self._known_at != self.machine.steps:
            self._known_at = self.machine.steps
            self._known.clear()
            self._folders.clear()
            for path in self.machine.fs.store:
                if "/item-" in path and path.endswith(".json"):
                    self._folders.setdefault(path.rpartition("/")[0], []).append(path)
        folder = f"/shop/ledger/{batch.name}/r/make/-1/{item_folder(key)}"
        if folder not in self._known:
            self._known[folder] = Record.merged(self._parsed(path) for path in self._folders.get(folder, ()))
        return self._known[folder]

    def _parsed(self, path: str) -> Record:
        if path not in self._read:
            self._read[path] = Record.from_json(json.loads(self.machine.fs.store[path].getvalue()), where=path)
        return self._read[path]

    def attempt_of(self, job: Job) -> Attempt | None:
        """Return the attempt that a job is recorded for."""
        attempts = self.record(job.buyer, job.key).attempts
        return next((one for one in attempts if job.id in one.job_ids), None)

    def unrecorded(self, batch: Batch, key: str, attempt: Attempt) -> list[Job]:
        """Return the jobs that an attempt may have started, and that are recorded nowhere."""
        since = attempt.began_at - 2 * self.skew - 1
        return [
            job
            for job in self.sold
            if (job.buyer, job.key, job.vendor) == (batch, key, attempt.vendor)
            and job.at >= since
            and self.attempt_of(job) is None
        ]

    # --- a sale -------------------------------------------------------------------------------------------------------

    def sale(self, job: Job) -> None:
        """A vendor has charged a job."""
        self.machine.say(f"{job.vendor} charges {job.id} for {job.key} version {job.version}; it ends as {job.end}")
        if job.forbidden:
            self.wrong.append(f"{job.id} was bought while [adgen] spending was forbidden")
        self._is_of_its_try(job)
        for before in self.sold:
            if before.key == job.key and not self._may_follow(before, job):
                self.wrong.append(f"{job.key} was paid twice: {before.id} at {before.vendor}, then {job.id}")
        self.sold.append(job)

    def _is_of_its_try(self, job: Job) -> None:
        """The items of a try are those of its beginning, and not more of them are under way than its author allows."""
        batch: Batch = job.buyer
        repeated = any(
            one.phase == "intent" and one.try_number != job.number for one in self.record(batch, job.key).attempts
        )
        if job.version != str(job.versions.get(job.key)) and not repeated:
            self.wrong.append(f"{job.id} is for {job.key} in version {job.version}; its try began with {job.versions}")
        since = job.at - batch.fields["timeout"] + 2 * self.skew  # what is older may not be waited for any more
        under_way = [
            one
            for one in self.sold
            if one.buyer is batch and one.ends_at > job.at and one.at > since and self.attempt_of(one) is not None
        ]
        most = batch.fields.get("max_in_flight", 100)
        if len(under_way) >= most and not (batch.froze or batch.has_twin or repeated):
            self.wrong.append(f"{job.id} is one more than the {most} jobs that {batch.name} may have under way")

    def _may_follow(self, before: Job, job: Job) -> bool:
        over = before.ends_at <= job.at
        badly = over and before.end != "completed"
        batch: Batch = job.buyer
        if before.buyer is not batch:
            if not self.shared or (before.vendor, before.kind, before.version) != (job.vendor, job.kind, job.version):
                return True  # nobody promises anything about these two
            if before.fresh or job.fresh:
                return True  # who pays anew claims nothing
            given_up = {*self.rejected, *self.given_up, *self.lost, *before.buyer.dismissed}
            return badly or before.id in given_up or self._overtaken(before, job) or self._too_old(before, job)
        on, cleared = batch.on, any(at >= before.at for at in batch.clears)
        if badly and on["on_failed"] is None and before.end in self.machine.shops[before.vendor].refunds:
            return True
        if badly and on["on_failed"] == "resubmit" and before.end != "canceled":
            return True
        if badly and cleared and on["on_clear"] != "reattach":
            return True
        if over and cleared and (on["on_clear"] == "fresh" or before.id in self.rejected):
            return True
        changed = (before.version, before.vendor, before.kind) != (job.version, job.vendor, job.kind)
        if over and changed and on["on_changed_input"] == "fresh":
            return True
        if before.id in batch.dismissed or self._overtaken(before, job):
            return True
        if before.id in self.given_up:
            return True
        if any(what == before.id for _, _, what in batch.answers):
            return False  # a person has found it
        if on["on_unknown_submission"] == "resubmit" and (batch.froze or self.attempt_of(before) is None):
            risks = batch.risks.setdefault(job.number, set())
            risks.add(job.id)  # of this try, one submission may follow one that nobody knows about
            self.given_up.add(before.id)
            return batch.froze or len(risks) <= 1
        return False

    def _too_old(self, before: Job, job: Job) -> bool:
        oldest, attempt = job.buyer.fields.get("reuse_max_age"), self.attempt_of(before)
        since = attempt.submitted_at if attempt is not None else None
        return oldest is not None and (since or before.at) + oldest - 2 * self.skew - 1 <= job.at

    def _overtaken(self, before: Job, job: Job) -> bool:
        """Whether a person had said that nothing was submitted, and a frozen process posted it after that."""
        return any(
            key == job.key and what == NOT_SUBMITTED and (one.began <= at <= one.at)
            for one in (before, job)
            for at, key, what in one.buyer.answers
        )

    # --- what a person does -------------------------------------------------------------------------------------------

    def answer(self, batch: Batch, *, looks: bool = True) -> None:
        """
        A person says what became of the submissions that nobody knows about, where that may be said by now.

        :param looks: at the vendor, before it is said.
        """
        now = self.machine.time
        for job in self.sold:
            if job.buyer is batch and job.deleted and (found := self.attempt_of(job)) is not None:
                batch.dismissed.add(job.id)
                self.machine.variables[variable_name(found.uid)] = GONE
        for key in sorted(batch.wanted):
            attempt = self.record(batch, key).open
            if attempt is None or now < attempt.began_at + attempt.post_seconds + 2 * self.skew + 60:
                continue
            jobs = self.unrecorded(batch, key, attempt)
            there = [job.id for job in jobs if not job.deleted and looks]
            says = there[-1] if there else NOT_SUBMITTED
            if not there:
                batch.dismissed |= {job.id for job in jobs}
            batch.answers.append((now, key, says))
            if there:
                batch.attached[attempt.uid] = now
            self.machine.variables[variable_name(attempt.uid)] = says
            self.machine.say(f"a person says of {key}: {says}")

    def delete(self, batch: Batch) -> None:
        """A vendor deletes a job that is over and was not collected."""
        files = [file.getvalue().decode() for path, file in self.machine.fs.store.items() if "/ads-" in path]
        for job in self.sold:
            if job.buyer is batch and job.ends_at <= self.machine.time and job.id not in files:
                job.deleted = True
                self.machine.say(f"{job.vendor} deletes {job.id}")
                return

    def lose_a_file(self) -> None:
        """Somebody deletes a stored file."""
        paths = [path for path in self.machine.fs.store if "/ads-" in path and path.endswith(".png")]
        if paths:
            path = self.machine.rng.choice(sorted(paths))
            job_id = self.machine.fs.store.pop(path).getvalue().decode()
            self.lost.setdefault(job_id, self.machine.time)
            self.machine.say(f"somebody deletes the file of {job_id}")

    # --- a try --------------------------------------------------------------------------------------------------------

    def tried(self, batch: Batch, done: Try) -> None:
        """A try is over."""
        self._judge(batch, done)
        # It may have noted what it used again, and have died before its results told of it.
        for path, file in self.machine.fs.store.items():
            if f"/{batch.name}/" in path and "/reused-" in path:
                for line in map(json.loads, file.getvalue().splitlines()):
                    self.used.add((batch.name, line["key"], line["generation"]["id"]))

    def _judge(self, batch: Batch, done: Try) -> None:
        self.wrong += [f"{batch.name}: {one}" for one in batch.wrong]
        batch.wrong.clear()
        longest = batch.fields["submit_timeout"] + batch.fields["timeout"] + SLACK
        if done.seconds > longest:
            self.wrong.append(f"{batch.name}: try {done.number} took {done.seconds:.0f} s")
        if done.end not in {"succeeded", "failed for good"} and not done.error.startswith("BatchFailed"):
            return
        if not done.told and "All items and reasons are in" not in done.error:
            return
        lines = batch.lines()
        told = Counter(line["key"] for line in lines)
        # A try that buys nothing tells of the list of the try before.
        left_out = set(done.keys) - set(told) if "This try bought nothing" not in done.error else set()
        if left_out or max(told.values(), default=1) > 1:
            self.wrong.append(
                f"{batch.name}: the results of try {done.number} tell of {dict(told)}, not of {done.keys}"
            )
        for line in lines:
            if line["status"] in {"completed", "reused"}:
                self._has_files(batch, line, done)
                self._is_wanted(batch, line, done)
            if line["status"] == "unknown" and line["key"] in done.keys and not batch.has_twin:
                self._may_stay_unknown(batch, line["key"], done)
            if line["status"] in {"refused", "waiting", "skipped"} and not batch.has_twin:
                self._has_nothing(batch, line)
        if done.end != "succeeded":
            return
        without = {line["key"] for line in lines if line["status"] not in {"completed", "reused", "removed", "skipped"}}
        if without:
            self.wrong.append(f"{batch.name}: try {done.number} succeeded without {without}")
        for job in self.sold:
            if job.buyer is batch and job.ends_at > self.machine.time and not self._excused(job):
                self.wrong.append(f"{batch.name}: try {done.number} succeeded while {job.id} is under way")

        booked: Counter[str] = Counter()
        for job in self.sold:
            if job.buyer is batch and self.attempt_of(job) is not None:
                booked[f"{job.vendor}_default"] += self._booked(job)
        counted = {conn_id: one["charged"] - one["refunded"] for conn_id, one in done.told["credits"].items()}
        # A process that lives on beside a later try does not know what that buys meanwhile.
        missing = [booked[one] - counted.get(one, 0) for one in {*counted, *booked}]
        if min(missing, default=0) < 0 or (any(missing) and not batch.has_twin):
            self.wrong.append(f"{batch.name}: try {done.number} says that it cost {counted}, not {dict(booked)}")

    def _booked(self, job: Job) -> int:
        """Return what a job is to be recorded with: its price, or nothing if that is given back."""
        attempt = self.attempt_of(job)
        if attempt is not None and attempt.charged == 0:
            attempts = self.record(job.buyer, job.key).attempts
            if any(one.phase == "intent" and one.key == attempt.key for one in attempts):
                return 0  # the vendor said so to a second posting; the first one counts, which stays unknown
        if job.deleted and attempt is not None and attempt.refunded is None:
            return job.price  # nobody has seen how it ended: what it cost stays counted
        over = job.ends_at <= self.machine.time
        return 0 if over and job.end in self.machine.shops[job.vendor].refunds else job.price

    def _has_nothing(self, batch: Batch, line: dict[str, Any]) -> None:
        anew = batch.on["on_clear"] == "fresh" or batch.on["on_changed_input"] == "fresh" or self.rejected
        for job in self.sold:
            badly = job.deleted or (job.end != "completed" and job.ends_at <= self.machine.time)
            mine = (job.buyer, job.key) == (batch, line["key"]) and self.attempt_of(job) is not None
            if mine and not badly and not anew:
                self.wrong.append(f"{batch.name}: {job.key} is {line['status']}, and has {job.id}")

    def _is_wanted(self, batch: Batch, line: dict[str, Any], done: Try) -> None:
        """What a person rejected, or what is too old, is not used again; what an earlier try used stays, old or not."""
        made, reused = (line["generation"] or {}).get("id", ""), line["status"] == "reused"
        rejected_at = self.rejected.get(made, math.inf)
        anew = batch.on["on_clear"] == "missing" and any(rejected_at < at <= done.began for at in batch.clears)
        # A try whose list is wrong tells what is recorded.
        refused = "This try bought nothing" in done.error
        if rejected_at < done.began and not refused and (reused or (self.shared and anew)):
            self.wrong.append(f"{batch.name}: {line['key']} is {made}, which was rejected")
        job = next((one for one in self.sold if one.id == made), None)
        attempt, oldest = self.attempt_of(job) if job is not None else None, batch.fields.get("reuse_max_age")
        kept = (batch.name, line["key"], made) in self.used
        if reused:
            self.used.add((batch.name, line["key"], made))
        if reused and not kept and attempt is not None and oldest is not None:
            age = done.began - (attempt.submitted_at or attempt.began_at)
            if age > oldest + 2 * self.skew + 1:
                self.wrong.append(f"{batch.name}: {line['key']} is {made}, which was {age:.0f} s old")

    def _may_stay_unknown(self, batch: Batch, key: str, done: Try) -> None:
        """An answer of a person, or a key that tells, settles a submission in a try in which nothing goes wrong."""
        attempt = self.record(batch, key).open
        if attempt is None or attempt.vendor not in done.calm:
            return
        if batch.attached.get(attempt.uid, math.inf) < done.began:
            self.wrong.append(f"{batch.name}: {key} stays unknown, although a person has named its job")
        tells = attempt.vendor == "adsumo" and not attempt.unknown and len(attempt.statuses) < 3
        in_time = done.began + done.seconds < attempt.began_at + KEY_TELLS - self.skew
        unchanged = batch.wanted[key].edited < attempt.began_at - self.skew and batch.fields["max_in_flight"] > 2
        goes_on = batch.on["on_item_failure"] == "continue" and batch.on["on_insufficient"] == "wait"
        if tells and in_time and unchanged and goes_on and done.seconds < batch.fields["submit_timeout"] / 2:
            self.wrong.append(f"{batch.name}: {key} stays unknown, although its key tells what became of it")

    def _has_files(self, batch: Batch, line: dict[str, Any], done: Try) -> None:
        made = line["generation"] or {}
        lost_at = self.lost.get(made.get("id", ""))
        if lost_at is not None and (line["status"] == "completed" or lost_at >= done.began):
            return
        files = [one["uri"].partition("@")[2] for one in made.get("creatives", [])]
        texts = {self.machine.fs.store[one].getvalue() for one in files if one in self.machine.fs.store}
        job = next((one for one in self.sold if one.id == made.get("id")), None)
        if not files or texts != {str(made.get("id")).encode()} or job is None or job.key != line["key"]:
            self.wrong.append(f"{batch.name}: {line['key']} is {line['status']}, and its file is not that of its job")

    # --- the end ------------------------------------------------------------------------------------------------------

    def unsettled(self, batch: Batch) -> None:
        """A batch has not succeeded, although nothing went wrong for long: there must be a reason."""
        if not batch.results and "more than its max_credits" not in batch.tries[-1].error:
            self.wrong.append(f"{batch.name} has no results: {batch.tries[-1].error}")
        for line in batch.lines():
            key, status = line["key"], line["status"]
            scarce = self._is_scarce(batch, batch.wanted[key])
            mine = [job for job in self.sold if job.buyer is batch and job.key == key]
            wanted = batch.wanted[key]
            banned = any(key in shop.banned for shop in self.machine.shops.values())
            why = {
                "failed": scarce
                or any(not job.leaves_a_file for job in mine)
                or (batch.on["on_changed_input"] == "fail" and wanted.version + len(wanted.choices) > 2),
                "refused": banned or scarce,
                # Until a person says what came of the other batch's submission.
                "waiting": scarce
                or banned
                or batch.on["on_item_failure"] == "stop"
                or "may have been paid for at" in (line["reason"] or ""),
            }
            if status not in {"completed", "reused", "removed"} and not why.get(status, False):
                self.wrong.append(f"{batch.name}: {key} stays {status}: {line['reason']}")

    def _excused(self, job: Job) -> bool:
        """Whether a job that is recorded nowhere belongs to a submission that is known to be unknown."""
        if self.attempt_of(job) is not None:
            return True
        return any(
            one.vendor == job.vendor
            and one.began_at - 2 * self.skew - 1 <= job.at
            and (one.phase == "intent" or (one.phase == "withdrawn" and one.reason == DISMISSED))
            for one in self.record(job.buyer, job.key).attempts
        )

    def sum_up(self) -> None:
        """Everything is over."""
        files = {path: file.getvalue() for path, file in self.machine.fs.store.items() if "/ads-" in path}
        stored = {text.decode() for path, text in files.items() if "/_adgen/" not in path}
        for job in self.sold:
            if not self._excused(job):
                self.wrong.append(f"{job.id} of {job.key} was paid for by {job.buyer.name}, and nothing tells of it")
            elif self.attempt_of(job) is not None and job.leaves_a_file and job.id not in {*stored, *self.lost}:
                self.wrong.append(f"{job.id} of {job.key} is recorded by {job.buyer.name}, and its file is not stored")
            attempt = self.attempt_of(job)
            if attempt is not None and attempt.spent != self._booked(job):
                self.wrong.append(f"{job.id} of {job.key} cost {self._booked(job)}, and {attempt.spent} is recorded")
        self._budgets()
        for batch in self.batches:
            self._limits(batch)

    def left(self, conn_id: str) -> tuple[int, int]:
        """Return what is left of an account's budget, at least and at most: nobody may know what was accepted."""
        vendor, today = conn_id.partition("_")[0], day_of(self.machine.time)
        known: Counter[str] = Counter()
        perhaps: Counter[str] = Counter()
        for batch in self.batches:
            for key in batch.wanted:
                for one in self.record(batch, key).attempts:
                    if one.vendor == vendor:
                        where = perhaps if one.phase == "intent" else known
                        where[day_of(one.began_at)] += one.spent
        least, most = [], []
        for period, limit in self.budgets[conn_id].items():
            days = [day for day in {*known, *perhaps} if period == "month" or day == today]
            most.append(limit - sum(known[day] for day in days))
            least.append(most[-1] - sum(perhaps[day] for day in days))
        return max(0, min(least)), max(0, min(most))

    def _is_scarce(self, batch: Batch, wanted: Wanted) -> bool:
        """Whether there may be too little for an item at each of its accounts."""
        if "max_credits" in batch.fields:
            return True
        return any(
            self.left(f"{vendor}_default")[0] < max(self.machine.shops[vendor].prices.values())
            for vendor in {one.split()[0] for one in wanted.choices}
            if f"{vendor}_default" in self.budgets
        )

    def _budgets(self) -> None:
        spent: Counter[tuple[str, str]] = Counter()
        for job in self.sold:
            attempt = self.attempt_of(job)
            if job.id in job.buyer.dismissed or any(what == NOT_SUBMITTED for _, _, what in job.buyer.answers):
                continue  # a person gave its credits back
            if attempt is None:
                attempts = [one for one in self.record(job.buyer, job.key).attempts if one.vendor == job.vendor]
                attempt = next((one for one in reversed(attempts) if one.began_at <= job.at + self.skew), None)
            day = day_of(attempt.began_at if attempt is not None else job.at)
            spent[f"{job.vendor}_default", day] += 0 if job.refunded else job.price
        for (conn_id, day), credits_ in spent.items():
            limit = self.budgets.get(conn_id, {}).get("day")
            if limit is not None and credits_ > limit:
                self.wrong.append(f"{credits_} credits were spent with {conn_id} on {day}, where {limit} are allowed")
        for conn_id, limits in self.budgets.items():
            total = sum(credits_ for (one, _), credits_ in spent.items() if one == conn_id)
            if "month" in limits and total > limits["month"]:
                self.wrong.append(
                    f"{total} credits were spent with {conn_id}, where {limits['month']} a month are allowed"
                )

    def _limits(self, batch: Batch) -> None:
        limit = batch.fields.get("max_credits")
        if limit is None or batch.on["on_clear"] == "fresh" or batch.answers or batch.dismissed:
            return
        spent: Counter[str] = Counter()
        for job in self.sold:
            if job.buyer is batch:
                spent[f"{job.vendor}_default"] += 0 if job.refunded else job.price
        for conn_id, credits_ in spent.items():
            if credits_ > limit[conn_id]:
                self.wrong.append(f"{batch.name} cost {credits_} of {conn_id}, with max_credits={limit[conn_id]}")
