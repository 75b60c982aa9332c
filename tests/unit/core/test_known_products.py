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


def known(*rows: tuple[str, str | None, str | None]) -> KnownProducts[str]:
    found = KnownProducts[str]()
    for row, name, link in rows:
        found.add(row, name, link)
    return found


A, B = "https://shop.example/a", "https://shop.example/b"


def test_a_product_is_found_by_its_link_and_by_its_name_only_without_one() -> None:
    products = known(("1", "Shoe", A), ("2", "Shoe", B), ("3", "Lamp", None), ("4", None, None), ("5", "Shoe", A))
    assert products.find("Another name", A) == "1"
    assert products.find("Shoe", B) == "2"
    # The same name at another link is another product, such as another colour.
    assert products.find("Shoe", "https://shop.example/c") is None
    assert products.find(" shoe", None) == "1"
    assert products.find("LAMP", "https://shop.example/lamp") == "3"
    assert products.find("Chair", None) is None


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
