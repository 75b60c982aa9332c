# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Names of stored files: the same on every try, and always inside the destination."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from string import Formatter
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from airflow_provider_adgen.delivery.signatures import fits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_adgen.core.vocabulary import Generation

_LONGEST = 80
# File systems take 255 bytes; what writes a file first may add to its name.
_LONGEST_SEGMENT = 200
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_UNSAFE_IN_PATH = re.compile(r"[^A-Za-z0-9._/-]+")

_EXTENSION_OF_TYPE = {
    "video/mp4": "mp4",
    "video/x-m4v": "m4v",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "video/x-matroska": "mkv",
    "video/3gpp": "3gp",
    "video/mp2t": "ts",
    "video/mpeg": "mpg",
    "video/ogg": "ogv",
    "video/x-flv": "flv",
    "video/x-ms-wmv": "wmv",
    "video/x-msvideo": "avi",
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/avif": "avif",
    "image/apng": "apng",
    "image/heic": "heic",
    "image/heif": "heif",
    "image/jxl": "jxl",
    "image/svg+xml": "svg",
    "image/tiff": "tiff",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/mp4": "m4a",
    "audio/aac": "aac",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
    "audio/aiff": "aiff",
    "audio/amr": "amr",
    "audio/opus": "opus",
    "audio/webm": "weba",
    "audio/x-matroska": "mka",
    "audio/x-ms-wma": "wma",
    "application/zip": "zip",
    "application/gzip": "gz",
    "application/x-tar": "tar",
    "application/x-7z-compressed": "7z",
    "application/vnd.rar": "rar",
    "application/json": "json",
}
_TYPE_OF_EXTENSION = {extension: media_type for media_type, extension in _EXTENSION_OF_TYPE.items()}
_SAME_TYPE = {
    "image/jpg": "image/jpeg",
    "audio/mp3": "audio/mpeg",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/x-m4a": "audio/mp4",
    "audio/x-flac": "audio/flac",
    "audio/x-aiff": "audio/aiff",
    "video/avi": "video/x-msvideo",
    "video/msvideo": "video/x-msvideo",
    "application/x-zip-compressed": "application/zip",
    "application/x-gzip": "application/gzip",
}
_SAME_EXTENSION = {"jpeg": "jpg", "tif": "tiff"}
_EXTENSION_OF_KIND = {"video": "mp4", "image": "png", "audio": "mp3", "archive": "zip"}


def safe(text: str) -> str:
    """
    Return *text* as a part of a file name: ASCII letters, digits, dots, dashes, underscores, at most 80 of them.

    Where something had to be changed, a hash of the original keeps two different texts apart.
    """
    cleaned = _UNSAFE.sub("-", text).lstrip(".-")
    if text and cleaned == text and len(text) <= _LONGEST:
        return text
    mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{cleaned[: _LONGEST - 9] or 'x'}-{mark}"


@dataclass(frozen=True)
class FileNames:
    """
    How the files of one generation are named, below the destination.

    :param template: a path with ``{field}`` for each field; each part of the path is made safe. It must hold ``{id}``
        and ``{n}``, or a later file would take the place of one that is paid for.
    :param fields: values of fields of the user's own.
    """

    template: str = "{vendor}-{id}-{n}.{ext}"
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """The key of the batch's item; empty where there is none."""
        return str(self.fields.get("key", ""))

    def name(self, generation: Generation, n: int | str, extension: str, kind: str) -> str:
        """
        Return the name of one file.

        :param generation: whose file it is.
        :param n: its number, from 0; ``copy`` or ``analysis`` for a text.
        :param extension: without the dot.
        :param kind: ``image``, ``video``, ``audio`` or ``archive``.
        """
        own = {"vendor": generation.vendor, "id": generation.id, "n": n, "ext": extension, "kind": kind}
        values = {name: safe(str(value)) for name, value in {**self.fields, **own}.items()}
        # The key of an item may hold slashes: each of its parts becomes a folder.
        if "key" in self.fields:
            values["key"] = "/".join(safe(part) for part in str(self.fields["key"]).split("/"))
        path = "".join(
            _UNSAFE_IN_PATH.sub("-", text) + (values[name] if name else "")
            for text, name, _, _ in Formatter().parse(self.template)
        )
        return "/".join(_shortened(part) for part in path.split("/") if part)


def _shortened(segment: str) -> str:
    if len(segment) <= _LONGEST_SEGMENT:
        return segment
    stem, dot, extension = segment.rpartition(".")
    mark = hashlib.sha256(segment.encode()).hexdigest()[:8]
    return f"{(stem or extension)[: _LONGEST_SEGMENT - 20]}-{mark}{dot}{extension[:10]}"


USUAL_NAMES = FileNames()


def media_type(content_type: str) -> str:
    """Return a ``Content-Type`` header without its parameters, in the common spelling; empty where there is none."""
    bare = content_type.partition(";")[0].strip().lower()
    return _SAME_TYPE.get(bare, bare)


def describe(told: str, url: str, kind: str) -> tuple[str, str]:
    """
    Return the file extension and the media type of a creative.

    The type that is told counts first, then the name in the link, then the kind. What does not fit the kind does not
    count.

    :param told: the media type by the file's bytes, else its ``Content-Type`` header; empty where neither tells one.
    :param url: the link.
    :param kind: ``image``, ``video``, ``audio`` or ``archive``.
    """
    told = media_type(told)
    if told in _EXTENSION_OF_TYPE and fits(told, kind):
        return _EXTENSION_OF_TYPE[told], told
    suffix = unquote(urlsplit(url).path).rpartition(".")[2].lower()
    extension = _SAME_EXTENSION.get(suffix, suffix)
    if not fits(_TYPE_OF_EXTENSION.get(extension, "text/plain"), kind):
        extension = _EXTENSION_OF_KIND[kind]
    # A type without a known extension is still better than a guess.
    return extension, told if told.startswith(f"{kind}/") else _TYPE_OF_EXTENSION[extension]
