# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import hashlib
import os
import threading

import pytest

from airflow_provider_adgen.delivery.atomic_writer import AtomicWriter, NotStored
from airflow_provider_adgen.delivery.sinks import LocalFile


def test_what_the_disk_holds_is_compared_before_the_name_exists(tmp_path):
    path = tmp_path / "x.mp4"
    sink = LocalFile(str(path))
    sink.write(b"film")
    with pytest.raises(OSError, match="not what was written"):
        sink.commit(4, hashlib.sha256(b"fil.").hexdigest())
    with pytest.raises(OSError, match="not what was written"):
        sink.commit(5, hashlib.sha256(b"film").hexdigest())
    assert not path.exists()
    sink.abort()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_swept_and_a_living_one_is_not_disturbed(tmp_path):
    old, fresh, other = (tmp_path / name for name in (".x.mp4.aa.part", ".x.mp4.bb.part", ".y.mp4.aa.part"))
    for path in (old, fresh, other):
        path.write_bytes(b"half")
    for path in (old, other):
        os.utime(path, (1, 1))
    sink = LocalFile(str(tmp_path / "x.mp4"))
    sink.abort()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".x.mp4.bb.part", ".y.mp4.aa.part"]


async def test_cleaning_up_waits_for_a_write_that_cannot_be_cancelled():
    order, writing, go_on = [], threading.Event(), threading.Event()

    class Slow:
        def write(self, data):
            writing.set()
            go_on.wait(10)
            order.append("written")

        def abort(self):
            order.append("aborted")

    writer = AtomicWriter(Slow)
    write = asyncio.create_task(writer.write(b"x"))
    await asyncio.to_thread(writing.wait, 10)
    write.cancel()
    with pytest.raises(asyncio.CancelledError):
        await write
    abort = asyncio.create_task(writer.abort())
    await asyncio.sleep(0)
    go_on.set()
    await abort
    assert order == ["written", "aborted"]
    with pytest.raises(NotStored):
        await writer.write(b"more")


async def test_aborting_after_the_end_undoes_nothing(tmp_path):
    writer = AtomicWriter(lambda: LocalFile(str(tmp_path / "x")))
    await writer.write(b"film")
    await writer.commit()
    await writer.abort()
    assert (tmp_path / "x").read_bytes() == b"film"
    assert writer.sha256 == hashlib.sha256(b"film").hexdigest()
