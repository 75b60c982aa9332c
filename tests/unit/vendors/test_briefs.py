# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Who makes which brief, and what each answers to one that it cannot make."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_adgen.campaigns import Brief, Product
from airflow_provider_adgen.core.briefs import (
    STATED,
    CannotMake,
    FilledBrief,
    checkable,
    make_request,
    option_names,
    products_of,
    shop_ids,
    waits_for,
    with_vendor_ids,
)
from airflow_provider_adgen.core.errors import InvalidRequest
from airflow_provider_adgen.core.registry import get_vendor
from tests.support.products import ShopRow

LAMP = ShopRow()
OF_LAMP = {"of_product": "LMP-014", "found_by": "shop.example/desk-lamp"}
PICTURE = ["https://shop.example/desk-lamp.jpg"]
PROJECT = "0b6f2f0e-93f0-4c5e-8d0a-3c1f5f0f7a11"
VENDORS = ("adsumo", "cinematicads", "cutx", "sume")


def ask(vendor: str, kind: str, product: ShopRow = LAMP, **stated: Any) -> Any:
    return get_vendor(vendor).request_for(FilledBrief(kind=kind, **stated), product)  # type: ignore[arg-type]


def why_not(vendor: str, kind: str, product: ShopRow = LAMP, **stated: Any) -> str:
    answer = ask(vendor, kind, product, **stated)
    assert isinstance(answer, CannotMake), answer
    return answer.reason


MADE: list[tuple[str, str, dict[str, Any], dict[str, Any], int | None]] = [
    (
        "adsumo",
        "image",
        {"prompt": "A lamp", "format": "1:1", "options": {"model": "pro", "resolution": "4k"}},
        {"kind": "text-to-image", "prompt": "A lamp", "aspect_ratio": "1:1", "model": "pro", "resolution": "4k"},
        4,
    ),
    (
        "adsumo",
        "image",
        {"prompt": "At dusk", "format": "1:1", "options": {"model": "fast", "style_id": "s"}},
        {
            "kind": "product-shots",
            "additional_prompt": "At dusk",
            "aspect_ratio": "1:1",
            "product_id": OF_LAMP,
            "model": "fast",
            "style_id": "s",
        },
        None,
    ),
    (
        "adsumo",
        "image",
        {"format": "1:1", "product_image": "required", "options": {"model": "fast", "style_id": "s"}},
        {"kind": "product-shots", "aspect_ratio": "1:1", "product_id": OF_LAMP, "model": "fast", "style_id": "s"},
        None,
    ),
    (
        "adsumo",
        "image",
        {"prompt": "A lamp", "format": "1:1", "product_image": "if_possible", "options": {"model": "fast"}},
        {"kind": "text-to-image", "prompt": "A lamp", "aspect_ratio": "1:1", "model": "fast"},
        1,
    ),
    (
        "adsumo",
        "video",
        {"prompt": "A lamp", "format": "9:16", "duration": 8, "options": {"model": "sora-2"}},
        {"kind": "ai-video", "prompt": "A lamp", "aspect_ratio": "9:16", "duration": 8, "model": "sora-2"},
        None,
    ),
    (
        "adsumo",
        "video",
        {"script": "Look!", "voice": "v", "avatar": "a", "options": {"avatar_type": "platform"}},
        {"kind": "talking-avatar", "script": "Look!", "voice_id": "v", "avatar_id": "a", "avatar_type": "platform"},
        20,
    ),
    (
        "adsumo",
        "video",
        {"options": {"template": "ugc", "product_id": "known-already"}},
        {"kind": "template-video", "template": "ugc", "product_id": "known-already"},
        None,
    ),
    (
        "adsumo",
        "voice",
        {"script": "Look!", "voice": "v"},
        {"kind": "text-to-speech", "text": "Look!", "voice_id": "v"},
        1,
    ),
    (
        "cutx",
        "copy",
        {"prompt": "Say that it is small", "platform": "meta", "tone": "bold", "format": "short"},
        {
            "kind": "copy",
            "custom_instructions": "Say that it is small",
            "platform": "meta",
            "tone": "bold",
            "format": "short",
            "project_id": OF_LAMP,
            "product_id": OF_LAMP,
        },
        1,
    ),
    (
        "cutx",
        "image",
        {"prompt": "A lamp", "format": "4:5", "options": {"style": "lifestyle", "project_id": PROJECT}},
        {
            "kind": "static-ad",
            "prompt": "A lamp",
            "aspect_ratio": "4:5",
            "style": "lifestyle",
            "project_id": PROJECT,
            "product_id": OF_LAMP,
        },
        3,
    ),
    (
        "cutx",
        "video",
        {"script": "Look at this lamp", "format": "9:16", "voice": "male-1", "avatar": "https://i.example/a.jpg"},
        {
            "kind": "video",
            "script": "Look at this lamp",
            "aspect_ratio": "9:16",
            "voice_id": "male-1",
            "avatar_url": "https://i.example/a.jpg",
            "project_id": OF_LAMP,
            "product_id": OF_LAMP,
        },
        40,
    ),
    (
        "sume",
        "image",
        {"prompt": "A lamp", "format": "1:1", "product_image": "required"},
        {
            "kind": "image",
            "image_count": 1,
            "prompt": "A lamp",
            "aspect_ratio": "1:1",
            "reference_image_urls": PICTURE,
        },
        None,
    ),
    (
        "sume",
        "video",
        {"prompt": "A lamp", "format": "9:16", "duration": 5, "options": {"generate_audio": False}},
        {"kind": "video", "prompt": "A lamp", "aspect_ratio": "9:16", "duration": 5, "generate_audio": False},
        None,
    ),
    (
        "sume",
        "video",
        {"script": "Look!", "avatar": "a", "locale": "ko", "duration": 10, "product_image": "if_possible"},
        {
            "kind": "ad-video",
            "script": "Look!",
            "avatar_id": "a",
            "locale": "ko",
            "duration_seconds": 10,
            "reference_image_urls": PICTURE,
        },
        None,
    ),
    (
        "cinematicads",
        "video",
        {"prompt": "A lamp", "format": "9:16", "options": {"workflow_type": "cinematic", "quality": "premium"}},
        {
            "kind": "workflow",
            "concept": "A lamp",
            "formats": ["9:16"],
            "workflow_type": "cinematic",
            "quality": "premium",
        },
        2,
    ),
    (
        "cinematicads",
        "video",
        {"options": {"workflow_type": "factory", "url": "https://shop.example/x"}},
        {"kind": "workflow", "workflow_type": "factory", "url": "https://shop.example/x"},
        3,
    ),
    (
        "cinematicads",
        "image",
        {"prompt": "A lamp", "options": {"workflow_type": "staticad", "concept": "Small lamp"}},
        {"kind": "workflow", "workflow_type": "staticad", "concept": "Small lamp"},
        1,
    ),
]


@pytest.mark.parametrize(
    ("vendor", "kind", "stated", "request_", "price"),
    MADE,
    ids=[f"{index}-{one[0]}-{one[3]['kind']}" for index, one in enumerate(MADE)],
)
def test_a_brief_becomes_a_request_that_the_vendor_takes(
    vendor: str, kind: str, stated: dict[str, Any], request_: dict[str, Any], price: int | None
) -> None:
    made = ask(vendor, kind, **stated)
    assert made == request_
    checked = get_vendor(vendor).parse_request(checkable(made))
    assert checked.price() == price
    if vendor != "cinematicads":
        assert checked.result_kind == kind


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("kind", ["image", "video", "voice", "copy"])
def test_every_field_stated_is_honoured_or_a_reason(vendor: str, kind: str) -> None:
    """Whatever one more field is stated: the request holds it, or the vendor does not make the brief."""
    values = {
        "prompt": "A very small lamp",
        "script": "Look at this lamp",
        "format": "1:1",
        "locale": "ko",
        "duration": 7,
        "tone": "bold",
        "platform": "tiktok",
        "voice": "the-voice",
        "avatar": "https://i.example/face.jpg",
    }
    assert set(values) == set(STATED)
    bases: list[dict[str, Any]] = [stated for of, makes, stated, *_ in MADE if (of, makes) == (vendor, kind)]
    for base in bases:
        for name, value in values.items():
            answer = ask(vendor, kind, **{**base, name: value})
            if isinstance(answer, CannotMake):
                assert name in answer.reason
                continue
            held = [one for field in answer.values() for one in (field if isinstance(field, list) else [field])]
            overridden = name == "prompt" and "concept" in base.get("options", {})
            assert value in held or overridden, (name, answer)
    if not bases:
        assert "no request that makes" in why_not(vendor, kind, **values)


@pytest.mark.parametrize(
    ("vendor", "kind", "stated", "reason"),
    [
        ("adsumo", "image", {"prompt": "A", "format": "1:1"}, "text-to-image: options must name model (fast, pro)"),
        ("adsumo", "image", {"prompt": "A", "options": {"model": "fast"}}, "the brief must state formats"),
        ("adsumo", "image", {"format": "1:1", "options": {"model": "fast"}}, "the brief must state a prompt"),
        (
            "adsumo",
            "image",
            {"prompt": "A", "format": "1:1", "product_image": "required", "options": {"model": "fast"}},
            "product-shots: options must name style_id",
        ),
        ("adsumo", "video", {"prompt": "A"}, "ai-video: options must name model (sora-2, "),
        ("adsumo", "video", {"prompt": "A", "tone": "bold", "options": {"model": "sora-2"}}, "no field for tone"),
        ("adsumo", "video", {"prompt": "A", "script": "B"}, "ai-video: it has no field for script"),
        (
            "adsumo",
            "video",
            {"script": "A", "voice": "v"},
            "the brief must state avatar, options must name avatar_type",
        ),
        ("adsumo", "video", {"prompt": "A", "product_image": "required"}, "it takes no picture of the product"),
        ("adsumo", "voice", {"script": "A"}, "the brief must state voice"),
        ("adsumo", "voice", {"script": "A", "voice": "v", "duration": 5}, "it has no field for duration"),
        ("adsumo", "copy", {"prompt": "A"}, "Adsumo has no request that makes copy of a brief"),
        ("cutx", "voice", {"script": "A"}, "CutX has no request that makes voice of a brief"),
        ("cutx", "copy", {"platform": "meta"}, "the brief must state formats, the brief must state tone"),
        ("cutx", "video", {"script": "Look at it", "duration": 8}, "it has no field for duration"),
        ("cutx", "image", {"product_image": "required"}, "it takes no picture of the product"),
        ("cutx", "image", {"locale": "de", "prompt": "Eine Lampe"}, "say {locale} in the text, or give prompts"),
        ("sume", "video", {"script": "Look!", "avatar": "a", "format": "9:16"}, "ad-video: it has no field for format"),
        ("sume", "video", {"prompt": "A", "options": {"style": "x"}}, "video: it has no field style (options)"),
        ("sume", "image", {"prompt": "A", "platform": "meta"}, "it has no field for platform"),
        ("sume", "image", {"prompt": "A", "format": "short"}, "image: format short is no aspect ratio such as 9:16"),
        ("sume", "video", {"prompt": "A", "format": "story"}, "video: format story is no aspect ratio such as 9:16"),
        (
            "sume",
            "image",
            {"prompt": "A", "format": "1:1", "options": {"aspect_ratio": "4:5"}},
            "options name aspect_ratio, which formats decides",
        ),
        (
            "adsumo",
            "video",
            {"prompt": "A", "format": "1:1", "options": {"model": "sora-2", "extra_fields": {"aspect_ratio": "2:1"}}},
            "options name aspect_ratio, which formats decides",
        ),
        ("cinematicads", "video", {"prompt": "A"}, "options must name workflow_type (avatar, "),
        (
            "cinematicads",
            "image",
            {"options": {"workflow_type": "cinematic"}},
            "workflow_type cinematic makes no image: options must name staticad",
        ),
        (
            "cinematicads",
            "video",
            {"prompt": "A", "options": {"workflow_type": "influencer"}},
            "what a workflow of type influencer takes for a prompt is not documented",
        ),
        ("cinematicads", "video", {"options": {"workflow_type": "cinematic"}, "duration": 5}, "no field for duration"),
        ("cinematicads", "voice", {"script": "A"}, "CinematicAds has no request that makes voice of a brief"),
    ],
)
def test_why_not(vendor: str, kind: str, stated: dict[str, Any], reason: str) -> None:
    assert reason in why_not(vendor, kind, **stated)


def test_a_locale_is_honoured_by_the_text() -> None:
    stated = {"prompt": "Eine Lampe", "format": "1:1", "locale": "de"}
    assert "no field for a locale" in why_not("sume", "image", **stated)
    made = ask("sume", "image", **stated, text_in_locale=True)
    assert made == {"kind": "image", "image_count": 1, "prompt": "Eine Lampe", "aspect_ratio": "1:1"}
    # Where there is a field for it, that says it as well.
    spoken = {"script": "Schau!", "avatar": "a", "text_in_locale": True}
    assert ask("sume", "video", **spoken, locale="ko")["locale"] == "ko"


def test_a_picture_goes_where_it_can() -> None:
    plain = ShopRow(image_link="http://shop.example/a.jpg")
    assert "reference_image_urls" not in ask("sume", "image", plain, prompt="A", product_image="if_possible")
    assert "no image_link that begins with https://" in why_not(
        "sume", "image", plain, prompt="A", product_image="required"
    )
    own = ask("sume", "image", prompt="A", product_image="required", options={"reference_image_urls": ["https://x.y"]})
    assert own["reference_image_urls"] == ["https://x.y"]
    assert "reference_image_urls" not in ask("sume", "image", prompt="A")


def test_a_product_that_the_vendor_cannot_make() -> None:
    bare = ShopRow(link="", product_type="", description="")
    assert "the product has no link, without which CutX makes no product" in why_not("cutx", "image", bare)
    options = {"model": "fast", "style_id": "s"}
    reason = why_not("adsumo", "image", bare, format="1:1", options=options)
    assert "the product has no description, product_type, without which Adsumo makes no product" in reason
    # One that is known already need not be made.
    known = {**options, "product_id": "p"}
    assert ask("adsumo", "image", bare, format="1:1", options=known)["product_id"] == "p"
    assert "options must name project_id" in why_not("cutx", "image", bare, options={"product_id": PROJECT})


def test_the_vendors_ids_go_where_the_shops_id_stands() -> None:
    planned = ask("cutx", "image", prompt="A lamp")
    assert products_of(planned) == {"project_id": "LMP-014", "product_id": "LMP-014"}
    ids = {"LMP-014": {"project_id": PROJECT, "product_id": PROJECT}}
    ready = with_vendor_ids(planned, ids)
    assert ready == {"kind": "static-ad", "prompt": "A lamp", "project_id": PROJECT, "product_id": PROJECT}
    assert products_of(ready) == {}
    assert shop_ids(ready) == {}
    with pytest.raises(KeyError):
        with_vendor_ids(planned, {})


def test_what_is_planned_cannot_be_sent_before_the_vendors_ids_are_there() -> None:
    with pytest.raises(ValueError, match="product_id"):
        get_vendor("cutx").parse_request(ask("cutx", "image", prompt="A lamp"))


def test_extra_fields_stand_for_what_is_required() -> None:
    made = ask("adsumo", "image", prompt="A", format="1:1", options={"extra_fields": {"model": "new"}})
    assert get_vendor("adsumo").parse_request(made).price() is None
    made = ask("cinematicads", "video", prompt="A", options={"extra_fields": {"type": "new"}})
    assert get_vendor("cinematicads").parse_request(made).body()["type"] == "new"


def test_a_vendor_that_says_nothing_makes_nothing() -> None:
    answer = make_request("Example Ads", (), FilledBrief(kind="image", prompt="A"), LAMP)
    assert answer == CannotMake("Example Ads has no request that makes image of a brief")


@pytest.mark.parametrize("vendor", VENDORS)
def test_recipes_name_fields_that_exist(vendor: str) -> None:
    for recipe in get_vendor(vendor).recipes:
        fields = set(recipe.request.model_fields)
        assert set(recipe.takes) <= set(STATED)
        named = {
            *recipe.takes.values(),
            *recipe.always,
            *recipe.lists,
            *(recipe.product.fields if recipe.product else ()),
        }
        assert named | ({recipe.picture} if recipe.picture else set()) <= fields
        assert fields <= option_names(get_vendor(vendor).recipes, recipe.makes)


def test_what_stands_for_a_vendors_id_follows_from_the_shops_product_alone() -> None:
    def ids(**product: str) -> dict[str, str]:
        return shop_ids(ask("cutx", "copy", ShopRow(**product), platform="meta", tone="bold", format="short"))

    same = ids()
    assert same.keys() == {"product_id", "project_id"} and len({*same.values()}) == 2
    assert ids() == same, "in whichever process"
    assert ids(title="Lamp", image_link="https://shop.example/new.jpg", description="New.") == same
    assert ids(link="http://shop.example/desk-lamp/?utm_source=feed") == same
    for other in ({"id": "LMP-015"}, {"link": "https://another.example/desk-lamp"}):
        assert not {*ids(**other).values()} & {*same.values()}, other


def test_a_request_waits_for_ids_that_are_not_those_of_the_product_as_it_is() -> None:
    planned = ask("adsumo", "image", format="1:1", options={"model": "fast", "style_id": "x"})
    known = {"product_id": "p", "found_by": "shop.example/desk-lamp"}
    assert not waits_for(planned, {"LMP-014": known})
    for ids in (
        {},
        {"LMP-014": {**known, "found_by": "shop.example/old"}},
        {"LMP-014": {"found_by": known["found_by"]}},
    ):
        assert waits_for(planned, ids)
    assert not waits_for({"kind": "text-to-image", "prompt": "A lamp"}, {})


# --- a brief as a DAG writes it ---------------------------------------------------------------------------------------


def test_a_vendor_answers_to_a_brief_and_a_product() -> None:
    brief = Brief(
        "hero", "image", "{title} by {brand}, {format}", formats=["1:1"], options={"adsumo": {"model": "fast"}}
    )
    product = Product("1", "Lamp", brand="Lumo", extra={"colour": "red"})
    assert get_vendor("adsumo").request_for(brief, product) == {
        "kind": "text-to-image",
        "prompt": "Lamp by Lumo, 1:1",
        "aspect_ratio": "1:1",
        "model": "fast",
    }
    spoken = Brief(
        "ad", "video", script="A {colour} one, {locale}", locales=["en"], options={"sume": {"ad_format": "video"}}
    )
    made = get_vendor("sume").request_for(spoken, product)
    assert isinstance(made, dict)
    assert (made["script"], made["locale"]) == ("A red one, en", "en")
    unable = get_vendor("sume").request_for(Brief("say", "voice", script="Hi"), product)
    assert isinstance(unable, CannotMake)


@pytest.mark.parametrize(
    ("stated", "sentence"),
    [
        ({"prompt": "A", "formats": ["1:1", "9:16"]}, r"it is for 2 formats.*formats=\['1:1'\]"),
        ({"prompt": "A {locale}", "locales": ["de", "en", "fr"]}, r"it is for 3 locales.*plan_campaign"),
        ({"prompt": "A {size}"}, r"it uses \{size\}, a column that product 1 does not have"),
        ({"prompt": "{brand}"}, r"product 1: its prompt is empty for this row, because \{brand\} has no value"),
    ],
)
def test_a_brief_that_makes_no_one_request_is_refused(stated: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidRequest, match=f"Brief 'hero': {sentence}"):
        get_vendor("sume").request_for(Brief("hero", "image", **stated), Product("1", "Lamp"))
