# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What the group of tasks refuses when a DAG is parsed, and what it costs to parse it."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_adgen.campaigns import Brief, campaign_asset, campaign_refresh
from airflow_provider_adgen.campaigns.step import read_flag, states
from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.core.tokens import token_end
from airflow_provider_adgen.operators.batch import GenerateBatchOperator

HERO = Brief("hero", kind="image", prompt="A photo of {title}.")


def group(**arguments: Any) -> Any:
    given: dict[str, Any] = {
        "catalogue": "feed.xml",
        "briefs": [HERO],
        "accounts": ["adsumo_default", "sume_default"],
        "destination": "s3://aws_default@ads/spring",
        **arguments,
    }
    with DAG("spring", schedule=None) as dag:
        campaign_refresh(**given)
    return dag


def test_the_tasks_follow_each_other() -> None:
    dag = group()
    assert {task.task_id: sorted(task.upstream_task_ids) for task in dag.tasks} == {
        "campaign.check": [],
        "campaign.plan": ["campaign.check"],
        "campaign.generate": ["campaign.plan"],
        "campaign.draft": ["campaign.generate"],
        "campaign.publish": ["campaign.draft"],
        "campaign.verdict": ["campaign.publish"],
    }
    rules = {task.task_id: task.trigger_rule.value for task in dag.tasks}
    assert [name for name, rule in rules.items() if rule == "all_done"] == ["campaign.draft", "campaign.verdict"]
    assert dag.get_task("campaign.publish").outlets == [campaign_asset("spring")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"briefs": []}, "briefs must be a list of briefs"),
        ({"briefs": HERO}, "briefs must be a list of briefs"),
        ({"briefs": ["{{ params.briefs }}"]}, "briefs must be a list of briefs"),
        ({"briefs": [HERO, HERO]}, "same name"),
        ({"accounts": "adsumo_default"}, "accounts must be a list of connections"),
        ({"accounts": []}, "accounts must be a list of connections"),
        ({"accounts": ["a", "a"]}, "names a connection twice"),
        ({"max_credits": 600}, "max_credits must name the accounts"),
        ({"assume_credits": 40}, "assume_credits must name the accounts"),
        ({"max_credits": {"adsumo": 1, "sume_default": 1}}, "max_credits names 'adsumo', which accounts does not have"),
        ({"max_credits": {"sume_default": "{{ params.most }}"}}, "max_credits has no limit for adsumo_default"),
        ({"assume_credits": {"sume": 20}}, "assume_credits names 'sume', which accounts does not have"),
        ({"columns": "shopfy"}, "There are no ready columns 'shopfy'; there are google, woocommerce, shopify"),
        ({"columns": {"titel": "Name"}}, "columns names 'titel', which is no field of a product"),
        ({"currency": "EURO"}, "currency is no currency code of ISO 4217: 'EURO'"),
        ({"curency": "EUR", "max_in_fligth": 5}, "campaign_refresh has no argument 'curency', 'max_in_fligth'"),
        ({"destination": " "}, "destination must be"),
        ({"items": []}, "items is what the campaign itself says to the batch"),
        ({"on_account_out": "skip"}, "on_account_out must be one of"),
        ({"on_over_budget": "skip"}, "on_over_budget must be one of"),
        ({"on_bad_row": "drop"}, "on_bad_row must be one of"),
        ({"reuse": "yes"}, "reuse must be one of"),
        ({"review": "{{ params.review }}"}, "review must be one of"),
        ({"reuse_max_age": 5}, "reuse_max_age needs reuse=True"),
        ({"review_timeout": 5}, "review_timeout needs review=True"),
        ({"library": "s3://x@y/z"}, "only with reuse=True"),
        ({"gallery_url": "http://ads.example"}, "must begin with https://"),
        ({"gallery_url": "https://ads.example/spring?token=x"}, "gallery_url must hold no user, query or fragment"),
        ({"dry_run": "perhaps"}, "not clearly true or false"),
        ({"dry_run": ""}, "not clearly true or false"),
        ({"dry_run": None}, "not clearly true or false"),
        ({"timeout": -1}, "timeout must be more than 0"),
        ({"poll_interval": "soon"}, "poll_interval must be seconds or a timedelta"),
        ({"reuse": True, "reuse_max_age": 0}, "reuse_max_age must be more than 0"),
        ({"fail_when": "sometimes"}, "fail_when must be one of 'any', 'all', or a share between 0 and 1"),
        ({"fail_when": 1.5}, "fail_when must be one of 'any', 'all', or a share between 0 and 1"),
        ({"on_failed": "retry"}, "on_failed must be one of None, 'fail', 'resubmit'"),
        ({"on_clear": "anew"}, "on_clear must be one of 'missing', 'fresh', 'reattach'"),
        ({"on_invalid": "drop"}, "on_invalid must be one of 'fail', 'skip'"),
        ({"on_insufficient": "stop"}, "on_insufficient must be one of 'fail', 'wait'"),
        ({"max_in_flight": 501}, "max_in_flight must be between 1 and 500"),
        ({"filename": "{key}.{ext}"}, "filename must hold {id} and {n}"),
        ({"limit": 0}, "limit must be between 1 and"),
        ({"limit": "ten"}, "limit must be a whole number"),
        ({"max_credits": {"adsumo_default": 6.5, "sume_default": 1}}, "must be a whole number of credits, not 6.5"),
        ({"max_credits": {"adsumo_default": -1, "sume_default": 1}}, "must not be negative"),
        ({"assume_credits": {"sume_default": {"image": "many"}}}, "must be a whole number of credits, not 'many'"),
        ({"accounts": ["adsumo_default", ""]}, "accounts must name connections"),
        ({"accounts": ["{{ params.account }}"]}, "accounts must name connections"),
        ({"catalogue": None}, "catalogue must be the path of a feed"),
        ({"catalogue": " "}, "catalogue must be the path of a feed"),
        ({"reuse": True, "library": " "}, "library is empty"),
    ],
)
def test_what_is_wrong_is_refused_when_the_dag_is_parsed(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        group(**arguments)


def test_what_a_template_says_is_not_known_when_the_dag_is_parsed() -> None:
    dag = group(max_credits="{{ params.most }}", assume_credits={"sume_default": "{{ params.price }}"}, currency="eur")
    assert dag.get_task("campaign.plan").max_credits == "{{ params.most }}"
    assert dag.get_task("campaign.plan").currency == "eur"


def test_values_that_a_template_says_are_looked_at_when_their_task_runs() -> None:
    by_kind = {"sume_default": {"image": "{{ params.price }}"}}
    limits = {"adsumo_default": "{{ params.most }}", "sume_default": "7"}
    dag = group(max_credits=limits, assume_credits=by_kind, limit="{{ params.limit or '' }}", on_failed=None)
    assert dag.get_task("campaign.plan").limit == "{{ params.limit or '' }}"
    assert group(limit="", max_credits=None).get_task("campaign.plan").limit == ""


def test_arguments_of_the_batch_and_of_airflow_are_for_the_task_that_generates() -> None:
    task = group(max_in_flight=5, pool="ads", retries=3, execution_timeout=None).get_task("campaign.generate")
    assert (task.max_in_flight, task.pool, task.retries) == (5, "ads", 3)


@pytest.mark.parametrize("word", ["", "  ", "None", "null", "maybe", "ja", "2", "truee", None, 2, [], {}])
def test_words_that_are_no_flag(word: Any) -> None:
    with pytest.raises(ValueError, match="not clearly true or false"):
        read_flag("dry_run", word)


def test_words_that_are() -> None:
    assert [read_flag("x", word) for word in (True, "True", "yes", "ON", " 1 ")] == [True] * 5
    assert [read_flag("x", word) for word in (False, "False", "no", "Off", "0")] == [False] * 5


def test_states_of_mapped_tasks_are_those_of_the_same_index() -> None:
    """Airflow puts the map index behind the ids of mapped tasks."""
    found = {"list": "success", "spring.plan_0": "failed", "spring.plan_1": "success"}
    for index, state in ((0, "failed"), (1, "success")):
        ti = SimpleNamespace(dag_id="d", run_id="r", map_index=index, get_task_states=lambda **_of: {"r": found})
        assert states({"ti": ti}, ["list", "spring.plan"]) == {"list": "success", "spring.plan": state}


def test_a_token_says_when_it_ends() -> None:
    def token(claims: Any) -> str:
        return f"h.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.s"

    assert token_end(token({"exp": 1800000000})) == 1800000000.0
    for key in ("adsumo_sk_x", "", "a.b.c", "..", token({}), token([1]), token({"exp": "soon"}), token({"exp": True})):
        assert token_end(key) is None
    for end in (0, -1, 10**400, float("inf"), float("nan")):
        assert token_end(token({"exp": end})) is None


def test_parsing_it_imports_nothing_heavy() -> None:
    code = (
        "import json, sys; from airflow.sdk import DAG, Asset, BaseOperator, TaskGroup;"
        "dag = DAG('spring', schedule=None); dag.__enter__(); BaseOperator(task_id='x').output;"
        "before = set(sys.modules);"
        "from airflow_provider_adgen.campaigns import Brief, campaign_refresh;"
        "campaign_refresh(catalogue='x', briefs=[Brief('hero', kind='image', prompt='x')], accounts=['a'],"
        " destination='s3://x@y/z', dry_run='{{ params.dry }}');"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert "airflow_provider_adgen.campaigns.refresh" in loaded
    name = "airflow_provider_adgen"
    heavy = {
        "httpx",
        "pydantic",
        *(f"{name}.{part}" for part in ("vendors", "hooks", "triggers", "lifecycle", "ledger")),
    }
    heavy |= {f"{name}.delivery", f"{name}.core.requests", f"{name}.core.vocabulary", f"{name}.campaigns.plan"}
    assert [one for one in loaded if any(one == part or one.startswith(f"{part}.") for part in heavy)] == []


def test_briefs_do_not_stand_in_what_airflow_keeps_of_a_dag() -> None:
    dag = group(briefs=[Brief("hero", kind="image", prompt="The secret of {title} and {{ braces }}.")])
    for task in dag.tasks:
        assert "briefs" not in task.template_fields


def supports_library() -> bool:
    import inspect

    return "library" in inspect.signature(GenerateBatchOperator.__init__).parameters


@pytest.mark.xfail(not supports_library(), reason="GenerateBatchOperator has no library= yet", raises=TypeError)
def test_reuse_has_a_library_below_the_destination() -> None:
    dag = group(reuse=True, destination="{{ params.place }}/", reuse_max_age=3600)
    place = "{{ params.place }}/_adgen/library"
    assert dag.get_task("campaign.plan").library == dag.get_task("campaign.generate").library == place
    assert dag.get_task("campaign.generate").reuse_max_age == 3600


def test_no_library_is_the_one_in_the_destination() -> None:
    """Not none at all: that would buy everything again."""
    dag = group(reuse=True, library=None)
    place = "s3://aws_default@ads/spring/_adgen/library"
    assert dag.get_task("campaign.plan").library == dag.get_task("campaign.generate").library == place
