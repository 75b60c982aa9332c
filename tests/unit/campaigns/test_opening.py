# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Encodings are found out, archives cannot explode, and no bytes at all raise anything but our own error."""

from __future__ import annotations

import gzip
import json
import random
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_provider_adgen.campaigns import CatalogueError, read_catalogue
from airflow_provider_adgen.campaigns._feeds import opening

WARNING = "the text is not UTF-8 from here on, so it was read as Windows-1252 where it is not"
FEEDS = Path(__file__).with_name("feeds")


def packed(data: bytes) -> bytes:
    """Return it packed with gzip, without the time: it is in the names of tests, which all processes must agree on."""
    return gzip.compress(data, mtime=0)


def test_windows_1252_is_read_and_told(read: Any):
    found = read("id,title\n1,Lamp\n2,Café \u2013 5 € \u201cx\u201d\n3,Öl\n".encode("cp1252"))
    assert [one.title for one in found.products] == ["Lamp", "Café \u2013 5 € \u201cx\u201d", "Öl"]
    assert (found.warnings, found.problems) == ([f"line 3: {WARNING}"], [])


def test_an_export_of_two_encodings(read: Any):
    """Put together from two systems, as large ones are; the change may be anywhere, also between pieces."""
    rows = [f"{number},Café {'x' * 50}\n" for number in range(12_000)]
    data = b"id,title\n" + "".join(rows[:6000]).encode() + "".join(rows[6000:]).encode("cp1252")
    found = read(data)
    assert {one.title for one in found.products} == {f"Café {'x' * 50}"}
    assert found.warnings == [f"line 6002: {WARNING}"]


def test_characters_are_whole_where_pieces_meet(read: Any, monkeypatch: pytest.MonkeyPatch):
    expected = read((FEEDS / "google_rss.xml").read_bytes())
    for size in (1, 2, 3, 7):
        monkeypatch.setattr(opening, "_PIECE", size)
        for data in (
            (FEEDS / "google_rss.xml").read_bytes(),
            packed((FEEDS / "google_rss.xml").read_bytes()),
            (FEEDS / "google_rss.xml").read_text(encoding="utf-8").encode("utf-16"),
        ):
            assert read(data) == expected


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("id,title\n1,a\n2,ラン、プ\n".encode("shift-jis"), "line 3: the text is neither UTF-8 nor Windows-1252; save"),
        ("id,title\n".encode("utf-16") + b"1\0,\0\x00\xd8\n\0", "line 2: the text is not UTF-16-LE; save the file"),
        ("id,title\n1,a".encode("utf-16") + b"x", "line 2: the text is not UTF-16-LE; save the file as UTF-8"),
        (b"PK\x03\x04....", "line 1: the file is a ZIP archive or an Excel file; save it as CSV, or pack it with gzip"),
        (b"%PDF-1.7", "line 1: the file is a PDF"),
        (packed(packed(b"id,title\n")), "line 1: the file is packed with gzip twice"),
        (packed(b"id,title\n1,Lamp\n" * 1000)[:-9], "line 1: the gzip archive is broken or cut off after"),
        (packed(b"id,title\n1,Lamp\n")[:-8] + b"\0" * 8, "line 1: the gzip archive is broken or cut off after"),
        (packed(b"id,title\n") + b"junk", "line 1: the gzip archive is broken or cut off after"),
        (b"\x1f\x8b", "line 1: the gzip archive is broken or cut off after 0 unpacked bytes"),
        (b"\x1f\x8b\x08\x00junk junk", "line 1: the gzip archive is broken or cut off after 0 unpacked bytes"),
    ],
)
def test_files_that_are_no_text(problems: Any, data: bytes, said: str):
    """A file that is cut off is refused also where bad rows are left out."""
    assert problems(data, on_bad_row="skip")[-1].startswith(said)


def test_a_row_that_was_cut_off_with_its_archive_is_no_product(problems: Any):
    """All that was read before is not used either."""
    chance = random.Random(1)
    rows = "".join(f"{number},{chance.random()}\n" for number in range(20_000))
    data = packed(f"id,title\n{rows}".encode())
    [said] = problems(data[: len(data) // 2], on_bad_row="skip")
    assert said.startswith("line 1: the gzip archive is broken or cut off after")


def bomb(size: int, piece: bytes) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    head = packer.compress(b"id,title\n1,Lamp\n")
    return head + b"".join(packer.compress(piece) for _ in range(size // len(piece))) + packer.flush()


@pytest.mark.parametrize("piece", [b"\n" * 1_000_000, b"0" * 999_999 + b"\n", b'{"a": 1}\n' * 100_000])
def test_an_archive_that_explodes_is_refused(problems: Any, piece: bytes):
    """Before its text is: an eighth of a gigabyte would follow."""
    data = bomb(125_000_000, piece)
    assert len(data) < 500_000
    started = time.thread_time()
    said = problems(data, on_bad_row="skip")
    assert time.thread_time() - started < 60, "seconds of CPU time"
    assert said[0].startswith("line 1: the gzip archive grows to more than 200 times") or len(said) == 100_001


def test_a_file_of_problems_alone_is_given_up(problems: Any):
    said = problems("id,title\n" + "".join(f"{number},\n" for number in range(101_000)), on_bad_row="skip")
    assert len(said) == 100_001
    assert said[-1] == "line 100001: there are 100,000 problems up to here, so nothing after it was read"


def test_limits_of_the_whole(read: Any, problems: Any, monkeypatch: pytest.MonkeyPatch):
    data = "id,title,color\n" + "".join(f"{number},Lamp,oak\n" for number in range(1000))
    assert len(read(data).products) == 1000
    monkeypatch.setattr(opening, "LARGEST_FILE", 5000)
    assert problems(data) == ["line 1: the file has more than 5,000 bytes; split it"]
    monkeypatch.undo()
    monkeypatch.setattr("airflow_provider_adgen.campaigns.catalogue.MOST_VALUES", 2000)
    assert problems(data) == ["line 668: the file has more than 2,000 values; split it, or leave columns out"]


STARTS = [b"", b"id,title\n", b"\xef\xbb\xbfid;title\n", b'{"id":1,"title":"a"}\n', b"<rss><item><g:id>1</g:id>"]
STARTS += [
    b'<?xml version="1.0" encoding="utf-16"?>',
    b"\xff\xfei\0d\0",
    b"\0i",
    b"\x1f\x8b\x08",
    b"Handle,Title\n",
    b"[",
]


@pytest.mark.parametrize("columns", [None, "shopify", "woocommerce"])
@settings(max_examples=150, deadline=None)
@given(start=st.sampled_from(STARTS), rest=st.binary(max_size=200), pack=st.booleans())
@example(start=b'<?xml version="1.0" encoding="unicode_escape"?>', rest=b"<rss>\\", pack=False)
@example(start=b'<?xml version="1.0" encoding="rot13"?>', rest=b"<rss>", pack=False)
@example(start=b'<?xml version="1.0" encoding="utf-7"?>', rest=b"<rss><item><id>+2AA-</id></item></rss>", pack=False)
@example(
    start=b'{"\\ud83d\\u0000": "\\ud83d", "id": 1, "title": 2, "": 3}\n',
    rest=b'{"id": 1, "title": 2, "\\ud83d": 1}',
    pack=False,
)
@example(start=b'<?xml version="1.0" encoding="hz"?>', rest=b"<rss>~\xff", pack=False)
def test_no_bytes_raise_anything_but_our_error(
    tmp_path_factory: pytest.TempPathFactory, columns: Any, start: bytes, rest: bytes, pack: bool
):
    check(tmp_path_factory.mktemp("any") / "feed", packed(start + rest) if pack else start + rest, columns)


@pytest.mark.parametrize("name", sorted(path.name for path in FEEDS.iterdir()))
def test_no_damage_raises_anything_but_our_error(name: str, tmp_path: Path):
    """Bytes of real shapes, changed, cut and repeated."""
    chance = random.Random(name)
    columns = name.partition(".")[0] if name in {"woocommerce.csv", "shopify.csv"} else None
    for _ in range(150):
        data = bytearray((FEEDS / name).read_bytes())
        for _ in range(chance.randrange(1, 6)):
            place = chance.randrange(len(data))
            if chance.random() < 0.5:
                data[place] = chance.choice(b"\"'<>&;,\t\n\r\0\xff\xc3|{}\x80-")
            else:
                data[place : place + chance.randrange(40)] = data[place : place + chance.randrange(60)] * 2
        check(tmp_path / "feed", bytes(data), columns)


def check(path: Path, data: bytes, columns: Any) -> None:
    path.write_bytes(data)
    for on_bad_row in ("fail", "skip"):
        try:
            found = read_catalogue(path, columns=columns, on_bad_row=on_bad_row)  # type: ignore[arg-type]
        except CatalogueError as error:
            assert error.problems
            assert all(problem.startswith("line ") for problem in error.problems)
            str(error).encode()
            json.dumps(error.problems, ensure_ascii=False).encode()
        else:
            assert found.products
            told = [[product.to_dict() for product in found.products], found.problems, found.warnings]
            text = json.dumps(told, ensure_ascii=False).encode().decode().replace("\\\\", "")
            assert "\\u0000" not in text
