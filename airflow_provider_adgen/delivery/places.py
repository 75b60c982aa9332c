# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Destinations: the file system that a path names, and the sinks of the files below it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from airflow_provider_adgen.core.errors import DownloadError, InvalidRequest
from airflow_provider_adgen.core.scrub import reason, scrub
from airflow_provider_adgen.delivery.sinks import LocalFile, ObjectUpload, RemoteFile, Sink

# On these object stores, a file becomes visible when its upload is completed, at close. Elsewhere a temporary name
# and a rename are used. That also works on an object store that is not listed here, and costs it one copy.
_COMPLETED_AT_CLOSE = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"})
# What Jinja, str() and JSON make of a value that is not there.
_MISSING = frozenset({"none", "null", "nan", "undefined"})
_EXTRAS = {"s3": "s3", "s3a": "s3", "s3n": "s3", "gs": "gcs", "gcs": "gcs"}


@dataclass(frozen=True)
class Place:
    """
    A folder, bucket or prefix that files are stored below.

    :param uri: how a user names it, without a slash at the end.
    :param path: the same as its file system names it.
    :param fs: the fsspec file system; None for files of this machine.
    """

    uri: str
    path: str
    fs: Any = None

    def uri_of(self, name: str) -> str:
        """Return what ``ObjectStoragePath`` finds the file *name* by."""
        return f"{self.uri}/{name}"

    def sink(self, name: str, media_type: str) -> Sink:
        """Open the file *name* for writing; blocks."""
        path = f"{self.path}/{name}"
        if self.fs is None:
            return LocalFile(path)
        protocols = _protocols(self.fs)
        if protocols & _COMPLETED_AT_CLOSE:
            return ObjectUpload(self.fs, path, _upload_options(protocols, media_type))
        return RemoteFile(self.fs, path)

    def __str__(self) -> str:
        return scrub(self.uri) if self.fs is not None else self.path or "/"


def resolve(destination: str) -> Place:
    """
    Find a destination's file system; looks up its Airflow connection, and blocks.

    :param destination: anything that Airflow's ``ObjectStoragePath`` takes, or a plain path of this machine.
    :raises DownloadError: there is no such file system or connection.
    """
    return _resolve(destination, DownloadError, "A retry costs nothing.", "destination")


def resolve_file(path: str) -> tuple[Place, str]:
    """
    Find the folder of a file that is named in full, and the file's name in it; blocks.

    :raises DownloadError: it names no file, or there is no such file system or connection.
    """
    text = str(path).strip()
    if fault := _fault(text):
        raise DownloadError(f"The path {fault}; give the whole path of a file.")
    scheme, mark, rest = text.rpartition("://")
    folder, slash, name = rest.rpartition("/")
    if not name or name in {".", ".."} or (mark and not slash):
        raise DownloadError(f"{scrub(text)} names no file; give the whole path of one.")
    if not mark:
        return resolve(folder or ("/" if slash else ".")), name
    return resolve(f"{scheme}{mark}{folder}{slash}"), name


def check_destination(destination: str, name: str = "destination") -> None:
    """
    Refuse a destination that cannot work, before anything is paid for. Writes nothing; blocks.

    :param destination: anything that Airflow's ``ObjectStoragePath`` takes, or a plain path of this machine; as it was
        rendered.
    :param name: what the message calls it.
    :raises InvalidRequest: it names no place (it is empty, ``None``, only a scheme, or not rendered), or there is no
        such file system or connection.
    """
    _resolve(destination, InvalidRequest, "Nothing was sent.", name)


def _resolve(destination: str, error: type[DownloadError | InvalidRequest], ending: str, name: str) -> Place:
    text = str(destination).strip()
    if fault := _fault(text):
        raise error(f"The {name} {fault}; give the path of a folder or of an object storage. {ending}")
    scheme, mark, rest = text.partition("://")
    if not mark:
        path = os.path.abspath(os.path.expanduser(text)).rstrip("/")
        return Place(f"file://{path}", path)
    try:
        from airflow.sdk import ObjectStoragePath  # not at module level: DAG files that only name us do not need it

        place = ObjectStoragePath(text)
        path, fs = str(place.path).rstrip("/"), place.fs
    except Exception as problem:  # a missing provider or connection, and whatever a file system's constructor raises
        extra = _EXTRAS.get(scheme.lower())
        hint = f"install airflow-provider-adgen[{extra}], and check" if extra else "check"
        raise error(
            f"Nothing can be stored under {scrub(text)} ({reason(problem)}): {hint} the {name} and the Airflow "
            f"connection it names. {ending}"
        ) from None
    if "file" in _protocols(fs):
        path = os.path.abspath(path or "/").rstrip("/")
        return Place(f"file://{path}", path)
    return Place(f"{scheme}://{rest.rstrip('/')}", path, fs)


def _fault(text: str) -> str | None:
    """Say why a path names no place; None where it names one."""
    if not text:
        return "is empty"
    if text.lower() in _MISSING:
        return f"is {text!r}, which is what a template makes of a missing value"
    if "{{" in text or "{%" in text:
        return "holds a template that was not rendered"
    scheme, mark, rest = text.partition("://")
    if mark and not rest:
        return f"is only a scheme, {text}"
    if mark and scheme.lower() in _COMPLETED_AT_CLOSE:
        bucket = rest.partition("/")[0].rpartition("@")[2].strip()
        if not bucket or bucket.lower() in _MISSING:
            return "names no bucket"
    return None


def _protocols(fs: Any) -> frozenset[str]:
    protocol = fs.protocol
    return frozenset({protocol} if isinstance(protocol, str) else protocol)


def _upload_options(protocols: frozenset[str], media_type: str) -> dict[str, Any]:
    # Without it the object is served as octet-stream, which ad platforms that fetch it by its link refuse.
    if not media_type:
        return {}
    if "s3" in protocols:
        return {"ContentType": media_type}
    if "gs" in protocols:
        return {"content_type": media_type}
    return {}
