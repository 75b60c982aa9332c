# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Runs a vendor's calls and sequences on answers that a test made up, without any wire."""

from __future__ import annotations

import json
from typing import Any

from airflow_provider_adgen.core.calls import Answer, Call, Emit
from airflow_provider_adgen.core.errors import AdGenError, UnexpectedResponse


def answer(value: Any, status: int = 200) -> Answer:
    if isinstance(value, Answer):
        return value
    return Answer(status, {}, value if isinstance(value, bytes) else json.dumps(value).encode())


def drive(steps: Any, answers: dict[str, Any]) -> Any:
    """Run a sequence; *answers* has a JSON value, or an error, by path. What it emits is its result, if it emits."""
    emitted: list[Any] = []
    try:
        order = next(steps)
        while True:
            if isinstance(order, Emit):
                emitted += order.items
                order = next(steps)
                continue
            assert isinstance(order, Call)
            reply = answers[order.path](order) if callable(answers[order.path]) else answers[order.path]
            if isinstance(reply, AdGenError):
                order = steps.throw(reply)
                continue
            try:
                parsed = order.parse(answer(reply))
            except UnexpectedResponse as error:
                order = steps.throw(error)
                continue
            order = steps.send(parsed)
    except StopIteration as stop:
        return emitted if stop.value is None else stop.value
