# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG, task

from airflow_provider_adgen.campaigns import Brief
from airflow_provider_adgen.campaigns.filling import columns_of, fill_text, parse_text
from airflow_provider_adgen.core.errors import InvalidRequest


def fill(text: str, **values: str) -> str:
    return fill_text(parse_text(text), values.__getitem__)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{title} by {brand}", "Lamp by Lumo"),
        ("{ title }", "Lamp"),
        ("{{title}} {title}", "{title} Lamp"),
        ("{{ conn.x.password }}", "{ conn.x.password }"),
        ("{% raw %}", None),
        ("nothing", "nothing"),
        ("two  spaces , as they are", "two  spaces , as they are"),
        ("{title}{brand}", "LampLumo"),
        # A value is text: what looks like a column or a template in it stays.
        ("{odd}", "{title} {{ conn.x.password }}"),
        # An empty value is left out, with the space before it.
        ("{title} {empty} lamp.", "Lamp lamp."),
        ("{title} by {empty}. Light, {empty}.", "Lamp by. Light,."),
        ("{empty}", ""),
        # Names of columns are names and nothing else.
        ("{Custom label 0}", "a label"),
        ("{title.__class__}", "of that name"),
        ("{title[0]}", "indexed"),
        ("{title!r:>10}", "formatted"),
    ],
)
def test_texts_are_filled_in(text: str, filled: str | None) -> None:
    values = {
        "title": "Lamp",
        "brand": "Lumo",
        "empty": "",
        "odd": "{title} {{ conn.x.password }}",
        "Custom label 0": "a label",
        "title.__class__": "of that name",
        "title[0]": "indexed",
        "title!r:>10": "formatted",
    }
    if filled is None:
        with pytest.raises(KeyError):
            fill(text, **values)
    else:
        assert fill(text, **values) == filled


@pytest.mark.parametrize("text", ["a { b", "a } b", "{}", "{ }", "{{{}", "{a{b}", "}{"])
def test_a_brace_that_stands_alone_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a brace that belongs to no column"):
        parse_text(text)
    with pytest.raises(InvalidRequest, match=r"Brief 'hero': .* a brace that belongs to no column"):
        Brief("hero", "image", text)


def test_columns_are_named_in_order() -> None:
    assert columns_of(parse_text("{b} and {a} and {{c}}")) == ["b", "a"]


def test_what_is_stated_is_kept() -> None:
    brief = Brief("reel", "video", "A {title}", formats=["9:16", "1:1"], duration=timedelta(seconds=8), locales=["de"])
    assert (brief.formats, brief.locales, repr(brief.duration)) == (("9:16", "1:1"), ("de",), "8")
    assert [repr(Brief("a", "video", duration=one).duration) for one in (8, 8.0, 7.5)] == ["8", "8", "7.5"]
    assert (brief.count, brief.product_image, brief.priority) == (1, "no", 0)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": ""}, "letters, digits"),
        ({"name": "a/b"}, "letters, digits"),
        ({"name": "x" * 65}, "letters, digits"),
        ({"name": 7}, "letters, digits"),
        ({"kind": "analysis"}, "kind must be one of image, video, voice, copy"),
        ({"prompt": " "}, "prompt must be a text"),
        ({"script": 7}, "script must be a text"),
        ({"formats": "1:1"}, "formats must be a list"),
        ({"formats": ["1/1"]}, "formats must be a list"),
        ({"formats": ["0:1"]}, "formats must be a list"),
        ({"formats": ["1:1", "1:1"]}, "formats names one twice"),
        ({"locales": ["d e"]}, "locales must be a list"),
        ({"locales": [None]}, "locales must be a list"),
        ({"duration": 0}, "duration must be seconds"),
        ({"duration": True}, "duration must be seconds"),
        ({"duration": "8"}, "duration must be seconds"),
        ({"duration": timedelta(seconds=-1)}, "duration must be seconds"),
        ({"count": 0}, "count must be a whole number from 1 to 1000"),
        ({"count": 1001}, "count must be a whole number from 1 to 1000"),
        ({"count": 1.0}, "count must be a whole number"),
        ({"count": True}, "count must be a whole number"),
        ({"product_image": True}, "product_image must be one of no, if_possible, required"),
        ({"priority": "high"}, "priority must be a whole number"),
        ({"prompts": {"de": "Eine Lampe"}}, "prompts has de, which locales does not have"),
        ({"prompts": {"de": "x"}, "locales": ["de", "fr"], "prompt": None}, "there is no text for fr"),
        ({"prompts": ["x"]}, "prompts must be a dictionary of texts"),
        ({"where": {"brand": 1}}, "where must be a dictionary of texts"),
        ({"options": {"model": "fast"}}, "options must be fields by vendor or connection"),
        ({"options": {"adsumo": {"extra_fields": {"a": ["{"]}}}}, "a brace that belongs to no column"),
        ({"locales": ["de"], "prompts": {"de": "{"}}, "a brace that belongs to no column"),
    ],
)
def test_a_brief_that_is_wrong_is_refused_at_once(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidRequest, match=sentence) as refused:
        Brief(**{"name": "hero", "kind": "image", "prompt": "A {title}", **fields})
    assert refused.value.message.startswith("Brief ")
    assert refused.value.message.endswith("Nothing was sent.")


def test_prompts_stand_in_place_of_what_the_brief_says() -> None:
    own = {"de": "Eine Lampe"}
    assert Brief("a", "image", "A lamp", locales=["de", "en"], prompts=own).texts("de") == ("Eine Lampe", None)
    assert Brief("a", "image", "A lamp", locales=["de", "en"], prompts=own).texts("en") == ("A lamp", None)
    assert Brief("a", "image", locales=["de"], prompts=own).texts("de") == ("Eine Lampe", None)
    assert Brief("a", "video", script="A lamp", locales=["de"], prompts=own).texts("de") == (None, "Eine Lampe")
    assert Brief("a", "voice", locales=["de"], prompts=own).texts("de") == (None, "Eine Lampe")
    assert Brief("a", "image", "A lamp").texts(None) == ("A lamp", None)


# --- in Airflow -------------------------------------------------------------------------------------------------------

ODD = Brief(
    "hero",
    "image",
    "{title} {{ conn.adsumo_default.password }} {% raw %}",
    options={"adsumo": {"model": "{{ var.value.model }}"}},
    where={"brand": "{{ ds }}"},
)


def test_airflow_renders_nothing_of_a_brief() -> None:
    with DAG("campaign", schedule=None) as dag:

        @task
        def plan(briefs: list[Brief], one: Brief) -> None:
            """Take briefs."""

        plan([ODD], one=ODD)
    operator: Any = dag.get_task("plan")
    before = repr(ODD)
    operator.render_template_fields({"ds": "2026-01-01"})
    (rendered,) = operator.op_args[0]
    assert rendered is ODD
    assert operator.op_kwargs["one"] is ODD
    assert repr(rendered) == before


def test_a_brief_looks_the_same_at_every_parse() -> None:
    """Airflow compares what it serialises of a DAG: an address in it would be a new version of the DAG every time."""
    again = Brief("hero", "image", ODD.prompt, options=ODD.options, where=ODD.where)
    assert str(again) == str(ODD)
    assert " at 0x" not in str(ODD)
    assert again == ODD
    assert copy.deepcopy(ODD) == ODD
    assert pickle.loads(pickle.dumps(ODD)) == ODD  # noqa: S301 - our own


WATCH = """
import json, sys
import airflow.sdk
before = set(sys.modules)
from airflow_provider_adgen import campaigns
light = sorted(set(sys.modules) - before)
campaigns.Brief("hero", "image", "A {title}")
print(json.dumps([light, sorted(set(sys.modules) - before)]))
"""


def test_importing_a_brief_imports_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", WATCH], capture_output=True, text=True, check=True)
    package, brief = json.loads(done.stdout.splitlines()[-1])
    ours = {
        name.removeprefix("airflow_provider_adgen.") for name in brief if name.startswith("airflow_provider_adgen.")
    }
    # Airflow may have imported the package itself before, to read what it provides.
    assert ours - {"core", "core.version"} == {"campaigns", "campaigns.briefs", "campaigns.filling", "core.errors"}
    assert [name for name in package if name.startswith("airflow_provider_adgen.campaigns.")] == []
    heavy = ("httpx", "pydantic", "tenacity", "aiohttp")
    assert [name for name in brief if name.startswith(heavy)] == []


def test_what_the_package_does_not_have() -> None:
    from airflow_provider_adgen import campaigns

    assert set(campaigns.__all__) <= set(dir(campaigns))
    with pytest.raises(AttributeError, match="nothing_of_that_name"):
        _ = campaigns.nothing_of_that_name
