# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Lets an operator name its arguments once, in the signature of ``__init__``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class TakesFields:
    """
    Base of operators whose request fields follow from their signature.

    A class that says which vendor or kind of request it is for, and has an ``__init__``, is read when it is created:
    its keyword-only arguments, all but ``conn_id``, are its :attr:`request_fields`, and are templated. Airflow renders
    attributes, so ``__init__`` calls ``self.assign(locals())``. A subclass that only adds an ``__init__`` is not read:
    its further arguments are no fields of a request.
    """

    request_fields: ClassVar[tuple[str, ...]] = ()
    template_fields: Sequence[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = vars(cls)
        if "__init__" not in own or not (own.get("vendor_name") or own.get("request_kind")):
            return
        if "request_fields" not in own:
            # The code object is read, not inspect.signature: this runs at every DAG parse.
            code = own["__init__"].__code__
            names = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
            cls.request_fields = tuple(name for name in names if name != "conn_id")
        if "template_fields" not in own:
            cls.template_fields = (*cls.template_fields, *cls.request_fields)

    def assign(self, given: Mapping[str, Any]) -> None:
        """
        Keep the request fields as attributes.

        :param given: ``locals()`` of ``__init__``.
        """
        for name in self.request_fields:
            setattr(self, name, given[name])

    def fields(self) -> dict[str, Any]:
        """Return the request fields, after templates were rendered."""
        return {name: getattr(self, name) for name in self.request_fields}
