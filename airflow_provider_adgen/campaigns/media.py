# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Width, height and length of stored creatives, from a few blocks of each file."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterable
from typing import Any

from airflow_provider_adgen.campaigns._media import films, pictures, sounds
from airflow_provider_adgen.campaigns._media.window import Media, Unreadable, Window
from airflow_provider_adgen.core.scrub import scrub
from airflow_provider_adgen.delivery.signatures import HEAD, types_of
from airflow_provider_adgen.ledger.stored_files import Places, in_parallel

log = logging.getLogger(__name__)

_READERS: dict[str, Callable[[Window], Media]] = {
    "image/png": pictures.png,
    "image/jpeg": pictures.jpeg,
    "image/gif": pictures.gif,
    "image/webp": pictures.webp,
    "video/mp4": films.mp4,
    "video/x-m4v": films.mp4,
    "video/quicktime": films.mp4,
    "video/3gpp": films.mp4,
    "audio/mp4": films.mp4,
    "video/webm": films.webm,
    "video/x-matroska": films.webm,
    "audio/mpeg": sounds.mp3,
    "audio/wav": sounds.wav,
}
_LARGEST, _LONGEST = 10**6, 10**7
"""Pixels and seconds from which on a file is not believed."""


def read_media(path: str | os.PathLike[str]) -> dict[str, int | float | None]:
    """
    Return ``width`` and ``height`` in pixels and ``seconds`` of a creative; each is None where the file does not say.

    PNG, JPEG, GIF, WebP, MP4, QuickTime, WebM, Matroska, MP3 and WAV are known, by their bytes. At most 24 blocks of
    64 KB are read, and nothing is decoded, so a damaged or hostile file costs no more than that.

    :param path: anything that Airflow's ``ObjectStoragePath`` takes, or a path of this machine. A file that is not
        there is logged, and nothing is known of it.
    :raises Exception: there is no such file system or connection, or the file cannot be read; object stores raise
        errors of their own. A retry may help, and costs nothing.
    """
    return _read(*Places().find(os.fspath(path)))


def read_all_media(uris: Iterable[str]) -> dict[str, dict[str, int | float | None]]:
    """
    Return what :func:`read_media` does for many files, by uri; 32 at a time.

    :param uris: where they are stored.
    :raises Exception: as for :func:`read_media`.
    """
    wanted, places = list(dict.fromkeys(uris)), Places()
    # File systems are found in the caller's thread: this may look up an Airflow connection.
    found = [places.find(uri) for uri in wanted]
    return dict(zip(wanted, in_parallel(lambda place: _read(*place), found), strict=True))


def _read(fs: Any, path: str) -> dict[str, int | float | None]:
    try:
        size = fs.size(path)
        if size is None:
            return _told(Media())
        window = Window(lambda begin, end: bytes(fs.cat_file(path, start=begin, end=end)), size)
        return _told(_parse(window))
    except FileNotFoundError:
        log.warning("There is no file %s, so its size and length are not known.", scrub(path))
        return _told(Media())


def _parse(file: Window) -> Media:
    if not file.size:
        return Media()
    try:
        head = file.head(HEAD)
        types = types_of(head)
        # An MP3 file without a tag begins with too few bits of its own to be told for sure; its frames tell.
        reader = next((_READERS[one] for one in types if one in _READERS), None if types else sounds.mp3)
        return Media() if reader is None else reader(file)
    except Unreadable:
        return Media()


def _told(media: Media) -> dict[str, int | float | None]:
    known = media.width and media.height and max(media.width, media.height) < _LARGEST
    seconds = media.seconds
    lasts = seconds is not None and math.isfinite(seconds) and 0 < seconds < _LONGEST
    return {
        "width": media.width if known else None,
        "height": media.height if known else None,
        "seconds": round(seconds, 3) if lasts and seconds is not None else None,
    }
