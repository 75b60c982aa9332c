# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Start programs and leave none of their processes behind, however they or we end.

Each program leads a session of its own. Its children may leave its process group (Airflow's task processes do) and may
outlive it, but they stay in its session, and that is what is signalled. A guard, a process of its own, does the same
when we are killed ourselves: it reads our end of a pipe, which closes with us.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent

_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ProcessDied(RuntimeError):
    """A program that should run has ended; the message quotes the end of its log."""


def session_members(sessions: Iterable[int]) -> list[int]:
    """Return the live processes (no zombies) of *sessions*, the youngest first."""
    wanted = set(sessions)
    found = []
    for pid, _parent, session in _processes():
        if session in wanted and pid != os.getpid():
            found.append(pid)
    return sorted(found, reverse=True)


def children(pid: int) -> list[int]:
    """Return the live children of *pid*."""
    return sorted(found for found, parent, _session in _processes() if parent == pid)


def _processes() -> list[tuple[int, int, int]]:
    # (pid, parent, session) of everything that runs and is no zombie.
    if Path("/proc/self/stat").exists():
        return _from_proc()
    # Elsewhere the group stands for the session: nothing there tells a session by a number.
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,pgid=,stat="], capture_output=True, text=True, check=True)  # noqa: S607 - every POSIX system has ps
    rows = [line.split() for line in listing.stdout.splitlines()]
    return [(int(row[0]), int(row[1]), int(row[2])) for row in rows if len(row) == 4 and not row[3].startswith("Z")]


def _from_proc() -> list[tuple[int, int, int]]:
    found = []
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            text = Path(entry.path, "stat").read_text(errors="replace")
        except OSError:
            continue  # it has ended meanwhile
        # The name is in parentheses and may itself hold parentheses and spaces.
        state, parent, _group, session = text.rpartition(")")[2].split()[:4]
        if state not in "ZX":
            found.append((int(entry.name), int(parent), int(session)))
    return found


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Send a signal to each of *pids* that still runs."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def end_sessions(sessions: Iterable[int], *, grace: float) -> None:
    """
    End every process of *sessions*; returns when none is left.

    :param grace: seconds that the leaders get to end by themselves, after SIGTERM.
    :raises TimeoutError: something could not be killed within ten seconds.
    """
    sessions = set(sessions)
    if not sessions:
        return
    members = session_members(sessions)
    send((pid for pid in members if pid in sessions), signal.SIGTERM)
    # A stopped process acts on nothing but SIGKILL until it is continued.
    send(members, signal.SIGCONT)
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline and session_members(sessions):
        time.sleep(0.05)
    deadline = time.monotonic() + 10
    while left := session_members(sessions):
        if time.monotonic() > deadline:
            raise TimeoutError(f"These processes could not be killed: {left}.")
        send(left, signal.SIGKILL)
        time.sleep(0.02)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """
    Hold back the signals that ask us to end until the block is done.

    Without it, a Ctrl-C between a program's start and our note of it leaves a process that nobody knows of.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals come to the main thread only
        return
    held: list[int] = []
    before = {number: signal.signal(number, lambda got, _frame: held.append(got)) for number in _ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for got in held:
            signal.raise_signal(got)


@dataclass
class Program:
    """
    A running program.

    :param name: what it is called here.
    :param log: where its output goes.
    :param popen: its leading process; its pid is the session's number.
    :param started_at: Unix time of its start.
    """

    name: str
    log: Path
    popen: subprocess.Popen[bytes]
    started_at: float

    @property
    def pid(self) -> int:
        """The leading process."""
        return self.popen.pid

    def alive(self) -> bool:
        """Whether the leading process still runs."""
        return self.popen.poll() is None

    def tail(self, lines: int = 30) -> str:
        """Return the end of its output."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def check(self) -> None:
        """
        Make sure that it runs.

        :raises ProcessDied: it does not.
        """
        code = self.popen.poll()
        if code is not None:
            raise ProcessDied(f"{self.name} has ended with status {code}. The end of {self.log}:\n{self.tail()}")


@dataclass
class Programs:
    """
    The programs that one thing is made of; a context manager that ends them all.

    :param logs: the directory for their output.
    :param grace: seconds a program gets to end by itself.
    """

    logs: Path
    grace: float = 4.0
    _running: dict[str, Program] = field(default_factory=dict)
    _guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Programs:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __getitem__(self, name: str) -> Program:
        return self._running[name]

    def __contains__(self, name: str) -> bool:
        return name in self._running

    def names(self) -> list[str]:
        """Return the names of what was started and not stopped."""
        return list(self._running)

    def start(self, name: str, command: Sequence[str | Path], env: Mapping[str, str]) -> Program:
        """
        Start a program in a session of its own; its output is appended to ``<logs>/<name>.log``.

        :raises ValueError: one of that name runs.
        """
        if name in self._running and self._running[name].alive():
            raise ValueError(f"{name} runs already, as process {self._running[name].pid}.")
        self._forget(name)
        self.logs.mkdir(parents=True, exist_ok=True)
        path = self.logs / f"{name}.log"
        with undisturbed(), path.open("ab") as log:
            guard = self._guarded()
            popen = subprocess.Popen(
                [str(part) for part in command],
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running[name] = Program(name, path, popen, time.time())
            _tell(guard, f"+{popen.pid}")
        return self._running[name]

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL, *, whole: bool = False) -> None:
        """
        Send a signal.

        :param whole: to every process of the program, as when its machine dies; otherwise to the leading one only.
        """
        program = self._running[name]
        send(session_members([program.pid]) if whole else [program.pid], number)

    def finish(self, name: str) -> int:
        """Wait until a program ends by itself; return its exit status."""
        code = self._running[name].popen.wait()
        self._forget(name)
        return code

    def stop(self, *names: str, grace: float | None = None) -> None:
        """End programs and everything they started, at the same time."""
        programs = [self._running[name] for name in names]
        end_sessions((program.pid for program in programs), grace=self.grace if grace is None else grace)
        for program in programs:
            program.popen.wait()
            self._forget(program.name)

    def check(self) -> None:
        """
        Make sure that all run.

        :raises ProcessDied: one does not.
        """
        for program in self._running.values():
            program.check()

    def close(self) -> None:
        """End them all."""
        try:
            self.stop(*self._running)
        finally:
            if self._guard is not None:
                assert self._guard.stdin is not None  # noqa: S101 - for the type checker
                self._guard.stdin.close()
                self._guard.wait()
                self._guard = None

    def _forget(self, name: str) -> None:
        program = self._running.pop(name, None)
        if program is not None:
            # What a dead leader left is ended before the guard is told to forget it.
            end_sessions([program.pid], grace=0)
            _tell(self._guarded(), f"-{program.pid}")

    def _guarded(self) -> subprocess.Popen[bytes]:
        if self._guard is None:
            self._guard = subprocess.Popen(
                [sys.executable, "-m", "tools.processes"], cwd=ROOT, stdin=subprocess.PIPE, start_new_session=True
            )
        return self._guard


def _tell(guard: subprocess.Popen[bytes], line: str) -> None:
    assert guard.stdin is not None  # noqa: S101 - for the type checker
    guard.stdin.write(f"{line}\n".encode())
    guard.stdin.flush()


def guard() -> None:
    """Keep the sessions named on stdin in mind; end them when stdin closes or our parent is gone."""
    for number in _ENDINGS:
        signal.signal(number, signal.SIG_IGN)
    parent = os.getppid()
    sessions: set[int] = set()
    unread = b""
    # A process forked off our parent may hold the pipe open, so the parent itself is looked at too.
    while os.getppid() == parent:
        if not select.select([0], [], [], 1.0)[0]:
            continue
        chunk = os.read(0, 4096)
        if not chunk:
            break
        *lines, unread = (unread + chunk).split(b"\n")
        for line in lines:
            (sessions.add if line[:1] == b"+" else sessions.discard)(int(line[1:]))
    end_sessions(sessions, grace=3)


if __name__ == "__main__":
    guard()
