# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_adgen.campaigns import Brief, Plan, Product, plan_campaign
from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.core.registry import get_vendor
from tests.support.products import ShopRow

VENDORS = {
    "adsumo_default": get_vendor("adsumo"),
    "adsumo_eu": get_vendor("adsumo"),
    "sume_default": get_vendor("sume"),
    "cutx_default": get_vendor("cutx"),
    "cinematicads_default": get_vendor("cinematicads"),
}
FAST = {"adsumo": {"model": "fast"}}
HERO = Brief("hero", "image", "Photo of {title} by {brand}.", formats=["1:1", "9:16"], options=FAST)
REEL = Brief("reel", "video", "{title}", formats=["9:16"], duration=8, options={"adsumo": {"model": "sora-2"}})
LAMP = ShopRow()
CHAIR = ShopRow(id="CHR-7", title="Chair", brand="", product_type="Chairs", line=3)
PROJECT = "0b6f2f0e-93f0-4c5e-8d0a-3c1f5f0f7a11"


def plan(products: Sequence[ShopRow], briefs: Sequence[Brief], *accounts: str, **more: Any) -> Plan:
    return plan_campaign(products, briefs, list(accounts or ["adsumo_default"]), vendors=VENDORS, **more)


def keys(made: Plan) -> list[str]:
    return [item["key"] for item in made.items]


def who(made: Plan) -> dict[str, list[str]]:
    return {item["key"]: [choice["conn_id"] for choice in item["choices"]] for item in made.items}


def refused(*args: Any, **more: Any) -> str:
    with pytest.raises(InvalidRequest) as error:
        plan(*args, **more)
    assert "Nothing was sent" in error.value.message
    return error.value.message


# --- keys, requests and meta ------------------------------------------------------------------------------------------


def test_the_items_are_what_a_batch_takes() -> None:
    made = plan([LAMP], [HERO], "adsumo_default", "sume_default")
    assert made.items[0] == {
        "key": "LMP-014/hero/1x1",
        "choices": [
            {
                "conn_id": "adsumo_default",
                "request": {
                    "kind": "text-to-image",
                    "prompt": "Photo of Desk lamp by Lumo.",
                    "aspect_ratio": "1:1",
                    "model": "fast",
                },
            },
            {
                "conn_id": "sume_default",
                "request": {
                    "kind": "image",
                    "image_count": 1,
                    "prompt": "Photo of Desk lamp by Lumo.",
                    "aspect_ratio": "1:1",
                },
            },
        ],
        "meta": {"product_id": "LMP-014", "title": "Desk lamp", "brief": "hero", "format": "1:1"},
    }
    assert json.loads(json.dumps(made.items)) == made.items


def test_a_key_says_what_there_is_more_than_one_of() -> None:
    plain = Brief("plain", "image", "A", options={"adsumo": {"model": "fast", "aspect_ratio": "1:1"}})
    many = Brief("many", "image", "A {locale}", formats=["1:1"], locales=["de", "en-GB"], count=2, options=FAST)
    made = plan([LAMP], [plain, many])
    assert keys(made) == [
        "LMP-014/plain",
        "LMP-014/many/de/1x1/1",
        "LMP-014/many/de/1x1/2",
        "LMP-014/many/en-GB/1x1/1",
        "LMP-014/many/en-GB/1x1/2",
    ]
    assert made.items[0]["meta"] == {"product_id": "LMP-014", "title": "Desk lamp", "brief": "plain"}
    assert made.items[-1]["meta"] == {
        "product_id": "LMP-014",
        "title": "Desk lamp",
        "brief": "many",
        "locale": "en-GB",
        "format": "1:1",
    }
    assert made.items[-1]["choices"][0]["request"]["prompt"] == "A en-GB"


def test_texts_use_every_column() -> None:
    row = ShopRow(price=Decimal("1E+3"), extra={"colour": "red", "Custom label 0": "new", "stock": 7, "gone": None})
    text = "{id}|{title}|{description}|{link}|{image_link}|{price}|{currency}|{brand}|{product_type}|{colour}|"
    brief = Brief("b", "image", text + "{Custom label 0}|{stock}|{gone}|{format}", formats=["1:1"], options=FAST)
    (item,) = plan([row], [brief]).items
    assert item["choices"][0]["request"]["prompt"] == (
        "LMP-014|Desk lamp|A small lamp.|https://shop.example/desk-lamp|https://shop.example/desk-lamp.jpg|1000|EUR|"
        "Lumo|Lamps|red|new|7||1:1"
    )


def test_a_column_named_like_what_a_brief_states() -> None:
    row = ShopRow(extra={"format": "hardcover", "locale": "attic"})
    stated = Brief("a", "image", "{format} {locale}", formats=["1:1"], locales=["de"], options=FAST)
    unstated = Brief("b", "image", "{locale}", formats=["1:1"], options=FAST)
    prompts = [item["choices"][0]["request"]["prompt"] for item in plan([row], [stated, unstated]).items]
    assert prompts == ["1:1 de", "attic"]


def test_what_a_supplier_writes_is_text() -> None:
    row = ShopRow(title="{{ conn.x.password }} {brand} {% raw %}")
    (item, _) = plan([row], [HERO]).items
    assert item["choices"][0]["request"]["prompt"] == "Photo of {{ conn.x.password }} {brand} {% raw %} by Lumo."


def test_an_empty_value_is_left_out() -> None:
    item = plan([CHAIR], [HERO]).items[0]
    assert item["choices"][0]["request"]["prompt"] == "Photo of Chair by."


def test_what_a_text_is_written_without_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    priced = Brief("hero", "image", "{title}, only {price} {currency}.", formats=["1:1"], options=FAST)
    bookend = ShopRow(id="brass-bookend", price=None, currency=None)
    with caplog.at_level(logging.WARNING):
        made = plan([LAMP, bookend], [priced])
    assert made.warnings == [
        "1 creative of brief 'hero': {price} and {currency} are empty for brass-bookend, and left out of the text; to "
        'leave such products out: where={"price": "?*"}'
    ]
    assert made.warnings[0] in caplog.text
    assert plan([LAMP, bookend], [replace(priced, where={"price": "?*"})]).warnings == []

    bare = plan([ShopRow(currency=None)], [priced])
    assert bare.warnings == [
        "1 creative of brief 'hero': {currency} is empty for LMP-014, and left out of the text; "
        'campaign_refresh(currency="EUR") or read_catalogue(currency="EUR") names one'
    ]


def test_a_warning_counts_creatives_and_names_the_first_products() -> None:
    chairs = [ShopRow(id=f"C-{number}", brand="") for number in range(7)]
    [told] = plan([LAMP, *chairs], [replace(HERO, count=2)]).warnings
    assert told.startswith("28 creatives of brief 'hero': {brand} is empty for C-0, C-1, C-2, C-3, C-4 and 2 more, and")


def test_options_count_where_their_account_can_make_the_creative() -> None:
    brief = Brief("hero", "image", "{title}", formats=["1:1"], options={"adsumo": {"model": "fast{brand}"}})
    assert "{brand} is empty for CHR-7" in plan([CHAIR], [brief]).warnings[0]
    elsewhere = replace(brief, options={"adsumo": {"model": "fast"}, "cutx": {"style": "{brand}"}})
    assert plan([CHAIR], [elsewhere]).warnings == []


def test_a_picture_that_is_not_given_is_a_warning() -> None:
    reel = replace(REEL, product_image="if_possible", count=2)
    bare = ShopRow(id="BARE", image_link="http://shop.example/x.jpg")
    assert plan([LAMP, bare], [reel], "sume_default").warnings == [
        "4 creatives of brief 'reel': sume_default is given no picture of the product for LMP-014, BARE, because its "
        "request video takes none"
    ]
    photo = Brief("photo", "image", "A", formats=["1:1"], product_image="if_possible", options=FAST)
    assert plan([LAMP, bare], [photo], "sume_default").warnings == [
        "1 creative of brief 'photo': sume_default is given no picture of the product for BARE, because the product "
        "has no image_link that begins with https://"
    ]
    assert plan([LAMP], [replace(photo, product_image="no")], "sume_default").warnings == []
    shot = replace(photo, prompt=None, options={"adsumo": {"model": "fast", "style_id": "s"}})
    assert plan([LAMP], [shot], "adsumo_default").warnings == [], "a product shot shows the product that Adsumo knows"


def test_a_brief_that_no_product_is_for_is_a_warning_with_what_there_is() -> None:
    lamps = Brief("reel", "image", "A", formats=["1:1"], options=FAST, where={"product_type": "lamps"})
    made = plan([LAMP, CHAIR, ShopRow(id="L2")], [HERO, lamps])
    assert made.warnings[0] == (
        'brief \'reel\': no product (3 looked at) matches where={"product_type": "lamps"}; product_type is '
        f"{LAMP.product_type!r}, 'Chairs'"
    )
    many = [ShopRow(id=f"L{number}", product_type=f"T{number}") for number in range(9)]
    assert plan(many, [lamps]).warnings[0].endswith("product_type is 'T0', 'T1', 'T2', 'T3', 'T4', 'T5', ...")
    some = plan(many, [HERO, replace(lamps, where={"product_type": "T8"})], limit=2)
    assert "no product (2 looked at)" in some.warnings[0]
    assert plan(many, [replace(lamps, where={"product_type": "T8"})]).warnings == []
    assert plan([], [lamps]).warnings == []


def test_a_column_that_is_not_there_names_row_and_field() -> None:
    brief = Brief("hero", "image", "{colour}", formats=["1:1"], options=FAST)
    told = refused([ShopRow(extra={"colour": "red"}), CHAIR, ShopRow(id="X", line=4)], [brief])
    assert "line 3 (product CHR-7) and 1 more: brief 'hero' uses {colour}, a column that this row does not have" in told
    where = Brief("hero", "image", "A", formats=["1:1"], options=FAST, where={"season": "*"})
    assert "line 2 (product LMP-014): brief 'hero' uses {season}" in refused([LAMP], [where])
    assert "uses {title.__class__}" in refused([LAMP], [Brief("h", "image", "{title.__class__}", options=FAST)])


def test_a_column_that_the_catalogue_does_not_have_names_brief_field_and_what_there_is() -> None:
    told = refused([LAMP], [HERO], columns=["id", "title", "link"])
    assert "brief 'hero' uses {brand}, which no row of it has; its columns are id, title, link" in told
    assert "line 2" not in told
    # Wherever it stands: in options of an account that takes part, in a filter, in a text of one locale.
    for more in (
        {"options": {"adsumo": {"model": "fast", "resolution": "{size}"}}},
        {"options": FAST, "where": {"size": "*"}},
        {"options": FAST, "locales": ["de"], "prompts": {"de": "{size}"}},
    ):
        brief = Brief("one", "image", "{title} {locale} {format}", formats=["1:1"], **{"locales": ["en"], **more})
        assert "brief 'one' uses {size}, which no row" in refused([LAMP], [brief], columns=["brand"])
    elsewhere = Brief("one", "image", "A", formats=["1:1"], options={**FAST, "cutx": {"style": "{size}"}})
    assert len(keys(plan([LAMP], [elsewhere], columns=[]))) == 1
    assert len(keys(plan([CHAIR], [HERO], columns=["brand"]))) == 2
    own = Brief("hero", "image", "{title} {colour}", formats=["1:1"], options=FAST)
    assert len(keys(plan([ShopRow(extra={"colour": "red"})], [own], columns=["colour"]))) == 1


def test_a_header_word_that_was_read_into_a_field_is_told_by_the_field() -> None:
    brief = Brief("hero", "image", "{title} for {variant price} {Colour}", formats=["1:1"], options=FAST)
    read_as = {"Variant Price": "price", "Vendor": "brand"}
    told = refused([LAMP], [replace(brief, where={"Vendor": "Lumo"})], columns=["price", "brand"], read_as=read_as)
    assert "the catalogue: brief 'hero' uses {Vendor}: it is {brand} here, and 'brand' in where" in told
    assert "brief 'hero' uses {variant price}: it is {price} here" in told
    assert "uses {Colour}, which no row of it has; its columns are id, title, price, brand" in told


def test_a_field_that_a_row_lacks_is_no_empty_value() -> None:
    rows = [
        Product("1", "Lamp", brand="Lumo", line=1),
        Product("2", "Chair", line=2),
        Product("3", "Table", line=3, lacks=frozenset({"brand"})),
    ]
    told = refused(rows, [HERO], columns=["brand"])
    assert "line 3 (product 3): brief 'hero' uses {brand}, a column that this row does not have" in told
    assert 'to leave such rows out: where={"brand": "?*"}' in told
    assert "product 2" not in told
    branded = Brief("branded", "image", "By {brand}", formats=["1:1"], options=FAST, where={"brand": "?*"})
    others = Brief("others", "image", "{title}", formats=["1:1"], options=FAST, where={"brand": ""})
    assert keys(plan(rows, [branded, others], columns=["brand"])) == ["1/branded/1x1", "2/others/1x1", "3/others/1x1"]
    assert "line 3 (product 3): brief 'others' uses {brand}" in refused(rows, [others])


@pytest.mark.parametrize(
    ("account", "stated"),
    [
        ("cutx_default", {"kind": "image", "formats": ["1:1"]}),
        ("cutx_default", {"kind": "copy", "formats": ["short"], "tone": "playful", "platform": "meta"}),
        ("cinematicads_default", {"kind": "video", "options": {"cinematicads": {"workflow_type": "brand"}}}),
    ],
)
def test_a_stated_text_of_which_nothing_is_left_is_refused(account: str, stated: dict[str, Any]) -> None:
    rows = [
        ShopRow(extra={"hint": "In a forest", "more": ""}),
        ShopRow(id="X", line=3, extra={"hint": "", "more": " "}),
    ]
    brief = Brief("own", prompt="{hint} {more}", **stated)
    told = refused(rows, [brief], account, columns=["hint", "more"])
    assert (
        "line 3 (product X): brief 'own' cannot be made: its prompt is empty for this row, because {hint} and {more} "
        'have no value; to leave such rows out: where={"hint": "?*", "more": "?*"}'
    ) in told
    assert "LMP-014" not in told
    assert len(keys(plan(rows[:1], [brief], account))) == 1


def test_a_text_of_options_of_which_nothing_is_left_is_a_reason_of_that_account() -> None:
    options = {"cinematicads": {"workflow_type": "staticad", "concept": "{hint}"}}
    brief = Brief("own", "image", options=options)
    told = refused([ShopRow(extra={"hint": ""})], [brief], "cinematicads_default")
    assert "concept of its options is empty for this row, because {hint} has no value" in told
    made = plan([ShopRow(extra={"hint": ""})], [brief], "cinematicads_default", "cutx_default")
    assert who(made) == {"LMP-014/own": ["cutx_default"]}
    assert made.passed_over[0]["conn_id"] == "cinematicads_default"


def test_options_of_the_connection_count_more_and_texts_in_them_are_filled_in() -> None:
    options = {
        "adsumo": {"model": "fast", "resolution": "1k", "extra_fields": {"tags": ["{brand}", "{{x}}"]}},
        "adsumo_eu": {"model": "pro"},
        "cutx": {"style": "no such field is looked at, because no account of CutX takes part"},
        "nobody": {"x": "y"},
    }
    brief = Brief("hero", "image", "A", formats=["1:1"], options=options)
    made = plan([LAMP], [brief], "adsumo_default", "adsumo_eu")
    first, second = (choice["request"] for choice in made.items[0]["choices"])
    assert first == {
        "kind": "text-to-image",
        "prompt": "A",
        "aspect_ratio": "1:1",
        "model": "fast",
        "resolution": "1k",
        "extra_fields": {"tags": ["Lumo", "{x}"]},
    }
    assert second == {**first, "model": "pro"}


def test_where_picks_products() -> None:
    lamps = Brief("lamps", "image", "A", formats=["1:1"], options=FAST, where={"product_type": "Lam*", "brand": "Lumo"})
    cheap = Brief("all", "image", "A", formats=["1:1"], options=FAST, where={"price": "29.*"})
    assert keys(plan([LAMP, CHAIR], [lamps, cheap])) == ["LMP-014/lamps/1x1", "LMP-014/all/1x1", "CHR-7/all/1x1"]
    nothing = plan([LAMP], [Brief("none", "image", "A", formats=["1:1"], options=FAST, where={"brand": "lumo"})])
    assert nothing.items == []


def test_limit_counts_products_for_which_there_is_a_brief() -> None:
    chairs = Brief("chairs", "image", "A", formats=["1:1"], options=FAST, where={"product_type": "Chairs"})
    products = [ShopRow(id="A"), CHAIR, ShopRow(id="B"), ShopRow(id="CHR-8", product_type="Chairs")]
    assert keys(plan(products, [chairs], limit="1")) == ["CHR-7/chairs/1x1"]
    assert len(keys(plan(iter(products), [HERO], limit=3))) == 6
    for wrong in (0, -1, "x", 1.5, True):
        assert "limit must be a whole number of products" in refused(products, [HERO], limit=wrong)


def test_keys_are_unique_and_not_too_long() -> None:
    assert "Two briefs are named hero" in refused([LAMP], [HERO, HERO])
    told = refused([LAMP, ShopRow(line=9)], [HERO])
    assert "line 9 (LMP-014): the id is already used on line 2; each creative needs a key of its own" in told
    words = [Brief("a", "copy", platform="meta", tone="bold", formats=["hook"])]
    clash = plan([ShopRow(id="x"), ShopRow(id="x/a")], words, "cutx_default")
    assert keys(clash) == ["x/a/hook", "x/a/a/hook"]
    short = Brief("a", "image", "A", formats=["1:1"], options=FAST)
    other = Brief("1x1", "image", "A", options={"adsumo": {"model": "fast", "aspect_ratio": "1:1"}})
    told = refused([ShopRow(id="x"), ShopRow(id="x/a", line=3)], [short, other])
    assert "line 3 (x/a): its keys are those of another product; each creative needs a key of its own" in told
    long = ShopRow(id="x" * 188, line=7)
    assert len(keys(plan([long], [HERO]))[1]) == 198
    told = refused([ShopRow(id="x" * 193, line=7)], [HERO])
    assert "line 7 (product xxx" in told
    assert "the keys of brief 'hero'" in told
    assert "more than 200 characters; give the product a shorter id" in told


def test_meta_stays_small() -> None:
    (item, _) = plan([ShopRow(id="x" * 180, title="é" * 9000)], [HERO]).items
    assert item["meta"]["title"] == "é" * 299 + "…"
    (item, _) = plan([ShopRow(id="😀" * 180, title="😀" * 9000)], [HERO]).items
    assert len(json.dumps(item["meta"])) < 8192


# --- who can make it --------------------------------------------------------------------------------------------------


def test_a_brief_that_nobody_can_make_is_refused_with_each_reason() -> None:
    brief = Brief("hero", "image", "A", formats=["1:1"])
    told = refused([LAMP, CHAIR], [brief], "adsumo_default", "cinematicads_default")
    assert "The campaign cannot be planned. Nothing was sent and nothing was charged." in told
    assert "LMP-014/hero/1x1 and 1 more: no account can make brief 'hero':" in told
    assert "adsumo_default (Adsumo): text-to-image: options must name model (fast, pro)" in told
    assert "cinematicads_default (CinematicAds): workflow: options must name workflow_type" in told


def test_every_problem_is_told_at_once() -> None:
    voice = Brief("say", "voice", script="{colour}")
    told = refused([LAMP], [voice, Brief("hero", "image", "A", formats=["1:1"])])
    assert "uses {colour}" in told
    assert "no account can make brief 'hero'" in told
    many = [Brief(f"b{number}", "copy", "A") for number in range(30)]
    assert "... and 10 other problems" in refused([LAMP], many)


def test_an_account_that_cannot_make_a_brief_is_passed_over_and_said() -> None:
    brief = Brief("hero", "image", "A", formats=["1:1"])
    made = plan([LAMP, CHAIR], [brief], "adsumo_default", "sume_default")
    assert who(made) == {"LMP-014/hero/1x1": ["sume_default"], "CHR-7/hero/1x1": ["sume_default"]}
    assert made.passed_over == [
        {
            "brief": "hero",
            "conn_id": "adsumo_default",
            "reason": "text-to-image: options must name model (fast, pro); "
            "product-shots: options must name model (fast, pro), options must name style_id",
            "items": 2,
        }
    ]


def test_a_request_that_breaks_the_vendors_rules_is_a_reason() -> None:
    brief = Brief("hero", "image", "{description}", formats=["16:9"])
    long = ShopRow(description="long " * 300)
    made = plan([long], [brief], "cutx_default", "sume_default")
    assert who(made) == {"LMP-014/hero/16x9": ["sume_default"]}
    assert "prompt: String should have at most 1000 characters" in made.passed_over[0]["reason"]
    assert "at most 1000 characters" in refused([long], [brief], "cutx_default")
    # What a value is never shows: it may be anything.
    assert "long long" not in made.passed_over[0]["reason"]


@pytest.mark.parametrize("extra", [5, "model", ["model"]])
def test_extra_fields_that_are_none(extra: Any) -> None:
    options = {"adsumo": {"model": "fast", "extra_fields": extra}}
    brief = Brief("hero", "image", "A", formats=["1:1"], options=options)
    assert "extra_fields: Input should be a valid dictionary" in refused([LAMP], [brief])


def test_options_that_the_vendor_lacks_are_refused() -> None:
    brief = Brief("hero", "image", "A", formats=["1:1"], options={"adsumo": {"modle": "fast"}})
    told = refused([LAMP], [brief], "adsumo_default", "sume_default")
    assert "Brief 'hero': options name modle for adsumo_default (Adsumo), which has no such field" in told
    assert "model" in told
    assert keys(plan([LAMP], [brief], "sume_default")) == ["LMP-014/hero/1x1"]


def test_a_locale_is_honoured_by_the_text_or_not_at_all() -> None:
    text = Brief("a", "image", "{title} for {locale}", formats=["1:1"], locales=["de"], options=FAST)
    own = Brief("b", "image", "Lamp", formats=["1:1"], locales=["de"], prompts={"de": "Lampe"}, options=FAST)
    prompts = [item["choices"][0]["request"]["prompt"] for item in plan([LAMP], [text, own]).items]
    assert prompts == ["Desk lamp for de", "Lampe"]
    silent = Brief("c", "image", "Lamp", formats=["1:1"], locales=["de"], options=FAST)
    assert "it has no field for a locale" in refused([LAMP], [silent])
    half = Brief("d", "image", "Lamp", formats=["1:1"], locales=["de", "en"], prompts={"de": "Lampe"}, options=FAST)
    assert "LMP-014/d/en/1x1: no account can make" in refused([LAMP], [half])


def test_a_text_that_is_empty_says_no_locale() -> None:
    own = Brief("own", "image", locales=["de"], prompts={"de": "{text_de}"}, formats=["1:1"])
    said = plan([ShopRow(extra={"text_de": "Lampe"})], [own], "cutx_default")
    assert said.items[0]["choices"][0]["request"]["prompt"] == "Lampe"
    # CutX would make an ad without a prompt, in whatever language.
    assert "its prompt is empty for this row" in refused([ShopRow(extra={"text_de": ""})], [own], "cutx_default")


def test_an_option_may_say_the_locale() -> None:
    options = {"cinematicads": {"workflow_type": "staticad", "concept": "{title} for {locale}"}}
    brief = Brief("static", "image", locales=["de"], options=options)
    (item,) = plan([LAMP], [brief], "cinematicads_default").items
    assert item["choices"][0]["request"]["concept"] == "Desk lamp for de"
    assert "it has no field for a locale" in refused([LAMP], [brief], "cutx_default")


@pytest.mark.parametrize("briefs", [[], HERO])
def test_briefs_that_are_none(briefs: Any) -> None:
    assert "briefs must be a list" in refused([LAMP], briefs)


@pytest.mark.parametrize(
    ("accounts", "sentence"),
    [
        ([], "a list of connections"),
        ("adsumo_default", "a list of connections"),
        (["a", "a"], "names a connection twice"),
    ],
)
def test_accounts_that_are_none(accounts: Any, sentence: str) -> None:
    with pytest.raises(InvalidRequest, match=sentence):
        plan_campaign([LAMP], [HERO], accounts, vendors=VENDORS)


def test_the_vendor_of_an_account_follows_from_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_ADS", json.dumps({"conn_type": "sume", "password": "sume_live_x"}))
    made = plan_campaign([LAMP], [HERO], ["shop_ads"])
    assert made.items[0]["choices"][0]["request"]["kind"] == "image"
    assert made.accounts["shop_ads"].vendor == "sume"


# --- money ------------------------------------------------------------------------------------------------------------


def images(count: int, **more: Any) -> Brief:
    return Brief("hero", "image", "A", formats=["1:1"], count=count, options=FAST, **more)


def test_each_item_gets_the_first_account_with_room() -> None:
    made = plan(
        [LAMP],
        [images(5)],
        "adsumo_default",
        "adsumo_eu",
        "sume_default",
        max_credits={"adsumo_default": 2, "adsumo_eu": 2, "sume_default": 9},
        assume_credits={"sume_default": 4},
    )
    assert list(who(made).values()) == [
        ["adsumo_default", "adsumo_eu", "sume_default"],
        ["adsumo_default", "adsumo_eu", "sume_default"],
        ["adsumo_eu", "sume_default"],
        ["adsumo_eu", "sume_default"],
        ["sume_default"],
    ]
    assert {name: (one.items, one.credits, one.max_credits) for name, one in made.accounts.items()} == {
        "adsumo_default": (2, 2, 2),
        "adsumo_eu": (2, 2, 2),
        "sume_default": (1, 4, 9),
    }
    assert list(made.credits.values()) == [1, 1, 1, 1, 4]


def test_an_account_that_may_never_pay_for_an_item_is_no_choice_of_it() -> None:
    made = plan(
        [LAMP],
        [images(1)],
        "adsumo_default",
        "sume_default",
        "cutx_default",
        max_credits={"adsumo_default": 9, "sume_default": 3, "cutx_default": 0},
        assume_credits={"sume_default": 4},
    )
    assert list(who(made).values()) == [["adsumo_default"]]
    assert made.vendor_products == {}, "and makes no product there"


def test_the_higher_priority_comes_first() -> None:
    low, high = images(1), Brief("first", "image", "A", formats=["1:1"], options=FAST, priority=5)
    made = plan([LAMP, CHAIR], [low, high], max_credits=3, on_over_budget="trim")
    assert keys(made) == ["LMP-014/first/1x1", "CHR-7/first/1x1", "LMP-014/hero/1x1"]
    assert made.trimmed == [
        {
            "key": "CHR-7/hero/1x1",
            "reason": "adsumo_default: it costs 1, and 3 of 3 credits are planned already",
        }
    ]


def test_what_fits_nowhere_fails_by_default() -> None:
    told = refused([LAMP], [images(9)], max_credits="2")
    assert "7 of 9 creatives do not fit into max_credits: LMP-014/hero/1x1/3, " in told
    assert "and 2 more" in told
    assert "adsumo_default 2 of 2" in told
    assert "on_over_budget must be one of" in refused([LAMP], [HERO], on_over_budget="skip")


def test_a_cheaper_item_still_fits_after_a_dear_one_did_not() -> None:
    dear = Brief("dear", "image", "A", formats=["1:1"], options={"adsumo": {"model": "pro", "resolution": "4k"}})
    made = plan([LAMP], [dear, images(1)], max_credits=3, on_over_budget="trim")
    assert keys(made) == ["LMP-014/hero/1x1"]
    assert [one["key"] for one in made.trimmed] == ["LMP-014/dear/1x1"]


def test_a_price_that_is_not_known() -> None:
    assert plan([LAMP], [REEL]).accounts["adsumo_default"].unpriced == 1
    told = refused([LAMP], [REEL], max_credits=100)
    assert "The price is not known: ai-video at adsumo_default." in told
    assert '{"adsumo_default": {"ai-video": ...}}. The numbers only count against max_credits' in told
    assert plan([LAMP], [REEL], max_credits=100, assume_credits=40).accounts["adsumo_default"].credits == 40
    by_kind = {"adsumo_default": {"ai-video": 30, "text-to-image": 99}}
    made = plan([LAMP], [REEL, images(1)], max_credits=100, assume_credits=by_kind)
    # A documented price counts more than an assumed one.
    assert made.accounts["adsumo_default"].credits == 31
    # A later choice is paid for if the first one fails: its price must be known, too.
    told = refused(
        [LAMP],
        [images(1)],
        "adsumo_default",
        "sume_default",
        max_credits={"adsumo_default": 9, "sume_default": 9},
    )
    assert "image at sume_default" in told
    limits = {"adsumo_default": 99, "sume_default": 99}
    told = refused([LAMP], [images(1), REEL], "adsumo_default", "sume_default", max_credits=limits)
    assert "not known: ai-video at adsumo_default, image at sume_default, video at sume_default." in told
    assert '{"adsumo_default": {"ai-video": ...}, "sume_default": {"image": ..., "video": ...}}' in told


@pytest.mark.parametrize(
    ("money", "sentence"),
    [
        ({"max_credits": 5}, "max_credits must name the accounts"),
        ({"assume_credits": 5}, "assume_credits must name the accounts"),
        ({"max_credits": {"adsumo_default": 5}}, "max_credits has no limit for sume_default"),
        ({"max_credits": {"adsumo_default": 5, "sume": 5}}, "It names 'sume', which is no account of this plan."),
        ({"max_credits": {"adsumo_default": 5, "sume_default": -1}}, "must not be negative"),
        ({"max_credits": {"adsumo_default": 5, "sume_default": "many"}}, "max_credits must be whole numbers"),
        ({"max_credits": {"adsumo_default": 5, "sume_default": True}}, "max_credits must be whole numbers"),
        ({"max_credits": {"adsumo_default": 5, "sume_default": 1.5}}, "max_credits must be whole numbers"),
        ({"assume_credits": {"adsumo_default": {"ai-vdeo": 5}}}, "Adsumo has no request of kind 'ai-vdeo'"),
        ({"assume_credits": {"adsumo_default": {"ai-video": None}}}, "assume_credits must be whole numbers"),
    ],
)
def test_credits_that_are_wrong(money: dict[str, Any], sentence: str) -> None:
    assert sentence in refused([LAMP], [HERO], "adsumo_default", "sume_default", **money)


def test_credits_of_accounts_that_take_no_part_are_not_looked_at() -> None:
    money = {"max_credits": {"adsumo_default": 9, "gone": "x"}, "assume_credits": {"gone": {"x": "y"}}}
    assert plan([LAMP], [HERO], **money).accounts["adsumo_default"].credits == 2


class Made:
    """A library that has some of what is asked for."""

    def __init__(self, **keys: int) -> None:
        self.has = {name.replace("__", "/"): number for name, number in keys.items()}
        self.asked: list[Mapping[str, Any]] = []

    def lookup(self, items: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
        self.asked += items
        return {item["key"]: self.has[item["key"]] for item in items if item["key"] in self.has}


def test_what_was_made_before_costs_nothing() -> None:
    library = Made(A__hero__1x1=0, B__hero__1x1=1)
    products = [ShopRow(id="A"), ShopRow(id="B"), ShopRow(id="C")]
    made = plan(
        products,
        [images(1)],
        "adsumo_default",
        "sume_default",
        max_credits={"adsumo_default": 1, "sume_default": 0},
        assume_credits={"sume_default": 20},
        library=library,
    )
    assert keys(made) == ["A/hero/1x1", "B/hero/1x1", "C/hero/1x1"]
    assert made.reused == {"A/hero/1x1": "adsumo_default", "B/hero/1x1": "sume_default"}
    assert made.credits == {"A/hero/1x1": 0, "B/hero/1x1": 0, "C/hero/1x1": 1}
    counted = {name: (one.items, one.credits, one.reused, one.reused_credits) for name, one in made.accounts.items()}
    assert counted == {"adsumo_default": (1, 1, 1, 1), "sume_default": (0, 0, 1, 20)}
    # All choices stay: the library looks for each of them in their order.
    assert who(made)["B/hero/1x1"] == ["adsumo_default", "sume_default"]
    assert [item["key"] for item in library.asked] == keys(made)
    assert all(len(item["choices"]) == 2 for item in library.asked)


def test_what_is_reused_needs_no_known_price() -> None:
    made = plan([LAMP], [REEL], max_credits=0, library=Made(**{"LMP-014__reel__9x16": 0}))
    assert made.accounts["adsumo_default"].reused == 1
    assert made.accounts["adsumo_default"].reused_credits == 0


def test_a_plan_says_what_would_be_made_by_whom_and_for_how_much() -> None:
    made = plan(
        [LAMP, CHAIR], [images(1)], max_credits=1, on_over_budget="trim", library=Made(**{"CHR-7__hero__1x1": 0})
    )
    told = made.to_dict()
    assert json.loads(json.dumps(told)) == told
    assert [(one["key"], one["conn_id"], one["kind"], one["credits"], one["reused"]) for one in told["items"]] == [
        ("LMP-014/hero/1x1", "adsumo_default", "text-to-image", 1, False),
        ("CHR-7/hero/1x1", "adsumo_default", "text-to-image", 0, True),
    ]
    assert told["accounts"] == [
        {
            "conn_id": "adsumo_default",
            "vendor": "adsumo",
            "items": 1,
            "credits": 1,
            "unpriced": 0,
            "reused": 1,
            "reused_credits": 1,
            "max_credits": 1,
            "out": None,
        }
    ]
    assert told["trimmed"] == told["passed_over"] == []


@settings(deadline=None, derandomize=True)
@given(
    priorities=st.lists(st.integers(-2, 2), min_size=1, max_size=6),
    counts=st.lists(st.integers(1, 3), min_size=6, max_size=6),
    limits=st.tuples(*[st.integers(0, 9)] * 3),
    cost=st.integers(0, 4),
)
def test_no_account_is_planned_beyond_its_credits(
    priorities: list[int], counts: list[int], limits: tuple[int, int, int], cost: int
) -> None:
    """Whatever the priorities, the limits and the prices: what is planned fits, what is left out fits nowhere."""
    accounts = ["adsumo_default", "adsumo_eu", "sume_default"]
    briefs = [
        Brief(f"b{number}", "image", "A", formats=["1:1"], count=count, priority=priority, options=FAST)
        for number, (priority, count) in enumerate(zip(priorities, counts, strict=False))
    ]
    money = {
        "max_credits": dict(zip(accounts, limits, strict=True)),
        "assume_credits": {"sume_default": cost},
        "on_over_budget": "trim",
    }
    made = plan([LAMP, CHAIR], briefs, *accounts, **money)
    spent = dict.fromkeys(accounts, 0)
    for item in made.items:
        spent[item["choices"][0]["conn_id"]] += made.credits[item["key"]] or 0
    assert spent == {name: account.credits for name, account in made.accounts.items()}
    assert all(spent[name] <= limit for name, limit in zip(accounts, limits, strict=True))
    if made.trimmed:
        room = [limit - spent[name] for name, limit in zip(accounts, limits, strict=True)]
        assert room[:2] == [0, 0]
        assert room[2] < cost
    of = {brief.name: brief.priority for brief in briefs}
    order = [of[item["meta"]["brief"]] for item in made.items]
    assert order == sorted(order, reverse=True)
    # All items of a kind cost the same here, so what is left out is never more important than what is made.
    assert all(of[one["key"].split("/")[1]] <= order[-1] for one in made.trimmed if order)
    everything = {item["key"] for item in made.items} | {one["key"] for one in made.trimmed}
    assert len(everything) == len(made.items) + len(made.trimmed) == 2 * sum(counts[: len(briefs)])
    assert plan([LAMP, CHAIR], briefs, *accounts, **money) == made


# --- products that the vendor must know -------------------------------------------------------------------------------

COPY = Brief("say", "copy", platform="meta", tone="bold", formats=["short"])


def test_products_that_the_vendor_must_know_are_listed() -> None:
    made = plan([LAMP, CHAIR], [COPY], "cutx_default")
    assert made.items[0]["choices"][0]["request"]["product_id"]["of_product"] == "LMP-014"
    needed = made.vendor_products["cutx_default"]
    assert needed["fields"] == ["product_id", "project_id"]
    assert needed["project_id"] is None
    assert needed["products"]["LMP-014"] == {
        "name": "Desk lamp",
        "link": "https://shop.example/desk-lamp",
        "description": "A small lamp.",
        "category": "Lamps",
        "image_url": "https://shop.example/desk-lamp.jpg",
    }
    assert list(needed["products"]) == ["LMP-014", "CHR-7"]
    # What is used again may have lost its files: who made it would make it again.
    both = ["cutx_default", "adsumo_default"]
    options = {"adsumo": {"model": "fast", "style_id": "x"}, "cutx": {"style": "lifestyle"}}
    shot = Brief("shot", "image", formats=["1:1"], options=options)
    reused = plan([LAMP, CHAIR], [shot], *both, library=Made(**{"LMP-014__shot__1x1": 1}))
    assert list(reused.vendor_products["cutx_default"]["products"]) == ["CHR-7"]
    assert list(reused.vendor_products["adsumo_default"]["products"]) == ["LMP-014", "CHR-7"]
    assert plan([LAMP], [HERO]).vendor_products == {}


def test_a_project_that_the_briefs_name() -> None:
    named = Brief(
        "a", "copy", platform="meta", tone="bold", formats=["short"], options={"cutx": {"project_id": PROJECT}}
    )
    made = plan([LAMP], [named], "cutx_default")
    assert made.vendor_products["cutx_default"]["project_id"] == PROJECT
    assert made.vendor_products["cutx_default"]["fields"] == ["product_id"]
    assert "The briefs name two projects for cutx_default" in refused([LAMP], [named, COPY], "cutx_default")


@pytest.mark.slow
def test_ten_thousand_products_are_planned_in_seconds() -> None:
    products = [ShopRow(id=f"P{number}", title=f"Lamp {number}", line=number) for number in range(10_000)]
    started = time.process_time()
    made = plan(
        products,
        [HERO, REEL],
        "adsumo_default",
        "sume_default",
        max_credits={"adsumo_default": 10**9, "sume_default": 10**9},
        assume_credits={"adsumo_default": 40, "sume_default": 20},
    )
    assert len(made.items) == 30_000
    assert time.process_time() - started < 10
