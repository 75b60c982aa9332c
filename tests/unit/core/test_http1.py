# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 as bytes: each framing, in whatever pieces it arrives, and what is refused."""

from __future__ import annotations

import h11
import pytest

from airflow_provider_adgen.core.http1 import LONGEST_HEAD, AnswerReader, NotHttp, TooLong, written

LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\nx-a:2 \t\r\n\r\nhello"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2;name=x\r\nhe\r\n3 \r\nllo\r\n0\r\nX-Sum: 1\r\n\r\n"
ANSWERS = {
    "length": LENGTH,
    "same length twice": LENGTH.replace(b"X-A: 1", b"Content-Length: 5, 5"),
    "no reason": LENGTH.replace(b"200 OK", b"200 "),
    "no reason and no blank": LENGTH.replace(b"200 OK", b"200"),
    "chunks": CHUNKS,
    "interim answers": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + LENGTH,
}
ENDLESS = {
    "until the end": b"HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\nhello",
    "an old server": b"HTTP/1.0 200 OK\r\n\r\nhello",
}
EMPTY = {
    "204": b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    "304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    "length 0": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "no chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


def read(data: bytes, size: int = 1 << 20, longest: int = 100, *, tunnel: bool = False) -> AnswerReader:
    """Read an answer that arrives in pieces of a *size*."""
    reader = AnswerReader(longest, tunnel=tunnel)
    for at in range(0, len(data), size):
        reader.feed(data[at : at + size])
    return reader


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_read_in_whatever_pieces_it_arrives(name: str, size: int) -> None:
    reader = read(ANSWERS[name], size)
    assert (reader.done, reader.status, bytes(reader.content), reader.reusable) == (True, 200, b"hello", True)


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("name", ENDLESS)
def test_without_a_length_the_connection_ends_the_answer(name: str, size: int) -> None:
    reader = read(ENDLESS[name], size)
    assert not reader.done
    reader.end()
    assert (reader.done, bytes(reader.content), reader.reusable) == (True, b"hello", False)


@pytest.mark.parametrize("name", EMPTY)
def test_there_may_be_no_body(name: str) -> None:
    reader = read(EMPTY[name])
    assert (reader.done, bytes(reader.content), reader.reusable) == (True, b"", True)


@pytest.mark.parametrize("name", [*ANSWERS, *EMPTY])
def test_it_reads_what_h11_reads(name: str) -> None:
    data = {**ANSWERS, **EMPTY}[name]
    other = h11.Connection(h11.CLIENT)
    other.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    other.send(h11.EndOfMessage())
    other.receive_data(data)
    events = []
    while not events or not isinstance(events[-1], h11.EndOfMessage):
        events.append(other.next_event())
    (head,) = [event for event in events if isinstance(event, h11.Response)]
    reader = read(data)
    assert (reader.status, reader.content) == (
        head.status_code,
        b"".join(bytes(event.data) for event in events if isinstance(event, h11.Data)),
    )


def test_headers_are_kept_in_their_order() -> None:
    assert read(LENGTH).headers == [(b"content-length", b"5"), (b"x-a", b"1"), (b"x-a", b"2")]


@pytest.mark.parametrize(
    "data",
    [
        LENGTH.replace(b"HTTP/1.1", b"HTTP/2"),
        LENGTH.replace(b"200", b"20"),
        LENGTH.replace(b"200", b"099"),
        LENGTH.replace(b"200 OK", b"101 Switching Protocols"),
        LENGTH.replace(b"X-A: 1", b"no colon"),
        LENGTH.replace(b"X-A: 1", b"X A: 1"),
        LENGTH.replace(b"X-A: 1", b"X-A : 1"),
        LENGTH.replace(b"X-A: 1", b" folded"),
        LENGTH.replace(b"X-A: 1", b"X-A: \x00"),
        LENGTH.replace(b"X-A: 1", b"X-A: a\nb"),
        LENGTH.replace(b"X-A: 1", b"Content-Length: 6"),
        LENGTH.replace(b"Length: 5", b"Length: +5"),
        LENGTH.replace(b"Length: 5", b"Length: 0x5"),
        LENGTH.replace(b"Length: 5", b"Length: "),
        LENGTH.replace(b"Length: 5", b"Length: " + b"9" * 40),
        CHUNKS.replace(b"Chunked", b"gzip, chunked"),
        CHUNKS.replace(b"Chunked", b"identity"),
        CHUNKS.replace(b"2;name=x", b"-2"),
        CHUNKS.replace(b"2;name=x", b""),
        CHUNKS.replace(b"2;name=x", b"2" * 40),
        CHUNKS.replace(b"he\r\n", b"hex\r\n"),
        b"x" * (LONGEST_HEAD + 1),
        LENGTH.replace(b"X-A: 1", b"X-A: " + b"1" * LONGEST_HEAD),
        CHUNKS.replace(b"name=x", b"x" * (LONGEST_HEAD + 1)),
    ],
    ids=range(24),
)
def test_what_is_no_answer_is_refused(data: bytes) -> None:
    with pytest.raises(NotHttp):
        read(data, longest=1 << 20)


@pytest.mark.parametrize("data", [*ANSWERS.values(), *EMPTY.values()], ids=[*ANSWERS, *EMPTY])
def test_an_answer_that_ends_too_soon_is_none(data: bytes) -> None:
    for length in range(len(data)):
        with pytest.raises(NotHttp):
            read(data[:length]).end()


@pytest.mark.parametrize("data", [LENGTH, CHUNKS, *ENDLESS.values()], ids=["length", "chunks", *ENDLESS])
def test_a_body_may_be_so_long_and_no_longer(data: bytes) -> None:
    read(data, longest=5)
    with pytest.raises(TooLong):
        read(data, longest=4)


def test_a_length_that_is_too_long_is_not_waited_for() -> None:
    with pytest.raises(TooLong):
        read(b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n")


@pytest.mark.parametrize(
    "data",
    [
        LENGTH + b"H",
        LENGTH.replace(b"X-A: 1", b"Connection: x, Close"),
        LENGTH.replace(b"HTTP/1.1", b"HTTP/1.0"),
        CHUNKS.replace(b"Transfer", b"Content-Length: 2\r\nTransfer"),
    ],
    ids=["more than the answer", "it says so", "an old server", "two lengths"],
)
def test_where_the_next_answer_begins_must_be_certain(data: bytes) -> None:
    reader = read(data)
    assert (reader.done, bytes(reader.content), reader.reusable) == (True, b"hello", False)


@pytest.mark.parametrize(("status", "body"), [(200, b""), (407, b"hello")])
def test_a_tunnel_has_no_body_where_it_is_opened(status: int, body: bytes) -> None:
    data = LENGTH.replace(b"200", str(status).encode())[: None if body else -5]
    reader = read(data, tunnel=True)
    assert (reader.done, reader.status, bytes(reader.content)) == (True, status, body)


def test_a_request_is_written() -> None:
    assert written("GET", "/a?b", {"Host": "x:1", "X-Name": "ü"}) == (
        "GET /a?b HTTP/1.1\r\nHost: x:1\r\nX-Name: ü\r\n\r\n".encode()
    )


@pytest.mark.parametrize("text", ["b\r\nC: d", "b\nC: d", "b\0"])
def test_a_header_cannot_become_two(text: str) -> None:
    with pytest.raises(ValueError, match="header"):
        written("GET", "/", {"A": text})


@pytest.mark.parametrize("name", ["", "A b", "A:", "A\r\nB"])
def test_a_headers_name_is_a_word(name: str) -> None:
    with pytest.raises(ValueError, match="header"):
        written("GET", "/", {name: "b"})
