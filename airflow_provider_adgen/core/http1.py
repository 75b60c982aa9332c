# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
HTTP/1.1 as bytes: a request without a body is written, and its answer read as it arrives. Nothing here does any I/O.

What RFC 9112 does not allow is refused, and never guessed at: the next answer of a connection must not be read from the
middle of this one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_HEAD = 100 << 10
"""Bytes of status line and headers: as long as httpx allows, for a signed link of several kilobytes may be in one."""

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\x00\r\n]*)?")
_FIELD = re.compile(rb"(%s):[ \t]*([^\x00\r\n]*)" % _TOKEN)
_NAME, _VALUE = re.compile(_TOKEN), re.compile(rb"[^\x00\r\n]*")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00\r\n]*)?")
_END = b"\r\n"


class NotHttp(Exception):
    """What arrived is no answer, or ended too soon."""


class TooLong(Exception):
    """The body is longer than it may be."""


def written(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """
    Return a request without a body.

    :param method: the method.
    :param target: the target, quoted.
    :raises ValueError: a header holds what HTTP does not allow in one.
    """
    lines = [f"{method} {target} HTTP/1.1".encode()]
    for name, value in headers.items():
        raw, text = name.encode(), value.encode()
        if not _NAME.fullmatch(raw) or not _VALUE.fullmatch(text):
            raise ValueError("a header that HTTP does not allow")
        lines.append(raw + b": " + text)
    return _END.join((*lines, _END))


class AnswerReader:
    """
    Reads one answer.

    :param longest: bytes that its body may have.
    :param tunnel: the request was CONNECT: where it succeeds, there is no body.
    """

    def __init__(self, longest: int, *, tunnel: bool = False) -> None:
        self.begun = False
        """Whether anything of it has arrived."""

        self.done = False
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        """Names in lower case."""

        self.content = bytearray()
        self._longest = longest
        self._tunnel = tunnel
        self._unread = bytearray()
        self._keeps = False
        # What comes next: bytes of the body until the connection ends, or so many of them, or lines.
        self._step = self._read_head
        self._left = 0

    @property
    def reusable(self) -> bool:
        """Whether its connection can carry another request."""
        return self.done and self._keeps and not self._unread

    def feed(self, data: bytes | bytearray) -> None:
        """
        Read on.

        :raises NotHttp: it is no answer.
        :raises TooLong: its body is too long.
        """
        self.begun = self.begun or bool(data)
        self._unread += data
        while not self.done and self._step():
            pass

    def end(self) -> None:
        """
        Take in that the connection has ended.

        :raises NotHttp: the answer had not.
        """
        if self._step == self._read_to_end:
            self.done = True
        if not self.done:
            raise NotHttp

    # --- steps: each returns whether it got on ----------------------------------------------------------------------

    def _read_head(self) -> bool:
        at = self._unread.find(b"\r\n\r\n")
        if at < 0:
            if len(self._unread) > LONGEST_HEAD:
                raise NotHttp
            return False
        first, *lines = bytes(self._unread[:at]).split(_END)
        del self._unread[: at + 4]
        found, fields = _STATUS.fullmatch(first), map(_FIELD.fullmatch, lines)
        if found is None or at > LONGEST_HEAD:
            raise NotHttp
        self.status = int(found[2])
        self.headers = []
        for field in fields:
            if field is None:
                raise NotHttp
            self.headers.append((field[1].lower(), field[2].rstrip(b" \t")))
        if self.status == 101:
            raise NotHttp  # nobody asked for another protocol
        if self.status >= 200:
            self._frame(found[1] == b"1")
        return True

    def _frame(self, newer: bool) -> None:
        """Decide where the body ends."""
        lengths, coding = self._words(b"content-length"), self._words(b"transfer-encoding")
        self._keeps = newer and b"close" not in self._words(b"connection")
        if self.status in {204, 304} or (self._tunnel and self.status < 300):
            self.done = True
        elif coding:
            if coding != [b"chunked"]:
                raise NotHttp
            # With a length beside, two readers may disagree about where it ends.
            self._keeps = self._keeps and not lengths
            self._step = self._read_size
        elif lengths:
            if len(set(lengths)) != 1 or not _LENGTH.fullmatch(lengths[0]):
                raise NotHttp
            self._expect(int(lengths[0]))
            self._step = self._read_body
        else:
            self._keeps = False
            self._step = self._read_to_end

    def _words(self, name: bytes) -> list[bytes]:
        return [
            word.strip(b" \t").lower() for field, value in self.headers if field == name for word in value.split(b",")
        ]

    def _expect(self, size: int) -> None:
        self._left = size
        if len(self.content) + size > self._longest:
            raise TooLong

    def _take(self) -> None:
        """Move what is expected, as far as it has arrived, into the body."""
        piece = self._unread[: self._left]
        del self._unread[: len(piece)]
        self.content += piece
        self._left -= len(piece)

    def _read_body(self) -> bool:
        self._take()
        self.done = not self._left
        return self.done

    def _read_to_end(self) -> bool:
        self._expect(len(self._unread))
        self._take()
        return False

    def _line(self) -> bytes | None:
        at = self._unread.find(_END)
        if at > LONGEST_HEAD or (at < 0 and len(self._unread) > LONGEST_HEAD):
            raise NotHttp
        if at < 0:
            return None
        line = bytes(self._unread[:at])
        del self._unread[: at + 2]
        return line

    def _read_size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        found = _CHUNK.fullmatch(line)
        if found is None:
            raise NotHttp
        self._expect(int(found[1], 16))
        self._step = self._read_chunk if self._left else self._read_trailer
        return True

    def _read_chunk(self) -> bool:
        self._take()
        if self._left or len(self._unread) < len(_END):
            return False
        if self._unread[:2] != _END:
            raise NotHttp
        del self._unread[:2]
        self._step = self._read_size
        return True

    def _read_trailer(self) -> bool:
        line = self._line()
        if line is None:
            return False
        self.done = not line
        return True
