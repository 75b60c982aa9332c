# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Making films and sounds with PyAV."""

from __future__ import annotations

import array
import io
import math
from typing import TYPE_CHECKING

import av
from PIL import ImageDraw

from airflow_provider_adgen.sandbox.media.pictures import draw, numbers

if TYPE_CHECKING:
    from airflow_provider_adgen.sandbox.media.artwork import Artwork

FRAMES_PER_SECOND = 12
SAMPLES_PER_SECOND = 22_050
# A pentatonic scale: any order of its notes sounds like a melody.
SCALE = (261.63, 293.66, 329.63, 392.00, 440.00, 523.25)


def mp4(artwork: Artwork) -> bytes:
    """Return an artwork as an H.264 film: its picture, with a bar that runs as time passes."""
    picture = draw(artwork)
    buffer = io.BytesIO()
    count = max(2, round(artwork.seconds * FRAMES_PER_SECOND))
    # One thread: the same artwork gives the same bytes.
    options = {"preset": "ultrafast", "crf": "28", "threads": "1"}
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options=options)
        stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, "yuv420p"
        thickness = max(4, picture.height // 60)
        for number in range(count):
            frame = picture.copy()
            reach = round(picture.width * (number + 1) / count)
            ImageDraw.Draw(frame).rectangle(
                (0, picture.height - thickness, reach, picture.height), fill=(255, 255, 255)
            )
            picture_of_time = av.VideoFrame.from_image(frame)  # type: ignore[no-untyped-call]  # PyAV declares no types here
            container.mux(stream.encode(picture_of_time))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def mp3(artwork: Artwork) -> bytes:
    """Return an artwork as a short melody."""
    buffer = io.BytesIO()
    total = round(artwork.seconds * SAMPLES_PER_SECOND)
    note = SAMPLES_PER_SECOND // 4
    picks = numbers(artwork.seed or artwork.text)
    samples = array.array("h")
    for index in range(total):
        place = index // note
        pitch = SCALE[picks[place % len(picks)] % len(SCALE)]
        fading = 1.0 - (index % note) / note
        samples.append(round(9000 * fading * math.sin(2 * math.pi * pitch * index / SAMPLES_PER_SECOND)))
    with av.open(buffer, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=SAMPLES_PER_SECOND)
        stream.layout = "mono"
        stream.bit_rate = 32_000
        frame = av.AudioFrame(format="s16p", layout="mono", samples=total)
        frame.sample_rate = SAMPLES_PER_SECOND
        plane = frame.planes[0]
        plane.update(samples.tobytes().ljust(plane.buffer_size, b"\0"))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()
