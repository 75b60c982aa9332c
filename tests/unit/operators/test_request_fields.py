# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""An operator names its arguments once, in its signature, and Airflow sees all of them."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

import pytest
from airflow.sdk import DAG, BaseOperator

from airflow_provider_adgen.operators.generate import GenerateOperator
from airflow_provider_adgen.operators.resource import ResourceOperator
from tools.docgen.catalogue import operators

TYPED = [cls for _, cls in operators() if issubclass(cls, GenerateOperator | ResourceOperator) and cls.vendor_name]


def own(cls: type) -> list[inspect.Parameter]:
    found = inspect.signature(cls.__init__).parameters.values()  # type: ignore[misc]
    return [one for one in found if one.kind is one.KEYWORD_ONLY and one.name != "conn_id"]


@pytest.mark.parametrize("cls", TYPED)
def test_each_argument_is_an_attribute_and_a_template(cls: Any) -> None:
    assert len(TYPED) > 20 and own(cls)
    assert cls.request_fields == tuple(one.name for one in own(cls))
    base = GenerateOperator if issubclass(cls, GenerateOperator) else ResourceOperator
    assert tuple(cls.template_fields) == (*base.template_fields, *cls.request_fields)
    with DAG("d", schedule=None, default_args={"retries": 3}):
        given = {one.name: f"{{{{ params.{one.name} }}}}" for one in own(cls)}
        one = cls(task_id="t", params={name: f"value of {name}" for name in given}, **given)
        assert one.fields() == given and one.retries == 3
        context: Any = {"params": {name: f"value of {name}" for name in given}}
        one.render_template_fields(context)
        assert one.fields() == {name: f"value of {name}" for name in given}
        some = {parameter.name: "x" for parameter in own(cls) if parameter.default is parameter.empty}
        assert cls(task_id="u", **some).fields() == {
            parameter.name: some.get(parameter.name, parameter.default) for parameter in own(cls)
        }
        with pytest.raises(TypeError):
            cls(task_id="v", nonsense=1, **some)


class Banner(GenerateOperator):
    """A typed operator in somebody's own package."""

    request_kind: ClassVar[str] = "banner"

    def __init__(self, *, headline: str, conn_id: str = "my_ads", **kwargs: Any) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())


class BrandedBanner(Banner):
    """Adds an argument that is no field of the request."""

    template_fields = (*Banner.template_fields, "brand")

    def __init__(self, *, brand: str, **kwargs: Any) -> None:
        super().__init__(headline=f"{brand} socks", **kwargs)
        self.brand = brand


def test_a_subclass_may_take_arguments_of_its_own() -> None:
    one = BrandedBanner(task_id="t", brand="Warm")
    assert one.request_value() == {"kind": "banner", "headline": "Warm socks"}
    assert one.request_fields == ("headline",) and isinstance(one, BaseOperator)


class ByHand(GenerateOperator):
    """Says itself what its fields are."""

    request_kind: ClassVar[str] = "banner"
    request_fields: ClassVar[tuple[str, ...]] = ("headline",)
    template_fields = (*GenerateOperator.template_fields, "headline")

    def __init__(self, *, words: str, **kwargs: Any) -> None:
        super().__init__(conn_id="my_ads", **kwargs)
        self.headline = words


def test_what_a_class_says_itself_counts() -> None:
    assert ByHand(task_id="t", words="Socks").request_value() == {"kind": "banner", "headline": "Socks"}
    assert list(ByHand.template_fields)[-1] == "headline"
