# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The step of a campaign that shows what was made, before anything is published."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_adgen.campaigns.step import ShowingStep, pull, states
from airflow_provider_adgen.compat import AirflowSkipException
from airflow_provider_adgen.core.wording import counted

if TYPE_CHECKING:
    from airflow.sdk import Context


class DraftCampaignOperator(ShowingStep):
    """
    Write ``manifest.json`` and ``gallery.html`` to ``<destination>/<run>/``. It costs nothing.

    Give it the trigger rule ``all_done``: it shows what there is, whatever the batch ended as. It is skipped if nothing
    has a result, and if the batch did not run because a task before it failed. Returns ``{"manifest", "gallery",
    "sha256", "left_out", "counts", "credits"}``.

    :param generate_task_id: the task that made the creatives.
    :raises AdGenError: results or ledger cannot be read, or the files cannot be written. A retry may help.
    """

    def __init__(self, *, generate_task_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.generate_task_id = generate_task_id

    def do(self, context: Context) -> dict[str, Any]:
        """Write the draft."""
        from airflow_provider_adgen.campaigns.made import Made
        from airflow_provider_adgen.campaigns.run_folder import RunFolder

        if "upstream_failed" in states(context, [self.generate_task_id]).values():
            raise AirflowSkipException(f"{self.generate_task_id} did not run: there is nothing new to show.")
        made = Made.by(context, self.generate_task_id)
        if made is None or not made.with_result:
            raise AirflowSkipException("Nothing has a result: there is nothing to show or to publish.")
        draft = made.write(RunFolder(self.destination, context["ti"].run_id))
        self._read = [pull(context, self.generate_task_id, "results")]
        self._written = [draft["manifest"], draft["gallery"]]
        self.show_gallery(context, draft["gallery"])
        counts = dict(Counter(line["status"] for line in made.results))
        self.log.info("%s shows %s with a result.", draft["gallery"], counted(len(made.with_result), "creative"))
        return {**draft, "counts": counts, "credits": made.credits}
