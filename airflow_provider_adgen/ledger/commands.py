# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The command lines that messages tell a person to run."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from airflow_provider_adgen.compat import command_line

if TYPE_CHECKING:
    from airflow_provider_adgen.core.identity import TaskIdentity


def command(verb: str, identity: TaskIdentity, *words: str) -> str:
    """
    Return a command line to copy.

    :param verb: ``show``, ``list``, ``attach`` or ``dismiss``.
    :param identity: the task, or an item of its batch.
    :param words: what follows the task.
    """
    parts = ["ledger", verb, identity.dag_id, identity.run_id, identity.task_id]
    # A job id is the vendor's word, or a placeholder for the reader. argparse (Python 3.11) finds one that may be left
    # out only beside the other positionals.
    said = [word if word.startswith("<") else shlex.quote(word) for word in words]
    options = []
    if identity.map_index >= 0:
        options += ["--map-index", str(identity.map_index)]
    if identity.item is not None:
        # A key may begin like an option.
        options += [f"--key={identity.item}"] if identity.item.startswith("-") else ["--key", identity.item]
    return " ".join([command_line(), *map(shlex.quote, parts), *said, *map(shlex.quote, options)])
