# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import av
import httpx
import pytest
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_adgen.sandbox import Sandbox


@pytest.fixture
def adsumo(client_for: Callable[..., httpx.Client]) -> httpx.Client:
    return client_for("adsumo")


@pytest.fixture
def job(sandbox: Sandbox, adsumo: httpx.Client) -> str:
    """The path of a completed generation with one picture."""
    body = {"prompt": "White sneakers on marble", "model": "pro", "aspect_ratio": "9:16"}
    made = adsumo.post("/images/text-to-image", json=body).json()["generation_id"]
    sandbox.advance(100)
    return f"/generations/{made}"


@pytest.fixture
def link(adsumo: httpx.Client, job: str) -> str:
    return str(adsumo.get(job).json()["result_url"])


class TestFiles:
    @pytest.mark.parametrize(("ratio", "size"), [("9:16", (512, 910)), ("1:1", (512, 512)), ("16:9", (910, 512))])
    def test_a_picture_has_the_ratio_asked_for(
        self, sandbox: Sandbox, adsumo: httpx.Client, media: httpx.Client, ratio: str, size: tuple[int, int]
    ) -> None:
        body = {"prompt": "A very long prompt " * 60, "model": "fast", "aspect_ratio": ratio}
        made = adsumo.post("/images/text-to-image", json=body).json()["generation_id"]
        sandbox.advance(100)
        answer = media.get(adsumo.get(f"/generations/{made}").json()["result_url"])
        assert answer.headers["content-type"] == "image/png"
        image = Image.open(io.BytesIO(answer.content))
        image.load()
        assert (image.format, image.size) == ("PNG", size)

    def test_a_film_plays(self, sandbox: Sandbox, adsumo: httpx.Client, media: httpx.Client) -> None:
        body = {"prompt": "Sneakers", "model": "sora-2", "aspect_ratio": "9:16"}
        made = adsumo.post("/videos/ai-video", json=body).json()["generation_id"]
        sandbox.advance(100)
        answer = media.get(adsumo.get(f"/generations/{made}").json()["result_url"])
        assert answer.headers["content-type"] == "video/mp4"
        with av.open(io.BytesIO(answer.content)) as film:
            stream = film.streams.video[0]
            assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 360, 640)
            assert len(list(film.decode(stream))) == 24
            assert film.duration == 2_000_000

    def test_a_voice_lasts_as_long_as_said(self, adsumo: httpx.Client, media: httpx.Client) -> None:
        body = {"text": "Thirty characters, no more, ok", "voice_id": "EXAVITQu4vr4xnSDxMaL"}
        made = adsumo.post("/voiceovers/text-to-speech", json=body).json()
        with av.open(io.BytesIO(media.get(made["audio_url"]).content)) as sound:
            frames = list(sound.decode(audio=0))
            seconds = sum(frame.samples for frame in frames) / frames[0].sample_rate
        assert abs(seconds - made["duration"]) < 0.15

    def test_an_archive_holds_every_picture(self, sandbox: Sandbox, adsumo: httpx.Client, media: httpx.Client) -> None:
        sandbox.settings(adsumo={"multiple_results": "zip", "job_seconds": 0})
        body = {"prompt": "Sneakers", "model": "fast", "aspect_ratio": "1:1", "quantity": 3}
        made = adsumo.post("/images/text-to-image", json=body).json()["generation_id"]
        answer = media.get(adsumo.get(f"/generations/{made}").json()["result_url"])
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert archive.namelist() == ["result-1.png", "result-2.png", "result-3.png"]
            pictures = [archive.read(name) for name in archive.namelist()]
        assert len(set(pictures)) == 3
        Image.open(io.BytesIO(pictures[2])).load()

    def test_the_same_job_gives_the_same_bytes(self, adsumo: httpx.Client, media: httpx.Client, job: str) -> None:
        links = [adsumo.get(job).json()["result_url"] for _ in range(2)]
        assert links[0] != links[1]
        first, second = (media.get(link) for link in links)
        assert first.content == second.content
        assert first.headers["etag"] == second.headers["etag"]

    @pytest.mark.parametrize(("kind", "form"), [("image", "png"), ("ai-video", "mp4")])
    def test_a_file_can_be_made_large(
        self, sandbox: Sandbox, adsumo: httpx.Client, media: httpx.Client, kind: str, form: str
    ) -> None:
        sandbox.settings(media={"min_bytes": 3_000_000}, adsumo={"job_seconds": 0})
        body = (
            {"prompt": "S", "model": "sora-2"}
            if kind == "ai-video"
            else {"prompt": "S", "model": "fast", "aspect_ratio": "1:1"}
        )
        path = "/videos/ai-video" if kind == "ai-video" else "/images/text-to-image"
        made = adsumo.post(path, json=body).json()["generation_id"]
        content = media.get(adsumo.get(f"/generations/{made}").json()["result_url"]).content
        assert 3_000_000 <= len(content) < 3_000_100
        if form == "png":
            Image.open(io.BytesIO(content)).load()
        else:
            with av.open(io.BytesIO(content)) as film:
                assert len(list(film.decode(video=0))) == 24

    def test_jobs_can_share_a_file(self, sandbox: Sandbox, adsumo: httpx.Client, media: httpx.Client) -> None:
        sandbox.settings(adsumo={"job_seconds": 0})
        links = []
        for ratio in ("1:1", "1:1", "9:16"):
            body = {"prompt": ratio, "model": "fast", "aspect_ratio": ratio}
            made = adsumo.post("/images/text-to-image", json=body).json()["generation_id"]
            links.append(adsumo.get(f"/generations/{made}").json()["result_url"])
        own = [media.get(link).content for link in links]
        sandbox.settings(media={"shared": True})
        shared = [media.get(link).content for link in links]
        assert (len(set(own)), len(set(shared))) == (3, 2)
        assert shared[0] == shared[1]
        sizes = [[Image.open(io.BytesIO(content)).size for content in contents] for contents in (own, shared)]
        assert sizes[0] == sizes[1]

    def test_making_a_film_does_not_hold_up_other_requests(self, sandbox: Sandbox, adsumo: httpx.Client) -> None:
        sandbox.settings(adsumo={"job_seconds": 0})
        made = [
            adsumo.post("/videos/ai-video", json={"prompt": str(number), "model": "sora-2"}).json()["generation_id"]
            for number in range(6)
        ]
        links = [adsumo.get(f"/generations/{name}").json()["result_url"] for name in made]
        with ThreadPoolExecutor(6) as pool:
            films = [pool.submit(httpx.get, link, timeout=20) for link in links]
            asked = 0
            while not all(film.done() for film in films):
                assert adsumo.get("/account/credits", timeout=2).status_code == 200
                asked += 1
        assert asked >= 3
        assert len({film.result().content for film in films}) == 6


class TestLinks:
    def test_a_link_expires_after_an_hour_and_a_fresh_one_is_given(
        self, sandbox: Sandbox, adsumo: httpx.Client, media: httpx.Client, job: str
    ) -> None:
        old = adsumo.get(job).json()["result_url"]
        sandbox.advance(1800)
        young = adsumo.get(job).json()["result_url"]
        sandbox.advance(1801)
        assert media.get(old).status_code == 403
        assert media.get(young).status_code == 200
        assert media.get(adsumo.get(job).json()["result_url"]).status_code == 200

    def test_its_lifetime_can_be_chosen(
        self, sandbox: Sandbox, adsumo: httpx.Client, media: httpx.Client, job: str
    ) -> None:
        sandbox.settings(adsumo={"link_seconds": 10})
        link = adsumo.get(job).json()["result_url"]
        sandbox.advance(11)
        assert media.get(link).status_code == 403

    def test_a_forged_link_is_refused(self, media: httpx.Client, link: str) -> None:
        assert media.get(link[:-2] + "00").status_code == 403
        assert media.get(link.partition("?")[0]).status_code == 403
        assert media.get(link.replace("result-1", "result-2")).status_code == 403
        assert media.put(link, content=b"x").status_code == 403

    @pytest.mark.parametrize("header", ["Authorization", "X-Api-Key", "Cookie"])
    def test_a_credential_is_refused(self, media: httpx.Client, link: str, header: str) -> None:
        answer = media.get(link, headers={header: "Bearer adsumo_sk_sandbox"})
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/xml")

    def test_media_are_on_another_host(self, sandbox: Sandbox, adsumo: httpx.Client, job: str) -> None:
        assert httpx.URL(adsumo.get(job).json()["result_url"]).host == "localhost"
        with httpx.Client(
            base_url=str(adsumo.base_url).replace("127.0.0.1", "localhost"), headers=adsumo.headers
        ) as other:
            assert httpx.URL(other.get(job).json()["result_url"]).host == "127.0.0.1"
        sandbox.settings(media={"host": "127.0.0.1"})
        url = httpx.URL(adsumo.get(job).json()["result_url"])
        assert (url.host, url.port) == ("127.0.0.1", sandbox.port)
        sandbox.settings(media={"host": "cdn.example:99"})
        assert adsumo.get(job).json()["result_url"].startswith("http://cdn.example:99/media/")

    def test_an_expired_link_can_be_injected(
        self, sandbox: Sandbox, adsumo: httpx.Client, media: httpx.Client, job: str
    ) -> None:
        sandbox.fault("expired_link", "adsumo", path="/generations/*")
        assert media.get(adsumo.get(job).json()["result_url"]).status_code == 403
        link = adsumo.get(job).json()["result_url"]
        sandbox.fault("expired_link", path="/media/*")
        assert [media.get(link).status_code for _ in range(2)] == [403, 200]


class TestRanges:
    def test_the_whole(self, media: httpx.Client, link: str) -> None:
        answer = media.get(link)
        assert answer.headers["accept-ranges"] == "bytes"
        assert int(answer.headers["content-length"]) == len(answer.content)
        assert answer.headers["etag"].startswith('"')
        assert "content-md5" not in answer.headers
        head = media.head(link)
        assert (head.status_code, head.content, head.headers["content-length"]) == (
            200,
            b"",
            answer.headers["content-length"],
        )

    @pytest.mark.parametrize(
        ("wanted", "first", "last"),
        [("bytes=0-9", 0, 9), ("bytes=100-", 100, None), ("bytes=-50", -50, None), ("bytes=10-99999999", 10, None)],
    )
    def test_a_part(self, media: httpx.Client, link: str, wanted: str, first: int, last: int | None) -> None:
        whole = media.get(link).content
        part = media.get(link, headers={"Range": wanted})
        expected = whole[first:] if last is None else whole[first : last + 1]
        assert (part.status_code, part.content) == (206, expected)
        begin = first % len(whole)
        assert part.headers["content-range"] == f"bytes {begin}-{begin + len(expected) - 1}/{len(whole)}"

    def test_a_part_that_is_not_there(self, media: httpx.Client, link: str) -> None:
        size = len(media.get(link).content)
        answer = media.get(link, headers={"Range": f"bytes={size}-"})
        assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{size}")

    @pytest.mark.parametrize("wanted", ["bytes=9-2", "lines=1-2", "bytes=-", "bytes=0-1,4-5"])
    def test_a_range_that_makes_no_sense_is_ignored(self, media: httpx.Client, link: str, wanted: str) -> None:
        assert media.get(link, headers={"Range": wanted}).status_code == 200

    def test_if_range(self, media: httpx.Client, link: str) -> None:
        whole = media.get(link)
        same = {"Range": "bytes=5-", "If-Range": whole.headers["etag"]}
        assert media.get(link, headers=same).status_code == 206
        dated = {"Range": "bytes=5-", "If-Range": whole.headers["last-modified"]}
        assert media.get(link, headers=dated).status_code == 206
        assert media.get(link, headers={"Range": "bytes=5-", "If-Range": '"other"'}).content == whole.content

    def test_a_server_without_ranges(self, sandbox: Sandbox, media: httpx.Client, link: str) -> None:
        sandbox.settings(media={"ranges": False, "etag": False})
        answer = media.get(link, headers={"Range": "bytes=5-"})
        assert answer.status_code == 200
        assert "accept-ranges" not in answer.headers
        assert "etag" not in answer.headers

    def test_a_download_that_breaks_off_can_be_resumed(self, sandbox: Sandbox, media: httpx.Client, link: str) -> None:
        whole = media.get(link)
        sandbox.fault("truncate", "adsumo", path="/media/*", bytes=1000)
        got = b""
        with pytest.raises(httpx.RemoteProtocolError), media.stream("GET", link) as answer:
            for piece in answer.iter_raw():
                got += piece
        assert got == whole.content[:1000]
        rest = media.get(link, headers={"Range": "bytes=1000-", "If-Range": whole.headers["etag"]})
        assert got + rest.content == whole.content
