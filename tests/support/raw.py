# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""A TCP server that says what a test tells it to, byte by byte, and knows on which connection each request came."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

Script = Callable[["Connection"], None]


@dataclass(frozen=True)
class Heard:
    """
    One request as it arrived.

    :param connection: on which connection, counted from 1.
    :param headers: by name in lower case.
    :param names: the headers' names as they came.
    """

    connection: int
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    names: tuple[str, ...] = ()


class Connection:
    """What a script does with the connection a request came on."""

    def __init__(self, plug: socket.socket, stopped: threading.Event, heard: Heard) -> None:
        self._plug = plug
        self._stopped = stopped
        self.heard = heard
        self.open = True

    def send(self, data: bytes) -> None:
        self._plug.sendall(data)

    def answer(self, status: int = 200, value: Any = None, *, length: int | None = None, **headers: str) -> None:
        """Answer in whole; *length* lies about the body's."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body) if length is None else length}"]
        lines += [f"{name.replace('_', '-')}: {text}" for name, text in headers.items()]
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    def drip(self, data: bytes, every: float) -> None:
        """Send byte by byte, until the client has gone."""
        with contextlib.suppress(OSError):
            for byte in data:
                self.send(bytes([byte]))
                if self._stopped.wait(every):
                    return

    def hang(self) -> None:
        """Say nothing until the test ends or the client goes."""
        self._plug.settimeout(0.05)
        while not self._stopped.is_set():
            try:
                if not self._plug.recv(1):
                    return
            except TimeoutError:
                continue
            except OSError:
                return

    def close(self) -> None:
        self.open = False

    def reset(self) -> None:
        self._plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.open = False


class RawServer:
    """
    Runs one script per request; the last one stays for those that follow.

    :param scripts: what to do with each request, in order of arrival.
    :param idle: seconds after which it closes a connection on which nothing more came.
    """

    def __init__(self, *scripts: Script, idle: float = 30.0) -> None:
        self.scripts = list(scripts)
        self.heard: list[Heard] = []
        self.connections = 0
        self._idle = idle
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stopped.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts, so that the port closes now
        self._socket.close()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                plug, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(plug, self.connections), daemon=True).start()

    def _serve(self, plug: socket.socket, number: int) -> None:
        with plug, contextlib.suppress(OSError):
            plug.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while not self._stopped.is_set():
                plug.settimeout(self._idle)
                heard = self._hear(plug, number)
                if heard is None:
                    return
                with self._lock:
                    self.heard.append(heard)
                    script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
                connection = Connection(plug, self._stopped, heard)
                script(connection)
                if not connection.open:
                    return

    def _hear(self, plug: socket.socket, number: int) -> Heard | None:
        data = b""
        while b"\r\n\r\n" not in data:
            more = plug.recv(65536)
            if not more:
                return None
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
        while len(body) < int(headers.get("content-length", 0)):
            body += plug.recv(65536)
        method, path, _ = first.split(" ")
        names = tuple(line.partition(":")[0] for line in lines)
        return Heard(number, method, path, headers, body, names)


def saying(status: int = 200, value: Any = None, **headers: str) -> Script:
    """Answer in whole."""
    return lambda connection: connection.answer(status, value, **headers)


def dropping(connection: Connection) -> None:
    """Close without an answer."""
    connection.close()


def resetting(connection: Connection) -> None:
    """Reset without an answer."""
    connection.reset()


def eventually(true: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Wait until something is true."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
