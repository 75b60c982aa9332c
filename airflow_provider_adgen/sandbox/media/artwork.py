# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What a media file shows. Equal artworks give equal bytes."""

from __future__ import annotations

from dataclasses import dataclass

MEDIA_TYPES = {
    "png": "image/png",
    "mp4": "video/mp4",
    "mp3": "audio/mpeg",
    "zip": "application/zip",
}


@dataclass(frozen=True, slots=True)
class Artwork:
    """A file to be made.

    :param form: png, mp4, mp3 or zip.
    :param title: the heading, such as the vendor and the job's type.
    :param text: what the picture shows: the prompt or the script.
    :param ratio: width to height, as ``9:16``.
    :param product: the name of the product shown.
    :param seed: what colours and melody are drawn from; a job's id.
    :param seconds: the length of a film or a sound.
    :param short_side: pixels of the shorter side.
    :param members: for a zip: names and their artworks or texts.
    """

    form: str
    title: str
    text: str
    ratio: str = "1:1"
    product: str = ""
    seed: str = ""
    seconds: float = 2.0
    short_side: int = 360
    members: tuple[tuple[str, Artwork | str], ...] = ()


@dataclass(frozen=True, slots=True)
class Blob:
    """An existing file, such as one that a client uploaded."""

    data: bytes
    content_type: str


def file_of(
    job_id: str, name: str, names: list[str], title: str, text: str, ratio: str, product: str = ""
) -> Artwork | None:
    """Return what one of a job's files shows: a picture says in its title which of several it is."""
    if name not in names:
        return None
    number, form = names.index(name), name.rpartition(".")[2]
    if form == "png":
        title = f"{title} {number + 1} of {len(names)}"
    side = 512 if form == "png" else 360
    return Artwork(form, title, text, ratio, product, seed=f"{job_id} {number}", short_side=side)


def size_of(ratio: str, short_side: int) -> tuple[int, int]:
    """Return width and height in pixels, both even (H.264 wants that), for a ratio written ``16:9``."""
    left, _, right = ratio.partition(":")
    try:
        wide, high = float(left), float(right)
    except ValueError:
        wide, high = 1.0, 1.0
    if wide <= 0 or high <= 0:
        wide, high = 1.0, 1.0
    scale = short_side / min(wide, high)
    return max(2, round(wide * scale / 2) * 2), max(2, round(high * scale / 2) * 2)


def reading_seconds(text: str) -> float:
    """Return how long a text takes to speak, limited to 1 to 6 seconds."""
    return round(min(6.0, max(1.0, len(text) / 15)), 1)
