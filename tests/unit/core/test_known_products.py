# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from airflow_provider_adgen.core.calls import Emit, Sequence, gathered
from airflow_provider_adgen.core.known_products import KnownProducts, same_link


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://shop.example/a", "http://Shop.Example/a/", True),
        ("https://shop.example/a", " https://shop.example/a#reviews ", True),
        ("https://shop.example/a?utm_source=x&utm_medium=y", "https://shop.example/a", True),
        ("https://shop.example/a?variant=1&utm_source=x", "https://shop.example/a?variant=1", True),
        ("https://shop.example/a?variant=1", "https://shop.example/a?variant=2", False),
        ("https://shop.example/a", "https://shop.example/A", False),
        ("https://shop.example/a", "https://other.example/a", False),
        ("https://[::1", "https://[::1", True),
    ],
)
def test_links_that_are_the_same(one: str, other: str, same: bool) -> None:
    assert (same_link(one) == same_link(other)) is same


def known(*rows: tuple[str, str | None, str | None], others: tuple[str, ...] = ()) -> KnownProducts[str]:
    found = KnownProducts[str](others)
    for row, name, link in rows:
        found.add(row, row, name, link)
    return found


A, B, C = "https://shop.example/a", "https://shop.example/b", "https://shop.example/c"


def test_a_product_is_found_by_its_link_else_by_its_name() -> None:
    products = known(("1", "Shoe", A), ("2", "Shoe", B), ("3", "Lamp", None), ("4", None, None), ("5", "Shoe", A))
    assert products.find("Another name", A) == "1"
    assert products.find("Shoe", B) == "2"
    assert products.find(" shoe", None) == "1"
    assert products.find("LAMP", "https://shop.example/lamp") == "3"
    assert products.find("Chair", None) is None
    # Two of the list have the name: nobody knows which of them it is, if any.
    assert products.find("Shoe", C) is None


def test_a_vendor_may_keep_another_address_of_the_page() -> None:
    products = known(("1", "Shoe", "https://www.shop.example/en/a"))
    assert products.find("SHOE", f"{A}?ref=feed") == "1"
    assert products.find("Shoe", f"{A}?ref=feed") == "1"
    assert products.find("Boot", A) is None


@pytest.mark.parametrize(
    ("link", "others"),
    [
        (C, (A, C)),  # its link is another product's of the same feed
        (C, ("http://shop.example/a/?utm_source=feed",)),
        (C, ("1",)),  # its id is another product's in an earlier run
        (f"{A}?colour=red", ()),
        (f"{C}?size=4&colour=red", ()),
    ],
)
def test_variants_share_a_name_and_are_products_of_their_own(link: str, others: tuple[str, ...]) -> None:
    assert known(("1", "Shoe", f"{A}?colour=blue" if "colour" in link else A), others=others).find("Shoe", link) is None


@pytest.mark.parametrize("listed", ["https://shop.example/made-by-hand", None])
def test_what_is_found_by_its_name_is_one_product_only(listed: str | None) -> None:
    products = known(("1", "Shoe", listed), others=(A, B))
    assert products.find("Shoe", A) == "1"
    assert products.find("Shoe", B) is None
    assert products.find("Shoe", A) == "1"


def listing() -> Sequence[None]:
    yield Emit([1])
    try:
        answer = yield "first"
    except ValueError:
        answer = "refused"
    yield Emit([answer, 3])


@pytest.mark.parametrize(("error", "found"), [(None, [1, "told", 3]), (ValueError(), [1, "refused", 3])])
def test_a_list_inside_another_sequence_hears_what_came_of_its_requests(
    error: Exception | None, found: list[object]
) -> None:
    steps = gathered(listing())
    assert next(steps) == "first"
    with pytest.raises(StopIteration) as end:
        if error is None:
            steps.send("told")
        else:
            steps.throw(error)
    assert end.value.value == found


def test_an_error_that_a_list_does_not_expect_ends_both() -> None:
    steps = gathered(listing())
    next(steps)
    with pytest.raises(KeyError):
        steps.throw(KeyError("other"))
