# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
The type of a file by its first bytes.

Signatures of one or two bytes are left out: by chance, a paid file could begin with them and be refused. A file that is
not recognized is not refused.
"""

from __future__ import annotations

import re

HEAD = 1024
"""First bytes of a file that are looked at."""

SMALLEST = 26
"""Bytes of the smallest media file there is, a GIF of one pixel. What is shorter was cut off."""

_MP4 = ("video/mp4", "audio/mp4", "video/x-m4v", "video/quicktime", "video/3gpp", "audio/3gpp")
_MATROSKA = ("video/x-matroska", "audio/x-matroska", "video/webm", "audio/webm")
# Several types in a row: a container may hold sound alone, and some types differ in their name only.
_SIGNATURES: tuple[tuple[re.Pattern[bytes], tuple[str, ...]], ...] = tuple(
    (re.compile(pattern, re.DOTALL), types)
    for pattern, types in (
        (rb"\x89PNG\r\n\x1a\n", ("image/png", "image/apng")),
        (rb"\xff\xd8\xff", ("image/jpeg",)),
        (rb"GIF8[79]a", ("image/gif",)),
        (rb"RIFF.{4}WEBP", ("image/webp",)),
        (rb"II\*\0|MM\0\*", ("image/tiff",)),
        (rb"8BPS\0\x01", ("image/vnd.adobe.photoshop",)),
        (rb"\0\0\0\x0cJXL \r\n\x87\n", ("image/jxl",)),
        (rb"\0\0..ftypavi[fs]", ("image/avif",)),
        (rb"\0\0..ftyp(?:hei[cxms]|hev[cxms]|mif1|msf1)", ("image/heic", "image/heif", "image/avif")),
        (rb"\0\0..ftypM4[AB] ", ("audio/mp4",)),
        (rb"\0\0..ftypM4V", ("video/x-m4v", "video/mp4")),
        (rb"\0\0..ftypqt  ", ("video/quicktime", "video/mp4", "audio/mp4")),
        (rb"\0\0..ftyp3g", ("video/3gpp", "audio/3gpp", "video/mp4", "audio/mp4")),
        (rb"\0\0..ftyp", _MP4),
        (rb"\0...(?:moov|wide|free|skip)|....mdat", ("video/quicktime", "video/mp4", "audio/mp4")),
        (rb"\x1aE\xdf\xa3.{0,60}\x42\x82.{1,8}webm", ("video/webm", "audio/webm", *_MATROSKA)),
        (rb"\x1aE\xdf\xa3", _MATROSKA),
        (rb"RIFF.{4}AVI ", ("video/x-msvideo",)),
        (rb"FLV\x01", ("video/x-flv",)),
        (rb"\0\0\x01\xba", ("video/mpeg",)),
        (rb"G.{187}G.{187}G", ("video/mp2t", "audio/mp2t")),
        (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", ("video/x-ms-wmv", "audio/x-ms-wma", "video/x-ms-asf")),
        (rb"OggS\0.{23,60}(?:\x01vorbis|OpusHead|\x7fFLAC)", ("audio/ogg", "audio/opus")),
        (rb"OggS\0", ("video/ogg", "audio/ogg", "audio/opus")),
        (rb"ID3[\x02-\x04]", ("audio/mpeg", "audio/aac")),
        (rb"RIFF.{4}WAVE|RF64.{4}WAVE", ("audio/wav",)),
        (rb"fLaC\0", ("audio/flac",)),
        (rb"FORM.{4}AIF[FC]", ("audio/aiff",)),
        (rb"#!AMR", ("audio/amr",)),
        (rb"PK(?:\x03\x04|\x05\x06|\x07\x08)", ("application/zip",)),
        (rb"\x1f\x8b\x08", ("application/gzip",)),
        (rb".{257}ustar", ("application/x-tar",)),
        (rb"7z\xbc\xaf\x27\x1c", ("application/x-7z-compressed",)),
        (rb"Rar!\x1a\x07", ("application/vnd.rar",)),
        (rb"%PDF-", ("application/pdf",)),
    )
)
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_ROOT = re.compile(
    r"(?>\s+|<\?.*?\?>|<!--.*?-->|<!doctype\s[^>]*>)*+<(?:[\w.-]+:)?([a-z][\w.-]*)", re.DOTALL | re.IGNORECASE
)
_HTML = frozenset(
    {
        *("html", "head", "body", "title", "meta", "link", "script", "style"),
        *("div", "p", "center", "h1", "h2", "h3", "pre", "table", "span", "a", "b", "br", "img"),
    }
)

ARCHIVES = frozenset(
    {
        "application/zip",
        "application/gzip",
        "application/x-tar",
        "application/x-7z-compressed",
        "application/vnd.rar",
    }
)
PAGES = frozenset({"text/html", "application/xhtml+xml"})
_TEXTS = PAGES | {"application/xml", "text/xml", "text/plain", "application/vnd.apple.mpegurl", "application/dash+xml"}
DOCUMENTS = _TEXTS | {"application/json", "application/problem+json", "application/pdf"}
"""Types of what is no media file, but often an error."""


def types_of(head: bytes) -> tuple[str, ...]:
    """
    Return the media types that a file may have, the likeliest first; none where its bytes are not recognized.

    :param head: its first :data:`HEAD` bytes, or all of it where it is shorter.
    """
    for pattern, types in _SIGNATURES:
        if pattern.match(head):
            return types
    found = _document(_text(head))
    return (found,) if found else ()


def fits(media_type: str, kind: str) -> bool:
    """
    Whether a file of this type can be a creative of this kind.

    An archive fits every kind: it may hold several images or videos. A creative of kind ``archive`` may be anything but
    text, a page or a playlist.

    :param media_type: the file's type.
    :param kind: ``image``, ``video``, ``audio`` or ``archive``.
    """
    if kind == "archive":
        return media_type not in _TEXTS
    return media_type in ARCHIVES or media_type.startswith(f"{kind}/")


def misfit(head: bytes, header_type: str, kind: str) -> str:
    """
    Return what came where a file is evidently no creative of this kind; empty where it may be one.

    :param head: its first :data:`HEAD` bytes, or all of it where it is shorter.
    :param header_type: the media type by its ``Content-Type`` header; it counts where the bytes do not tell.
    :param kind: ``image``, ``video``, ``audio`` or ``archive``.
    """
    if not head:
        return "an empty file"
    types = types_of(head)
    if not types and header_type in DOCUMENTS:
        types = (header_type,)
    if types and not any(fits(one, kind) for one in types):
        return types[0]
    return f"{len(head)} bytes" if len(head) < SMALLEST and kind != "archive" else ""


def _text(head: bytes) -> str:
    """Return the text that the bytes are; empty where they are none."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return head[len(mark) :].decode(encoding, "replace").strip()
    # Compressed media has a control character within a few dozen bytes.
    return "" if _CONTROL.search(head) else head.decode("utf-8", "replace").strip()


def _document(text: str) -> str:
    """Return the type of a text; empty where there is none, or where its beginning does not tell."""
    if text.startswith("#EXTM3U"):
        return "application/vnd.apple.mpegurl"
    if text.startswith(("{", "[")):
        return "application/json"
    if not text.startswith("<"):
        return "text/plain" if text else ""
    if text[:14].lower() == "<!doctype html":
        return "text/html"
    root = _ROOT.match(text)
    if root is None:
        return ""
    if root[1].lower() in _HTML:
        return "text/html"
    return {"svg": "image/svg+xml", "MPD": "application/dash+xml"}.get(root[1], "application/xml")
