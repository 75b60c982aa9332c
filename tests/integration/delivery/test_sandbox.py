# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The whole way with the sandbox: a paid generation's links go bad in every way, its file arrives all the same."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from airflow_provider_adgen.core.errors import DownloadError
from airflow_provider_adgen.sandbox.pytest_plugin import adgen_sandbox, adgen_sandbox_options  # noqa: F401 - fixtures


@pytest.fixture
def sandbox(adgen_sandbox):  # noqa: F811 - the fixture imported above
    return adgen_sandbox


@pytest.fixture
def hook(sandbox, monkeypatch):
    from airflow_provider_adgen.hooks.adsumo import AdsumoHook

    monkeypatch.setenv("AIRFLOW_CONN_ADSUMO_TEST", sandbox.connection_json("adsumo", headers={"X-Team": "growth"}))
    return AdsumoHook("adsumo_test")


@pytest.fixture
def finished(hook, sandbox):
    """A generation that is paid for and has its links."""
    from airflow_provider_adgen.vendors.adsumo import TextToImage

    submitted = hook.submit(TextToImage(prompt="A red bottle on a beach", model="fast", aspect_ratio="1:1"))
    sandbox.advance(3600)
    generation = hook.get_generation(submitted.id)
    assert generation.succeeded
    return generation


def check(stored, sandbox):
    (creative,) = stored.creatives
    content = Path(creative.uri.removeprefix("file://")).read_bytes()
    assert content.startswith(b"\x89PNG")
    assert (creative.size, creative.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert "http" not in json.dumps(stored.to_xcom(urls=True))
    assert len(sandbox.charges) == 1


def test_a_good_link(hook, sandbox, finished, tmp_path):
    check(hook.download(finished, str(tmp_path)), sandbox)


def test_a_link_that_has_expired(hook, sandbox, finished, tmp_path):
    sandbox.advance(2 * 3600)
    check(hook.download(finished, str(tmp_path)), sandbox)


def test_a_link_that_the_host_refuses_and_a_body_that_breaks_off(hook, sandbox, finished, tmp_path):
    sandbox.settings({"media": {"min_bytes": 400_000}})
    sandbox.fault("expired_link", path="/media/*")
    sandbox.fault("truncate", path="/media/*", bytes=100_000)
    sandbox.fault("drop", path="/media/*")
    check(hook.download(finished, str(tmp_path)), sandbox)


def test_a_host_that_stays_down_loses_nothing(hook, sandbox, finished, tmp_path, monkeypatch):
    from airflow_provider_adgen.core.clock import Clock

    async def at_once(self, seconds):
        pass

    monkeypatch.setattr(Clock, "sleep", at_once)
    sandbox.fault("status", path="/media/*", status=503, times=-1)
    with pytest.raises(DownloadError, match="answered 503") as caught:
        hook.download(finished, str(tmp_path))
    assert "://" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    sandbox.clear_faults()
    check(hook.download(finished.id, str(tmp_path)), sandbox)
