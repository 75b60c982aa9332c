# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Nothing that a test starts outlives it, whatever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tools.processes import ROOT, ProcessDied, Program, Programs, children, session_members

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# A leader that ignores SIGTERM, with a child in a process group of its own and a grandchild: what Airflow looks like.
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setpgid(0, 0)
    os.fork()
time.sleep(300)
"""

OWNER = """
import os, sys, time
from pathlib import Path
from tools.processes import Programs
programs = Programs(Path(sys.argv[1]))
print(programs.start("stubborn", [sys.executable, "-c", sys.argv[2]], os.environ).pid, flush=True)
time.sleep(300)
"""


def until(true: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def family(program: Program) -> list[int]:
    until(lambda: len(session_members([program.pid])) == 3)
    return session_members([program.pid])


@pytest.fixture
def programs(tmp_path):
    with Programs(tmp_path, grace=0.2) as started:
        yield started


@pytest.fixture
def stubborn(programs):
    return programs.start("stubborn", [sys.executable, "-c", STUBBORN], os.environ)


def test_stopping_ends_children_that_left_the_group(programs, stubborn):
    assert stubborn.pid in family(stubborn)
    programs.stop("stubborn")
    assert session_members([stubborn.pid]) == []
    assert programs.names() == []


def test_what_a_killed_leader_left_is_ended(programs, stubborn):
    family(stubborn)
    programs.kill("stubborn", signal.SIGKILL)
    until(lambda: not stubborn.alive())
    assert len(session_members([stubborn.pid])) == 2
    programs.close()
    assert session_members([stubborn.pid]) == []


def test_a_stopped_program_can_be_ended(programs, stubborn):
    family(stubborn)
    programs.kill("stubborn", signal.SIGSTOP, whole=True)
    programs.stop("stubborn")
    assert session_members([stubborn.pid]) == []


def test_killing_the_whole_program_kills_every_process(programs, stubborn):
    family(stubborn)
    programs.kill("stubborn", signal.SIGKILL, whole=True)
    until(lambda: session_members([stubborn.pid]) == [])


def test_starting_again_ends_what_the_first_one_left(programs, stubborn):
    family(stubborn)
    programs.kill("stubborn", signal.SIGKILL)
    until(lambda: not stubborn.alive())
    again = programs.start("stubborn", [sys.executable, "-c", STUBBORN], os.environ)
    assert session_members([stubborn.pid]) == []
    assert again.pid in family(again)


def test_a_program_that_has_ended_is_told_of_with_its_last_words(programs):
    ended = programs.start("short", [sys.executable, "-c", "print('no more paper'); raise SystemExit(3)"], os.environ)
    until(lambda: not ended.alive())
    with pytest.raises(ProcessDied, match=r"(?s)short has ended with status 3.*no more paper"):
        programs.check()


def test_two_of_one_name_are_refused(programs, stubborn):
    with pytest.raises(ValueError, match="stubborn runs already"):
        programs.start("stubborn", [sys.executable, "-c", "pass"], os.environ)


def test_children_are_found(programs, stubborn):
    found = family(stubborn)
    (child,) = children(stubborn.pid)
    assert [stubborn.pid, child, *children(child)] == sorted(found)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_when_the_owner_is_killed(tmp_path: Path, number: signal.Signals):
    command = [sys.executable, "-c", OWNER, str(tmp_path), STUBBORN]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as owner:
        assert owner.stdout is not None
        session = int(owner.stdout.readline())
        until(lambda: len(session_members([session])) == 3)
        (guard,) = set(children(owner.pid)) - {session}
        owner.send_signal(number)
        owner.wait()
        until(lambda: session_members([session]) == [] and session_members([guard]) == [])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_between_a_start_and_its_note_leaves_nothing(tmp_path: Path, number: signal.Signals, monkeypatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    started = []
    real = subprocess.Popen

    def interrupted(*args, **kwargs):
        process = real(*args, **kwargs)
        started.append(process.pid)
        signal.raise_signal(number)  # as if it came while Popen waits for the new process
        return process

    before = signal.signal(number, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt), Programs(tmp_path, grace=0.2) as programs:
            monkeypatch.setattr(subprocess, "Popen", interrupted)
            programs.start("sleeper", [sys.executable, "-c", "import time; time.sleep(300)"], os.environ)
    finally:
        after = signal.signal(number, before)
    assert after is interrupt
    assert len(started) == 2, "the guard and the program"
    assert session_members(started) == []
