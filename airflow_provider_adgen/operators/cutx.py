# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""CutX: paid generations, and the products they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_adgen.operators.generate import GenerateOperator
from airflow_provider_adgen.operators.resource import ResourceOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

_COMMON = (*GenerateOperator.template_fields, "extra_fields", "project_id", "product_id")


class _CutxOperator(GenerateOperator):
    """What all CutX generations take: the product they are about."""

    vendor_name: ClassVar[str | None] = "cutx"

    def __init__(
        self,
        *,
        project_id: str,
        product_id: str,
        extra_fields: dict[str, Any] | None = None,
        conn_id: str = "cutx_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.project_id = project_id
        self.product_id = product_id
        self.extra_fields = extra_fields


class CutxCopyOperator(_CutxOperator):
    """
    Generate five variants of ad copy, answered at once. Costs 1 credit.

    Takes all arguments of :class:`~airflow_provider_adgen.operators.generate.GenerateOperator` as well.

    :param project_id: UUID of the project.
    :param product_id: UUID of the product.
    :param platform: ``meta``, ``tiktok``, ``google``, ``linkedin``, ``pinterest`` or ``universal``.
    :param format: ``short``, ``long``, ``hook`` or ``story``.
    :param tone: ``professional``, ``casual``, ``urgent``, ``luxe``, ``playful`` or ``bold``.
    :param custom_instructions: at most 500 characters.
    :param extra_fields: fields sent along as they are.
    :param conn_id: the Airflow connection of type ``cutx``.
    """

    request_kind: ClassVar[str] = "copy"
    request_fields: ClassVar[tuple[str, ...]] = (
        "project_id",
        "product_id",
        "platform",
        "format",
        "tone",
        "custom_instructions",
        "extra_fields",
    )
    template_fields: Sequence[str] = (*_COMMON, "platform", "format", "tone", "custom_instructions")

    def __init__(
        self,
        *,
        platform: str,
        format: str,  # noqa: A002 - the vendor's own name
        tone: str,
        custom_instructions: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.platform = platform
        self.format = format
        self.tone = tone
        self.custom_instructions = custom_instructions


class CutxStaticAdOperator(_CutxOperator):
    """
    Generate an ad image. Costs 3 credits.

    Takes all arguments of :class:`~airflow_provider_adgen.operators.generate.GenerateOperator` as well.

    :param project_id: UUID of the project.
    :param product_id: UUID of the product.
    :param style: ``product_hero``, ``lifestyle``, ``minimal``, ``bold`` or ``seasonal``.
    :param aspect_ratio: ``1:1`` (the vendor's default), ``9:16``, ``4:5`` or ``16:9``.
    :param prompt: 5 to 1000 characters.
    :param extra_fields: fields sent along as they are.
    :param conn_id: the Airflow connection of type ``cutx``.
    """

    request_kind: ClassVar[str] = "static-ad"
    request_fields: ClassVar[tuple[str, ...]] = (
        "project_id",
        "product_id",
        "style",
        "aspect_ratio",
        "prompt",
        "extra_fields",
    )
    template_fields: Sequence[str] = (*_COMMON, "style", "aspect_ratio", "prompt")

    def __init__(
        self,
        *,
        style: str | None = None,
        aspect_ratio: str | None = None,
        prompt: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.style = style
        self.aspect_ratio = aspect_ratio
        self.prompt = prompt


class CutxVideoOperator(_CutxOperator):
    """
    Generate a video of an avatar that speaks. Costs 40 credits.

    Takes all arguments of :class:`~airflow_provider_adgen.operators.generate.GenerateOperator` as well.

    :param project_id: UUID of the project.
    :param product_id: UUID of the product.
    :param script: 10 to 2000 characters.
    :param avatar_url: a picture of an avatar of your own.
    :param voice_id: the voice (the vendor's default is ``male-1``).
    :param aspect_ratio: ``9:16`` (the vendor's default), ``1:1`` or ``16:9``.
    :param extra_fields: fields sent along as they are.
    :param conn_id: the Airflow connection of type ``cutx``.
    """

    request_kind: ClassVar[str] = "video"
    request_fields: ClassVar[tuple[str, ...]] = (
        "project_id",
        "product_id",
        "script",
        "avatar_url",
        "voice_id",
        "aspect_ratio",
        "extra_fields",
    )
    template_fields: Sequence[str] = (*_COMMON, "script", "avatar_url", "voice_id", "aspect_ratio")

    def __init__(
        self,
        *,
        script: str,
        avatar_url: str | None = None,
        voice_id: str | None = None,
        aspect_ratio: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.script = script
        self.avatar_url = avatar_url
        self.voice_id = voice_id
        self.aspect_ratio = aspect_ratio


class CutxIngestProductOperator(ResourceOperator):
    """
    Make a product from a shop's page; costs 0 credits.

    Returns the product as a dictionary; its ``id`` is what generations are about. CutX documents no way to repeat this
    safely, so a retry after a lost answer may make the product twice.

    :param url: the product's page.
    :param project_id: UUID of the project to put it into.
    :param conn_id: the Airflow connection of type ``cutx``.
    """

    vendor_name: ClassVar[str] = "cutx"
    template_fields: Sequence[str] = ("conn_id", "url", "project_id")

    def __init__(
        self, *, url: str, project_id: str | None = None, conn_id: str = "cutx_default", **kwargs: Any
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.url = url
        self.project_id = project_id

    def act(self, hook: Any) -> Any:
        """Make the product."""
        return hook.ingest_product(url=self.url, project_id=self.project_id)
