# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Changing an answer as a fault demands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.sandbox.engine.answers import Answer
from airflow_provider_adgen.sandbox.engine.faults import CONTENTS, Fault

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def corrupt(answer: Answer, fault: Fault) -> Answer:
    """Change an answer. An answer that the fault does not concern is returned unchanged."""
    if fault.kind in ("not_json", "wrong_file"):
        content_type, text = CONTENTS["html" if fault.kind == "not_json" else fault.content]
        body = (text if fault.body is None else fault.body).encode(fault.charset or "utf-8")
        answer = Answer(200, body=body, content_type=_content_type(content_type, fault))
    elif fault.kind in ("missing_fields", "patch"):
        if answer.stream is not None:
            answer.stream = _changed_events(answer.stream, fault)
        else:
            answer.body = _changed(answer.payload(), fault)
            answer.content_type = _content_type(answer.content_type, fault)
    given = {name.lower() for name in fault.headers}
    answer.headers = {name: value for name, value in answer.headers.items() if name.lower() not in given}
    answer.headers |= fault.headers
    return answer


def _content_type(content_type: str, fault: Fault) -> str:
    return content_type if fault.charset is None else f"{content_type}; charset={fault.charset}"


def _changed(body: bytes, fault: Fault) -> bytes:
    data = json.loads(body or b"null")
    if fault.kind == "patch":
        data = merged(data, fault.values)
    for name in fault.fields if fault.kind == "missing_fields" else ():
        data = without(data, name)
    return json.dumps(data, ensure_ascii=fault.charset is None).encode(fault.charset or "utf-8", "surrogatepass")


async def _changed_events(events: AsyncIterator[bytes], fault: Fault) -> AsyncIterator[bytes]:
    async for event in events:
        head, mark, data = event.partition(b"data: ")
        yield head + mark + (_changed(data, fault) + b"\n\n" if mark else b"")


def without(data: Any, name: str) -> Any:
    """Return JSON data without a field (a dotted name goes into objects, and into every item of a list)."""
    if isinstance(data, list):
        return [without(item, name) for item in data]
    if not isinstance(data, dict):
        return data
    first, _, rest = name.partition(".")
    if not rest:
        return {key: value for key, value in data.items() if key != first}
    return {key: without(value, rest) if key == first else value for key, value in data.items()}


def merged(data: Any, values: dict[str, Any]) -> Any:
    """Return JSON data with values merged into it."""
    if not isinstance(data, dict):
        return data
    result = dict(data)
    for key, value in values.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(value, dict) and isinstance(old, dict) else value
    return result
