# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Budgets hold whoever races, dies, is slow, gets a refund or lives across midnight; and money comes back."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from airflow.sdk.io import attach
from airflow.sdk.io.store import _STORE_CACHE
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_adgen.core.decisions.budgets import CLOSE_AFTER, VOID_AFTER, day_of
from airflow_provider_adgen.core.errors import AdGenError, BudgetBusy, BudgetExceeded, InvalidRequest
from airflow_provider_adgen.ledger import spend
from airflow_provider_adgen.ledger.ledger import Ledger
from airflow_provider_adgen.ledger.purse import Purse
from airflow_provider_adgen.ledger.spend import SpendBook, Spent, account_folder
from airflow_provider_adgen.ledger.stores import ObjectStore
from tests.support.buyers import ACCOUNT, NOON, Buyer, Died, Market, VirtualTime, log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DAY = 86400.0
ROOT = Path(__file__).resolve().parents[3]


class Objects(MemoryFileSystem):
    """A store of objects that answers at once."""

    protocol = "memory"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    cachable = False


class SlowObjects(Objects):
    """A store of objects that takes a while for everything: what was listed is old when it is looked at."""

    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> Any:
        found = super().ls(path, detail=detail, **kwargs)
        time.sleep(random.random() * 0.005)
        return found

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: Any) -> None:
        time.sleep(random.random() * 0.005)
        super().pipe_file(path, value, **kwargs)
        time.sleep(random.random() * 0.005)


@pytest.fixture(params=["file", "memory"])
def base(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A ``ledger_path`` on a disk, in a store of objects, and in a slow one."""
    path = f"file://{tmp_path}/ledger"
    if request.param != "file":
        fs = (Objects if request.param == "memory" else SlowObjects)()
        fs.store.clear()
        attach("memory", "adgen_test", fs=fs)
        path = "memory://adgen_test@/ledger"
    monkeypatch.setenv("AIRFLOW__ADGEN__LEDGER_PATH", path)
    yield path
    _STORE_CACHE.pop("memory-adgen_test", None)


@pytest.fixture
def budget(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set the budget of the account that everybody here buys with."""

    def of(**limits: int) -> None:
        monkeypatch.setenv("AIRFLOW__ADGEN__BUDGETS", json.dumps({"adsumo_default": limits}))

    return of


def book(base: str, clock: VirtualTime) -> SpendBook:
    return SpendBook(base, account_folder(ACCOUNT), now=clock.now)


def counted(base: str, clock: VirtualTime, day: str | None = None) -> int:
    found = book(base, clock)._day(day or day_of(clock.now()))
    return sum(one.credits for one in found.values())


# --- one buyer ----------------------------------------------------------------------------------------------------


def test_without_a_budget_nothing_is_kept(base: str) -> None:
    market, clock = Market(), VirtualTime()
    attempt = Buyer(base, market, clock).buy(40)
    assert attempt.reservation is None
    assert counted(base, clock) == 0


def test_a_purchase_counts_for_what_it_cost(base: str, budget: Callable[..., None]) -> None:
    budget(day=100)
    market, clock = Market(), VirtualTime()
    buyer = Buyer(base, market, clock)
    attempt = buyer.buy(40)
    assert attempt.reservation is not None and attempt.reservation.startswith("adsumo@ads%2Eexample@adsumo_default/")
    assert counted(base, clock) == 40
    buyer.ledger.write(attempt.model_copy(update={"charged": 55}))
    assert counted(base, clock) == 55
    buyer.refunded(attempt)
    assert counted(base, clock) == 0


def test_what_does_not_fit_is_refused_and_holds_nothing(base: str, budget: Callable[..., None]) -> None:
    budget(day=100, month=150)
    market, clock = Market(), VirtualTime()
    Buyer(base, market, clock).buy(70)
    with pytest.raises(BudgetExceeded, match=r"40 credits do not fit .*this day: 100 credits .*next day") as caught:
        Buyer(base, market, clock).buy(40)
    assert caught.value.until == NOON + DAY / 2
    assert "Nothing was sent or charged for this request. Raise the budget and clear" in str(caught.value)
    assert not caught.value.retry_helps
    with pytest.raises(BudgetExceeded, match="costs more than a whole budget: no retry helps") as caught:
        Buyer(base, market, clock).buy(101)
    assert caught.value.until is None
    assert counted(base, clock) == 70
    clock.current = NOON + DAY
    Buyer(base, market, clock).buy(80)
    with pytest.raises(BudgetExceeded, match=r"this month: 150 credits .*next month") as caught:
        Buyer(base, market, clock).buy(10)
    assert day_of(caught.value.until or 0) == "2026-12-01"
    clock.current = caught.value.until or 0
    Buyer(base, market, clock).buy(100)


def test_an_unknown_price_is_refused(base: str, budget: Callable[..., None]) -> None:
    budget(day=100)
    with pytest.raises(InvalidRequest, match="assume_credits"):
        Purse(ACCOUNT, ["x"], clock=VirtualTime(), log=log).take(None)


def test_without_a_ledger_a_budget_refuses_to_start(
    monkeypatch: pytest.MonkeyPatch, budget: Callable[..., None]
) -> None:
    budget(day=100)
    monkeypatch.delenv("AIRFLOW__ADGEN__LEDGER_PATH", raising=False)
    with pytest.raises(InvalidRequest, match="ledger_path is not set"):
        Purse(ACCOUNT, ["x"], clock=VirtualTime(), log=log).take(1)


def test_budgets_of_two_accounts_have_nothing_to_do_with_each_other(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__ADGEN__BUDGETS", '{"a": {"day": 10}, "team": {"day": 10}}')
    clock = VirtualTime()

    def take(**changes: Any) -> str | None:
        return Purse(replace(ACCOUNT, **changes), ["x"], clock=clock, log=log).take(10)

    assert take(conn_id="a") is not None
    assert take(conn_id="other") is None
    assert take(conn_id="a", base_url="https://elsewhere.example") is not None
    # Two connections with one budget share it.
    assert take(conn_id="b", budget_group="team") is not None
    with pytest.raises((BudgetExceeded, BudgetBusy)):
        take(conn_id="c", budget_group="team")


def test_a_store_that_cannot_be_read_is_not_an_empty_one(
    base: str, budget: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    budget(day=100)
    clock = VirtualTime()

    def broken(*_args: Any) -> Any:
        raise PermissionError("no")

    purse = Purse(ACCOUNT, ["x"], clock=clock, log=log)
    with monkeypatch.context() as patch:
        patch.setattr("airflow_provider_adgen.ledger.spend.names_in", broken)
        with pytest.raises(AdGenError, match=r"could not be read or written \(PermissionError\).*Nothing was sent"):
            purse.take(1)
    assert counted(base, clock) == 0


# --- races --------------------------------------------------------------------------------------------------------


def race(base: str, prices: list[int], *, slow: float = 0.0) -> tuple[Market, Counter[str], VirtualTime]:
    """Let everybody buy at once; the slower the store, the longer each looks at an old listing."""
    market, clock = Market(), VirtualTime(really=0.1)
    told: Counter[str] = Counter()
    lock, start = threading.Lock(), threading.Barrier(len(prices))

    def buy(price: int) -> None:
        chance = random.Random()
        wait = threading.Event().wait
        buyer = Buyer(base, market, clock, at=lambda _: wait(chance.random() * slow) and None)
        start.wait(60)
        for _ in range(100):
            try:
                buyer.buy(price)
                word = "bought"
            except BudgetExceeded:
                word = "exceeded"
            except BudgetBusy:
                continue
            with lock:
                told[word] += 1
            return

    with ThreadPoolExecutor(len(prices)) as threads:
        list(threads.map(buy, prices))
    return market, told, clock


@pytest.mark.parametrize("base", ["memory", "slow"], indirect=True)
def test_two_hundred_at_one_price_buy_exactly_what_it_pays_for(base: str, budget: Callable[..., None]) -> None:
    budget(day=600, month=8000)
    market, told, clock = race(base, [40] * 200)
    assert sum(market.sold.values()) == 600 == counted(base, clock)
    assert told == {"bought": 15, "exceeded": 185}


@pytest.mark.parametrize("base", ["file", "memory", "slow"], indirect=True)
def test_everybody_buys_where_there_is_enough_for_all(base: str, budget: Callable[..., None]) -> None:
    budget(day=200)
    market, told, _ = race(base, [5] * 40)
    assert sum(market.sold.values()) == 200
    assert told == {"bought": 40}


@pytest.mark.parametrize("base", ["file", "memory", "slow"], indirect=True)
@pytest.mark.parametrize("seed", range(2))
def test_at_mixed_prices_it_is_never_more(base: str, budget: Callable[..., None], seed: int) -> None:
    budget(day=300)
    chance = random.Random(seed)
    prices = [chance.randrange(1, 60) for _ in range(40)]
    market, told, clock = race(base, prices, slow=0.02)
    sold = sum(market.sold.values())
    assert 300 - 60 < sold <= 300
    assert sold == counted(base, clock)
    assert told.total() == 40


PROCESS = """
import json, sys
from tests.support.buyers import Buyer, Market
from airflow_provider_adgen.core.clock import SYSTEM
from airflow_provider_adgen.core.errors import BudgetBusy, BudgetExceeded
base, price, wanted = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
market, told = Market(), []
sys.stdin.readline()
for number in range(wanted):
    while True:
        try:
            Buyer(base, market, SYSTEM).buy(price)
        except BudgetBusy:
            continue
        except BudgetExceeded:
            told.append("exceeded")
        else:
            told.append("bought")
        break
print(json.dumps([market.count, told]))
"""


def test_processes_that_race_share_one_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, budget: Callable[..., None]
) -> None:
    budget(day=20, month=20)
    base = f"file://{tmp_path}/ledger"
    monkeypatch.setenv("AIRFLOW__ADGEN__LEDGER_PATH", base)
    command = [sys.executable, "-c", PROCESS, base, "2", "6"]
    made = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    answers = []
    for one in made:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in made:
        out, _ = one.communicate(timeout=100)
        answers.append(json.loads(out.splitlines()[-1]))
    assert sum(count for count, _ in answers) == 10
    assert Counter(word for _, told in answers for word in told) == {"bought": 10, "exceeded": 8}


# --- deaths -------------------------------------------------------------------------------------------------------

PLACES = ["reserved", "intended", "posting", "sold", "settlement"]


def dying(place: str) -> Callable[[str], None]:
    def at(here: str) -> None:
        if here == place:
            raise Died(here)

    return at


@pytest.mark.parametrize("place", PLACES)
def test_who_dies_pays_for_what_it_may_have_bought_and_no_more(
    base: str, budget: Callable[..., None], place: str
) -> None:
    budget(day=40)
    market, clock = Market(), VirtualTime()
    with pytest.raises(Died):
        Buyer(base, market, clock, at=dying(place)).buy(40)
    with pytest.raises((BudgetExceeded, BudgetBusy)):
        Buyer(base, market, clock).buy(40)
    clock.current += VOID_AFTER + 1
    if place == "reserved":
        # It had written no intent: the money is free again.
        Buyer(base, market, clock).buy(40)
        assert market.sold.total() == 40
        return
    with pytest.raises(BudgetExceeded):
        Buyer(base, market, clock).buy(40)
    assert market.sold.total() <= 40


@pytest.mark.parametrize("outcome", ["withdrawn", "dismissed late"])
def test_what_turns_out_to_have_started_nothing_is_free_again(
    base: str, budget: Callable[..., None], outcome: str
) -> None:
    budget(day=40)
    market, clock = Market(), VirtualTime()
    buyer = Buyer(base, market, clock, at=dying("posting"))
    with pytest.raises(Died):
        buyer.buy(40)
    clock.current += VOID_AFTER + 1
    if outcome == "dismissed late":
        with pytest.raises(BudgetExceeded):  # somebody looked, and it was not known yet
            Buyer(base, market, clock).buy(40)
    record = buyer.ledger.record()
    assert record is not None
    buyer.ledger.on_write = None  # the process that learns it dies before it settles
    buyer.withdraw(record.attempts[0])
    Buyer(base, market, clock).buy(40)
    assert market.sold.total() == 40


def test_one_that_wakes_up_late_posts_nothing_with_what_was_given_to_others(
    base: str, budget: Callable[..., None]
) -> None:
    budget(day=40)
    market, clock = Market(), VirtualTime()
    frozen: list[Any] = []

    def at(here: str) -> None:
        if here == "reserved" and not frozen:
            frozen.append(here)
            clock.current += VOID_AFTER + 1
            Buyer(base, market, clock).buy(40)

    with pytest.raises(BudgetExceeded):
        Buyer(base, market, clock, at=at).buy(40)
    assert market.sold.total() == 40 == counted(base, clock)


def test_between_the_look_and_the_release_an_intent_is_seen(
    base: str, budget: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holder writes its intent after somebody marked its reservation: it posts nothing, and nothing is lost."""
    budget(day=40)
    market, clock = Market(), VirtualTime()
    sleeper = Buyer(base, market, clock)
    reservation = sleeper.purse.take(40)
    clock.current += VOID_AFTER + 1
    read, happened = spend.spent_with, []

    def meanwhile(*args: Any) -> Spent:
        attempt = sleeper.intend(40, reservation)
        happened.append(sleeper.purse.stands(reservation, attempt.began_at))
        return read(*args)

    monkeypatch.setattr(spend, "spent_with", meanwhile)
    with pytest.raises(BudgetExceeded):
        Buyer(base, market, clock).buy(40)
    assert happened == [False]
    monkeypatch.undo()
    assert market.count == 0


@pytest.mark.parametrize("seed", range(3))
def test_a_fifth_of_them_dies(base: str, budget: Callable[..., None], seed: int) -> None:
    budget(day=200, month=200)
    market, clock = Market(), VirtualTime()
    chance = random.Random(seed)
    for _ in range(60):
        place = chance.choice(PLACES) if chance.random() < 0.2 else ""
        buyer = Buyer(base, market, clock, at=dying(place))
        with contextlib.suppress(Died, BudgetExceeded, BudgetBusy):
            buyer.buy(10)
        assert market.sold.total() <= 200
    clock.current += VOID_AFTER + 1
    while True:
        try:
            Buyer(base, market, clock).buy(10)
        except BudgetExceeded:
            break
    assert market.sold.total() <= 200
    # Only intents of which nobody knows whether they were posted keep credits from the others.
    lost = book(base, clock)._day(day_of(clock.now())).values()
    unknown = sum(one.credits for one in lost if one.unknown)
    assert market.sold.total() + unknown >= 200
    assert counted(base, clock) == 200


@pytest.mark.parametrize("base", ["file", "slow"], indirect=True)
@pytest.mark.parametrize("seed", range(2))
def test_threads_of_which_a_fifth_dies_never_buy_too_much(base: str, budget: Callable[..., None], seed: int) -> None:
    budget(day=200)
    market, clock = Market(), VirtualTime(really=0.02)

    def buy(number: int) -> None:
        chance = random.Random(f"{seed} {number}")
        place = chance.choice(PLACES) if chance.random() < 0.2 else ""
        with contextlib.suppress(Died, BudgetExceeded, BudgetBusy):
            Buyer(base, market, clock, at=dying(place)).buy(chance.choice([10, 10, 25]))
        if number % 10 == 0:
            clock.current += VOID_AFTER  # time passes for the others

    with ThreadPoolExecutor(20) as threads:
        list(threads.map(buy, range(60)))
    assert market.sold.total() <= 200


# --- days ---------------------------------------------------------------------------------------------------------


def test_an_intent_after_midnight_is_paid_from_the_new_day(base: str, budget: Callable[..., None]) -> None:
    budget(day=40)
    market, clock = Market(), VirtualTime(NOON + DAY / 2 - 1)
    crossed: list[str] = []

    def at(here: str) -> None:
        if here == "reserved" and not crossed:
            crossed.append(here)
            clock.current += 2

    Buyer(base, market, clock, at=at).buy(40)
    assert market.sold == {"2026-11-29": 40}
    assert counted(base, clock, "2026-11-28") == 0
    assert counted(base, clock, "2026-11-29") == 40


def test_a_day_that_is_over_is_one_object_and_a_late_refund_changes_it(
    base: str, budget: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    budget(month=100)
    market, clock = Market(), VirtualTime()
    first = Buyer(base, market, clock)
    bought = first.buy(60)
    clock.current = NOON + DAY / 2 + CLOSE_AFTER + 1
    with pytest.raises(BudgetExceeded):
        Buyer(base, market, clock).buy(50)
    asked: list[str] = []
    names = SpendBook._names
    monkeypatch.setattr(SpendBook, "_names", lambda self, folder="": asked.append(folder) or names(self, folder))
    Buyer(base, market, clock).buy(10)
    assert "2026-11-28" not in asked
    first.refunded(bought)
    assert book(base, clock)._totals()["2026-11-28"] == (2, 0)
    Buyer(base, market, clock).buy(90)
    with pytest.raises(BudgetExceeded):
        Buyer(base, market, clock).buy(1)


def test_who_died_on_a_day_that_is_over_is_settled_when_it_is_closed(base: str, budget: Callable[..., None]) -> None:
    budget(month=100)
    market, clock = Market(), VirtualTime()
    for place in ("reserved", "sold"):
        with pytest.raises(Died):
            Buyer(base, market, clock, at=dying(place)).buy(50)
    clock.current = NOON + DAY
    Buyer(base, market, clock).buy(50)
    assert book(base, clock)._totals()["2026-11-28"][1] == 50
    with pytest.raises(BudgetExceeded):
        Buyer(base, market, clock).buy(1)


def test_a_clock_that_is_far_behind_is_told_so(base: str, budget: Callable[..., None]) -> None:
    budget(month=100)
    market, clock = Market(), VirtualTime()
    Buyer(base, market, clock).buy(10)
    late = VirtualTime(NOON + DAY)
    Buyer(base, market, late).buy(10)
    with pytest.raises(AdGenError, match=r"clock of this worker says that it is 2026-11-28"):
        Buyer(base, market, clock).buy(10)
    assert market.count == 2


# --- a batch ------------------------------------------------------------------------------------------------------


def test_a_batch_reserves_once_for_many_and_gives_back_what_it_did_not_draw(
    base: str, budget: Callable[..., None]
) -> None:
    budget(day=100)
    market, clock = Market(), VirtualTime()
    items = [Buyer(base, market, clock, name="batch") for _ in range(6)]
    purse = items[0].purse
    for item in items:
        item.purse = purse
        item.ledger.on_write = lambda attempt, _: purse.note(attempt)
    assert purse.fill([30, 30, 30, 30]).count == 3
    assert counted(base, clock) == 90
    bought = [item.buy(30) for item in items[:2]]
    assert {one.reservation for one in bought} == {bought[0].reservation}
    drawn = purse.take(30)
    purse.give_back(drawn, 30)
    assert counted(base, clock) == 90
    purse.flush()
    assert counted(base, clock) == 60
    items[0].refunded(bought[0])
    assert counted(base, clock) == 30
    assert purse.fill([30, 30, 30]).count == 2
    purse.flush()
    assert counted(base, clock) == 30


def test_what_a_batch_was_refused_can_be_drawn_again(base: str, budget: Callable[..., None]) -> None:
    budget(day=50)
    market, clock = Market(), VirtualTime()
    item = Buyer(base, market, clock)
    assert item.purse.fill([25, 25]).count == 2
    reservation = item.purse.take(25)
    attempt = item.intend(25, reservation)
    assert item.purse.stands(reservation, clock.now())
    item.withdraw(attempt)
    assert [item.purse.take(25) for _ in range(2)] == [reservation] * 2
    with pytest.raises(BudgetExceeded):
        item.purse.take(25)


def test_who_is_covered_may_draw_after_the_batch_has_reserved_more(base: str, budget: Callable[..., None]) -> None:
    budget(day=80)
    market, clock = Market(), VirtualTime()
    items = [Buyer(base, market, clock, name=f"item-{number}") for number in range(4)]
    purse = items[0].purse
    for one in items:
        one.purse = purse
    assert purse.fill([20, 20, 20]).count == 3
    items[0].buy(20)  # the others of these have their turns later
    assert purse.fill([20, 20]).count == 1
    for one in items[1:]:
        one.buy(20)
    purse.flush()
    assert market.sold.total() == 80


def test_a_batch_draws_nothing_more_from_what_was_released(base: str, budget: Callable[..., None]) -> None:
    budget(day=100)
    market, clock = Market(), VirtualTime()
    item = Buyer(base, market, clock)
    assert item.purse.fill([25, 25]).count == 2
    clock.current += VOID_AFTER + 1
    Buyer(base, market, clock).buy(100)  # the leg took too long
    with pytest.raises(BudgetExceeded):
        item.buy(25)
    item.purse.flush()
    assert market.sold.total() == 100 == counted(base, clock)


def test_a_batch_is_told_when_there_is_room_again(base: str, budget: Callable[..., None]) -> None:
    budget(day=100)
    market, clock = Market(), VirtualTime()
    Buyer(base, market, clock).buy(90)
    purse = Purse(ACCOUNT, ["batch"], clock=clock, log=log)
    filled = purse.fill([20, 5])
    assert (filled.count, filled.over, filled.until) == (0, "day", NOON + DAY / 2)
    assert purse.fill([5, 20]).count == 1


def test_a_batch_that_died_is_settled_from_its_items_records(base: str, budget: Callable[..., None]) -> None:
    budget(day=100)
    market, clock = Market(), VirtualTime()
    purse = Purse(ACCOUNT, ["dag", "run", "batch", "-1"], clock=clock, log=log)
    assert purse.fill([25] * 4).count == 4
    for number in range(3):
        item = Buyer(base, market, clock, name="batch")
        item.purse = purse
        item.ledger = Ledger([ObjectStore.at(base, [*item.parts, f"item-{number}"])], clock=clock)
        item.ledger.on_write = lambda attempt, _: purse.note(attempt)
        if number < 2:
            item.buy(25)
        else:
            item.intend(25, purse.take(25))  # nobody knows what came of it
    clock.current += VOID_AFTER + 1
    Buyer(base, market, clock).buy(25)
    with pytest.raises(BudgetExceeded):
        Buyer(base, market, clock).buy(1)
    assert market.sold.total() == 75


# --- posting again ------------------------------------------------------------------------------------------------


def test_an_unresolved_attempt_may_be_posted_again_while_it_is_counted(base: str, budget: Callable[..., None]) -> None:
    budget(day=40)
    market, clock = Market(), VirtualTime()
    buyer = Buyer(base, market, clock, at=dying("sold"))
    with pytest.raises(Died):
        buyer.buy(40)
    record = buyer.ledger.record()
    assert record is not None
    (lost,) = record.attempts
    assert buyer.purse.covers(lost.reservation)
    clock.current += VOID_AFTER + 1
    with pytest.raises(BudgetExceeded):
        Buyer(base, market, clock).buy(40)
    assert buyer.purse.covers(lost.reservation), "somebody looked into it, and it is still counted"
    assert not buyer.purse.covers(None)


def test_an_attempt_whose_reservation_was_released_needs_another(base: str, budget: Callable[..., None]) -> None:
    budget(day=40)
    market, clock = Market(), VirtualTime()
    sleeper = Buyer(base, market, clock)
    reservation = sleeper.purse.take(40)
    clock.current += VOID_AFTER + 1
    Buyer(base, market, clock).buy(40)
    sleeper.intend(40, reservation)  # and it dies before it sees that it must not post this
    assert not sleeper.purse.covers(reservation)


# --- everything at random -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_random_lives_stay_within_day_and_month(base: str, budget: Callable[..., None], seed: int) -> None:
    day_limit, month_limit = 100, 220
    budget(day=day_limit, month=month_limit)
    chance = random.Random(seed)
    market, clock = Market(), VirtualTime(NOON - 25 * DAY)
    bought: list[tuple[Buyer, Any]] = []
    for step in range(60):
        place = chance.choice(PLACES) if chance.random() < 0.25 else ""
        buyer = Buyer(base, market, clock, at=dying(place), name=f"t{step}")
        price = chance.choice([5, 20, 33, 60])
        with contextlib.suppress(Died, BudgetExceeded, BudgetBusy):
            bought.append((buyer, buyer.buy(price)))
        if bought and chance.random() < 0.15:
            one, attempt = bought.pop(chance.randrange(len(bought)))
            one.at = lambda _: None
            one.refunded(attempt)
        clock.current += chance.choice([0, 0, 1, VOID_AFTER + 1, DAY / 3, DAY])
        assert all(sold <= day_limit for sold in market.sold.values())
        for month in {day[:7] for day in market.sold}:
            assert sum(sold for day, sold in market.sold.items() if day.startswith(month)) <= month_limit
    assert market.count > 5
