# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Width, height and length are those that real encoders wrote; what is damaged or hostile says nothing, at once."""

from __future__ import annotations

import io
import random
import struct
import tempfile
import wave
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from airflow_provider_adgen.campaigns import read_media
from airflow_provider_adgen.campaigns._media.window import BLOCK, MOST_BLOCKS, Media, Window
from airflow_provider_adgen.campaigns.media import _READERS, _parse, read_all_media
from tests.support.library import memory_stores

NOTHING = {"width": None, "height": None, "seconds": None}


def picture(form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (48, 80), (200, 100, 50)).save(file, form, **options)
    return file.getvalue()


def film(form: str, codec: str, seconds: int = 3, **options: Any) -> bytes:
    with tempfile.NamedTemporaryFile() as file:  # an encoder that moves the header to the front reads what it wrote
        with av.open(file.name, "w", format=form, **options) as container:
            stream: Any = container.add_stream(codec, rate=10)
            stream.width, stream.height, stream.pix_fmt = 48, 80, "yuv420p"
            for number in range(seconds * 10):
                frame = av.VideoFrame.from_image(Image.new("RGB", (48, 80), (number, 50, 50)))
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return Path(file.name).read_bytes()


def sound(form: str, codec: str, seconds: int = 2, **options: Any) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=form, **options) as container:
        stream: Any = container.add_stream(codec, rate=44100, layout="mono")
        layout = stream.codec_context.format.name
        for number in range(seconds * 10):
            frame = av.AudioFrame(format=layout, layout="mono", samples=4410)
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.sample_rate, frame.pts = 44100, number * 4410
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def recording(seconds: int = 2) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(bytes(8000 * 4 * seconds))
    return file.getvalue()


def box(name: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def parsed(data: bytes) -> Media:
    return _parse(Window(lambda begin, end: data[begin:end], len(data)))


@pytest.fixture
def told(tmp_path: Path) -> Any:
    def tell(data: bytes) -> dict[str, Any]:
        (tmp_path / "file").write_bytes(data)
        return read_media(tmp_path / "file")

    return tell


# --- what encoders write ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("PNG", {}),
        ("GIF", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"exif": b"Exif\0\0" + bytes(20)}),
    ],
    ids=["png", "gif", "jpeg", "progressive", "lossy", "lossless", "extended"],
)
def test_pictures(told: Any, form: str, options: dict[str, Any]) -> None:
    assert told(picture(form, **options)) == {"width": 48, "height": 80, "seconds": None}


def test_a_jpeg_whose_notes_are_longer_than_a_read(told: Any) -> None:
    data = picture("JPEG")
    notes = b"".join(b"\xff\xe2" + struct.pack(">H", 60_002) + bytes(60_000) for _ in range(4))
    assert told(data[:2] + notes + b"\xff" + data[2:])["width"] == 48


@pytest.mark.parametrize(
    ("form", "codec", "options"),
    [
        ("mp4", "libx264", {}),
        ("mp4", "libx264", {"options": {"movflags": "faststart"}}),
        ("mov", "libx264", {}),
        ("webm", "libvpx", {}),
        ("matroska", "libx264", {}),
    ],
    ids=["mp4", "mp4-faststart", "mov", "webm", "matroska"],
)
def test_films(told: Any, form: str, codec: str, options: dict[str, Any]) -> None:
    found = told(film(form, codec, **options))
    assert (found["width"], found["height"]) == (48, 80)
    assert found["seconds"] == pytest.approx(3, abs=0.05)


@pytest.mark.parametrize(
    ("form", "codec", "options"),
    [
        ("mp3", "libmp3lame", {}),
        ("mp3", "libmp3lame", {"options": {"write_xing": "0"}}),
        ("mp3", "libmp3lame", {"options": {"id3v2_version": "0", "write_id3v1": "1", "write_xing": "0"}}),
        ("ipod", "aac", {}),
        ("wav", "pcm_s16le", {}),
    ],
    ids=["mp3", "mp3-by-bit-rate", "mp3-without-tag", "m4a", "wav"],
)
def test_sounds(told: Any, form: str, codec: str, options: dict[str, Any]) -> None:
    found = told(sound(form, codec, **options))
    assert (found["width"], found["height"]) == (None, None)
    assert found["seconds"] == pytest.approx(2, abs=0.1)


def test_a_recording_whose_length_was_never_filled_in(told: Any) -> None:
    data = recording()
    assert told(data)["seconds"] == 2
    at = data.index(b"data") + 4
    assert told(data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :])["seconds"] == 2
    assert told(data[:at] + bytes(4) + data[at + 4 :])["seconds"] == 2


def test_a_film_that_is_turned_when_it_is_shown(told: Any) -> None:
    data = film("mp4", "libx264")
    at = data.index(b"tkhd") + 4 + 40
    turned = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    found = told(data[:at] + turned + data[at + 36 :])
    assert (found["width"], found["height"]) == (80, 48)


def test_a_large_film_is_not_read_whole() -> None:
    data = film("mp4", "libx264")
    begin, movie = data.index(b"mdat") - 4, data.index(b"moov") - 4
    gap = 10**9
    asked: list[int] = []

    def read(start: int, end: int) -> bytes:
        asked.append(end - start)
        assert end - start <= BLOCK
        # The film's data is not there: it is zeros, a gigabyte of them.
        whole = bytearray(end - start)
        for offset, part in ((0, header), (movie + gap, data[movie:])):
            for number, byte in enumerate(part):
                if start <= offset + number < end:
                    whole[offset + number - start] = byte
        return bytes(whole)

    size = movie - begin + gap
    header = data[:begin] + struct.pack(">I4s", size, b"mdat")
    found = _parse(Window(read, len(data) + gap))
    assert (found.width, found.height) == (48, 80)
    assert len(asked) <= 3


# --- what is damaged, or meant to do harm -------------------------------------------------------------------------

WHOLE = {
    "png": picture("PNG"),
    "gif": picture("GIF"),
    "jpeg": picture("JPEG"),
    "webp": picture("WEBP"),
    "mp4": film("mp4", "libx264", seconds=1),
    "webm": film("webm", "libvpx", seconds=1),
    "mp3": sound("mp3", "libmp3lame", seconds=1),
    "wav": recording(1),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_that_is_cut_off_anywhere_raises_nothing(name: str) -> None:
    data = WHOLE[name]
    for length in [*range(min(len(data), 300)), *range(300, len(data), 97)]:
        parsed(data[:length])


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_with_wrong_bytes_raises_nothing_and_reads_little(name: str) -> None:
    chance = random.Random(name)
    for _ in range(300):
        data = bytearray(WHOLE[name])
        for _ in range(chance.randrange(1, 12)):
            data[chance.randrange(min(len(data), 700))] = chance.choice((0, 1, 127, 128, 255, chance.randrange(256)))
        reads = []

        def read(begin: int, end: int, data: bytes = bytes(data), reads: list[int] = reads) -> bytes:
            reads.append(begin)
            return data[begin:end]

        _parse(Window(read, len(data)))
        assert len(reads) <= MOST_BLOCKS


@pytest.mark.parametrize("reader", sorted({reader.__name__ for reader in _READERS.values()}))
def test_any_bytes_raise_nothing(reader: str) -> None:
    heads = {
        "png": b"\x89PNG\r\n\x1a\n",
        "gif": b"GIF89a",
        "jpeg": b"\xff\xd8\xff",
        "webp": b"RIFF\0\0\0\0WEBP",
        "mp4": b"\0\0\0\x10ftypisom\0\0\0\0",
        "webm": b"\x1aE\xdf\xa3",
        "mp3": b"ID3\x03\0\0\0\0\0\0",
        "wav": b"RIFF\0\0\0\0WAVE",
    }
    chance = random.Random(reader)
    for length in (0, 1, 10, 30, 200, 5000):
        for filler in (bytes(length), b"\xff" * length, chance.randbytes(length)):
            parsed(heads[reader] + filler)


@pytest.mark.parametrize(
    "data",
    [
        box(b"ftyp", b"isom") + box(b"free") * 100_000,
        box(b"ftyp", b"isom") + box(b"moov", box(b"trak", box(b"edts") * 5) * 50_000),
        b"\0\0\0\x10ftypisom\0\0\0\0" + struct.pack(">I4sQ", 1, b"mdat", 2**63),
        b"\0\0\0\x10ftypisom\0\0\0\0" + struct.pack(">I4sQ", 1, b"mdat", 0),
        b"\x1aE\xdf\xa3\x80" + b"\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" + b"\xec\x80" * 200_000,
        b"\xff\xd8" + b"\xff" * 2_000_000,
        b"\xff\xd8" + b"\xff\xe0\0\0" * 500_000,
        b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * 200_000,
        b"ID3\x03\0\0\x7f\x7f\x7f\x7f" + bytes(100),
    ],
    ids=["boxes", "tracks", "beyond", "standing", "elements", "fillers", "segments", "chunks", "tag"],
)
def test_what_never_ends_is_given_up(told: Any, data: bytes) -> None:
    assert told(data) == NOTHING


def test_sizes_that_cannot_be_are_not_told(told: Any) -> None:
    data = bytearray(picture("PNG"))
    data[16:24] = struct.pack(">II", 2**31, 80)
    assert told(bytes(data)) == NOTHING
    data[16:24] = struct.pack(">II", 0, 80)
    assert told(bytes(data)) == NOTHING
    webm = bytearray(WHOLE["webm"])
    at = webm.index(b"\x44\x89\x88") + 3
    for value in (float("nan"), float("inf"), -1.0, 1e300):
        webm[at : at + 8] = struct.pack(">d", value)
        assert told(bytes(webm)) == {"width": 48, "height": 80, "seconds": None}


@pytest.mark.parametrize("data", [b"", b"<html>no</html>", b"PK\x03\x04" + bytes(60), b"%PDF-1.7 " + bytes(60)])
def test_what_is_no_media_says_nothing(told: Any, data: bytes) -> None:
    assert told(data) == NOTHING


# --- where it is read from ----------------------------------------------------------------------------------------


def test_many_files_in_object_storage_and_one_that_is_gone(tmp_path: Path, diary: Any) -> None:
    with memory_stores() as make:
        memory, folder = make()
        memory.pipe({"/shop/a b#1%.png": WHOLE["png"], "/shop/v.mp4": WHOLE["mp4"]})
        (tmp_path / "i.jpg").write_bytes(WHOLE["jpeg"])
        uris = [f"{folder}/a b#1%.png", f"{folder}/v.mp4", f"file://{tmp_path}/i.jpg", f"file://{tmp_path}/gone.png"]
        found = read_all_media([*uris, *uris])
    assert list(found) == uris
    assert [one["width"] for one in found.values()] == [48, 48, 48, None]
    assert found[f"{folder}/v.mp4"]["seconds"] == pytest.approx(1, abs=0.05)
    assert diary.lines(lambda line: "There is no file" in line and "gone.png" in line)


def test_a_file_that_cannot_be_read_is_not_one_of_which_nothing_is_known(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        (tmp_path / "folder").mkdir()
        read_media(tmp_path / "folder")
