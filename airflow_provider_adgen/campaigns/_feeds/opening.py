# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""From the bytes of a feed to its text, in pieces: gzip and the encoding are found out, and limits are kept."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Iterator
from typing import IO, Any

from airflow_provider_adgen.campaigns._feeds.report import LARGEST_FILE, Report, Unreadable
from airflow_provider_adgen.core.errors import AdGenError
from airflow_provider_adgen.core.safe_json import charset_of
from airflow_provider_adgen.core.scrub import reason

_PIECE = 256 * 1024
_GZIP = b"\x1f\x8b"
# Real feeds are packed to a hundredth at most; gzip can reach a thousandth.
_HIGHEST_RATIO = 200
_RATIO_COUNTS_FROM = 8 * 1024 * 1024
# What people mistake for a feed, by its first bytes.
_OTHER_FILES = {
    b"PK\x03\x04": "a ZIP archive or an Excel file; save it as CSV, or pack it with gzip",
    b"\xd0\xcf\x11\xe0": "an old Excel file; save it as CSV",
    b"%PDF": "a PDF",
    b"BZh": "packed with bzip2; pack it with gzip",
    b"\xfd7zXZ": "packed with xz; pack it with gzip",
    b"\x28\xb5\x2f\xfd": "packed with zstd; pack it with gzip",
    b"7z\xbc\xaf": "a 7z archive; pack the feed with gzip",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"PAR1": "a Parquet file; save it as CSV or JSON Lines",
}
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    # Before UTF-16, whose mark UTF-32's begins with.
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_XML_ENCODING = re.compile(rb"\s*<\?xml[^>]*?\sencoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
# Files that say they are these are Windows-1252, as web browsers read them, too.
_WINDOWS_1252 = frozenset({"ascii", "iso8859-1", "cp1252"})
_FALLBACK = "airflow_provider_adgen.windows_1252"


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    """Read the bytes that are not UTF-8, and only those: exports are put together from parts."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    try:
        return error.object[error.start : error.end].decode("cp1252"), error.end
    except UnicodeDecodeError:
        raise error from None


codecs.register_error(_FALLBACK, _as_windows_1252)


class _Counted:
    """A file that counts what was read of it, and says what the storage said when it breaks."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file = file
        self._name = name
        self._ahead = b""
        self.count = 0

    def read(self, size: int = _PIECE) -> bytes:
        if self._ahead:
            found, self._ahead = self._ahead[:size], self._ahead[size:]
            return found
        try:
            found = self._file.read(size)
        except Exception as problem:  # whatever a file system raises
            raise AdGenError(
                f"The catalogue {self._name} could not be read to its end ({reason(problem)}). Nothing was sent to a "
                "vendor and nothing was charged. A retry may help."
            ) from None
        self.count += len(found)
        return found

    def peek(self, size: int) -> bytes:
        """Return the first bytes; only before anything was read."""
        while len(self._ahead) < size:
            ahead, self._ahead = self._ahead, b""
            more = self.read(size)
            self._ahead = ahead + more
            if not more:
                break
        return self._ahead[:size]


def text_of(file: IO[bytes], name: str, report: Report) -> Iterator[str]:
    """
    Yield a feed's text in pieces of no fixed length.

    :param file: a binary file at its start.
    :param name: its name in messages.
    :param report: is told where bytes were read as Windows-1252.
    :raises Unreadable: it is no text, its encoding is not known, or it is over a limit.
    :raises AdGenError: the storage failed.
    """
    pieces = _unpacked(_Counted(file, name))
    first = next(pieces, b"")
    while len(first) < 512 and (more := next(pieces, b"")):
        first += more
    kind = next((kind for start, kind in _OTHER_FILES.items() if first.startswith(start)), None)
    if kind is not None:
        raise Unreadable(1, f"the file is {kind}")
    if first.startswith(_GZIP):
        raise Unreadable(1, "the file is packed with gzip twice")
    mark, encoding = next(((mark, name) for mark, name in _MARKS.items() if first.startswith(mark)), (b"", ""))
    first = first[len(mark) :]
    encoding = encoding or _guess(first)
    yield from _decoded(first, pieces, encoding, report)


def _unpacked(file: _Counted) -> Iterator[bytes]:
    source: Any = file
    packed = file.peek(2) == _GZIP
    if packed:
        source = gzip.GzipFile(fileobj=source, mode="rb")
    total = 0
    while True:
        try:
            piece = source.read(_PIECE)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise Unreadable(1, f"the gzip archive is broken or cut off after {total:,} unpacked bytes") from None
        if not piece:
            return
        total += len(piece)
        if total > LARGEST_FILE:
            raise Unreadable(1, f"the file has more than {LARGEST_FILE:,} bytes; split it")
        if packed and total > _RATIO_COUNTS_FROM and total > _HIGHEST_RATIO * file.count:
            raise Unreadable(1, f"the gzip archive grows to more than {_HIGHEST_RATIO} times its size, as no feed does")
        yield piece


def _guess(first: bytes) -> str:
    """Return the codec of a file without a byte order mark."""
    # The first character of a feed is ASCII, and in UTF-16 one of its two bytes is zero.
    if len(first) >= 2 and (first[0] == 0) != (first[1] == 0):
        return "utf-16-be" if first[0] == 0 else "utf-16-le"
    told = _XML_ENCODING.match(first[:1000])
    if told is None:
        return "utf-8"
    encoding = charset_of(f"text/xml; charset={told[1].decode()}")
    if encoding is None:
        raise Unreadable(1, f"the encoding {told[1].decode()} is not known; save the file as UTF-8")
    # The declaration itself is readable as ASCII, so it is not UTF-16, whatever it says.
    if encoding.startswith(("utf-16", "utf-32")):
        return "utf-8"
    return "cp1252" if encoding in _WINDOWS_1252 else encoding


def _decoded(first: bytes, pieces: Iterator[bytes], encoding: str, report: Report) -> Iterator[str]:
    errors = "strict"
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    line = 1
    piece: bytes | None = first
    while piece is not None:
        before = decoder.getstate()
        following = next(pieces, None)
        try:
            text = decoder.decode(piece, following is None)
        except UnicodeDecodeError as error:
            bad = line + error.object[: error.start].count(b"\n")
            if encoding != "utf-8":
                raise Unreadable(bad, f"the text is not {encoding.upper()}; save the file as UTF-8") from None
            if errors == "strict":
                report.warn(bad, "the text is not UTF-8 from here on, so it was read as Windows-1252 where it is not")
            errors = _FALLBACK
            decoder = codecs.getincrementaldecoder(encoding)(errors)
            decoder.setstate(before)
            try:
                text = decoder.decode(piece, following is None)
            except UnicodeDecodeError as worse:
                bad = line + worse.object[: worse.start].count(b"\n")
                raise Unreadable(bad, "the text is neither UTF-8 nor Windows-1252; save the file as UTF-8") from None
        line += text.count("\n")
        yield text
        piece = following
