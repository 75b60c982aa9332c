# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What the steps of a campaign have in common."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_adgen.compat import AirflowSkipException
from airflow_provider_adgen.operators._errors import no_useless_retry
from airflow_provider_adgen.operators._option_values import refused_options
from airflow_provider_adgen.operators.links import GALLERY, show_stored

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from airflow.sdk import Context

_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def read_flag(name: str, value: Any) -> bool:
    """
    Return a flag, which a template may have turned into a word.

    :raises ValueError: it is not clearly true or false; an empty word is not, either.
    """
    if isinstance(value, bool):
        return value
    found = _WORDS.get(str(value).strip().lower())
    if found is None:
        raise ValueError(f"{name} is {value!r}, which is not clearly true or false: write true or false")
    return found


def stop_if_dry(value: Any) -> None:
    """
    Skip a task that a dry run leaves out.

    :param value: the flag ``dry_run``, as it was rendered.
    :raises AirflowSkipException: this is a dry run.
    :raises InvalidRequest: the flag is not clearly true or false. Nothing was sent.
    """
    with refused_options():
        if read_flag("dry_run", value):
            raise AirflowSkipException("This is a dry run (dry_run): nothing is made and nothing is published.")


def pull(context: Mapping[str, Any], task_id: str, key: str = "return_value") -> Any:
    """Return what a task of this run left in XCom, for the same map index; None where it left nothing."""
    ti = context["ti"]
    index = getattr(ti, "map_index", -1)
    return ti.xcom_pull(task_ids=task_id, key=key, map_indexes=-1 if index is None else index) or None


def states(context: Mapping[str, Any], task_ids: Collection[str]) -> dict[str, str]:
    """
    Return how tasks of this run ended, by id, for the same map index where they are mapped together with this task.

    What a task left in XCom does not say that: a clear keeps it until the task runs again.
    """
    ti = context["ti"]
    found = ti.get_task_states(dag_id=ti.dag_id, task_ids=sorted(task_ids), run_ids=[ti.run_id]).get(ti.run_id, {})
    if ti.map_index is None or ti.map_index < 0:
        return dict(found)
    mine = {name: task_id for task_id in task_ids for name in (task_id, f"{task_id}_{ti.map_index}")}
    return {mine[name]: state for name, state in found.items() if name in mine}


class CampaignStep(BaseOperator):
    """
    A step of a campaign. It sends nothing that is paid for.

    :param destination: the campaign's folder: an object-storage path. Each campaign needs one of its own.
    :param is_dry_run: only plan: a flag, or a template of one. A word that is not clearly true or false is refused.
    """

    template_fields: Sequence[str] = ("destination", "is_dry_run")
    ui_color = "#e3edfb"
    in_dry_run = False
    """Whether a dry run has this step."""

    def __init__(self, *, destination: str, is_dry_run: bool | str = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.destination = destination
        self.is_dry_run = is_dry_run

    def execute(self, context: Context) -> Any:
        """Do the step, unless it is left out."""
        with no_useless_retry():
            if self.in_dry_run:
                with refused_options():
                    read_flag("dry_run", self.is_dry_run)
            else:
                stop_if_dry(self.is_dry_run)
            return self.do(context)

    @abc.abstractmethod
    def do(self, context: Context) -> Any:
        """Do the step."""


class StoringStep(CampaignStep):
    """A step that stores files, and tells OpenLineage which."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._read: list[str] = []
        self._written: list[str] = []

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:
        """Return what was read and stored; called by the OpenLineage provider, where that is installed."""
        from airflow_provider_adgen.operators._lineage import files_lineage

        return files_lineage(self._read, self._written)


class ShowingStep(StoringStep):
    """
    A step that writes the gallery, and links to it on its page.

    :param gallery_url: the https address under which people reach the campaign's destination; None: what ``[adgen]
        destination_urls`` says.
    """

    template_fields: Sequence[str] = (*CampaignStep.template_fields, "gallery_url")
    operator_extra_links = (GALLERY,)

    def __init__(self, *, gallery_url: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gallery_url = gallery_url

    def show_gallery(self, context: Context, uri: str) -> None:
        """Let the task's page lead to the gallery, if people can reach it."""
        urls = {str(self.destination): self.gallery_url} if self.gallery_url else {}
        show_stored(self, context, GALLERY, uri, urls)
