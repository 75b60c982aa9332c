# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
CutX: paid generations, and the products they are about.

The operators of paid generations take all arguments of
:class:`~airflow_provider_adgen.operators.generate.GenerateOperator` as well.
"""

from __future__ import annotations

from typing import Any, ClassVar

from airflow_provider_adgen.operators.generate import GenerateOperator
from airflow_provider_adgen.operators.resource import ResourceOperator


class CutxCopyOperator(GenerateOperator):
    """
    Generate ad copy in five variants, answered at once. Costs 1 credit.

    The variants are in the returned ``variants``; with ``destination`` they are stored as JSON as well. They come with
    the answer to the submission, and whether CutX shows them again is not documented: when that answer is lost, the
    task stops.

    :param project_id: UUID of the project.
    :param product_id: UUID of the product.
    :param platform: ``meta``, ``tiktok``, ``google``, ``linkedin``, ``pinterest`` or ``universal``.
    :param format: ``short``, ``long``, ``hook`` or ``story``.
    :param tone: ``professional``, ``casual``, ``urgent``, ``luxe``, ``playful`` or ``bold``.
    :param custom_instructions: at most 500 characters.
    :param extra_fields: fields sent along as they are; one that has the name of an argument replaces it, unvalidated.
    """

    vendor_name: ClassVar[str | None] = "cutx"
    request_kind: ClassVar[str] = "copy"

    def __init__(
        self,
        *,
        project_id: str,
        product_id: str,
        platform: str | None,
        format: str | None,  # noqa: A002 - the vendor's own name
        tone: str | None,
        custom_instructions: str | None = None,
        extra_fields: dict[str, Any] | None = None,
        conn_id: str = "cutx_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())


class CutxStaticAdOperator(GenerateOperator):
    """
    Generate an ad image. Costs 3 credits; a job that failed is refunded, as the vendor documents.

    :param project_id: UUID of the project.
    :param product_id: UUID of the product.
    :param style: ``product_hero``, ``lifestyle``, ``minimal``, ``bold`` or ``seasonal``; also ``modern``, which the
        vendor's example sends and its table does not list (where it is refused, nothing is started).
    :param aspect_ratio: ``1:1`` (the vendor's default), ``9:16``, ``4:5`` or ``16:9``.
    :param prompt: 5 to 1000 characters.
    :param extra_fields: fields sent along as they are; one that has the name of an argument replaces it, unvalidated.
    """

    vendor_name: ClassVar[str | None] = "cutx"
    request_kind: ClassVar[str] = "static-ad"

    def __init__(
        self,
        *,
        project_id: str,
        product_id: str,
        style: str | None = None,
        aspect_ratio: str | None = None,
        prompt: str | None = None,
        extra_fields: dict[str, Any] | None = None,
        conn_id: str = "cutx_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())


class CutxVideoOperator(GenerateOperator):
    """
    Generate a video of an avatar that speaks. Costs 40 credits; a job that failed is refunded, as the vendor documents.

    Takes 1 to 3 minutes. A submission whose answer was lost is sent again with its own idempotency key within 20
    seconds, while the first job must still run; after that the task stops.

    :param project_id: UUID of the project.
    :param product_id: UUID of the product.
    :param script: 10 to 2000 characters.
    :param avatar_url: a picture of an avatar of your own.
    :param voice_id: the voice (the vendor's default is ``male-1``; it lists no others).
    :param aspect_ratio: ``9:16`` (the vendor's default), ``1:1`` or ``16:9``.
    :param extra_fields: fields sent along as they are; one that has the name of an argument replaces it, unvalidated.
    """

    vendor_name: ClassVar[str | None] = "cutx"
    request_kind: ClassVar[str] = "video"

    def __init__(
        self,
        *,
        project_id: str,
        product_id: str,
        script: str,
        avatar_url: str | None = None,
        voice_id: str | None = None,
        aspect_ratio: str | None = None,
        extra_fields: dict[str, Any] | None = None,
        conn_id: str = "cutx_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())


class CutxIngestProductOperator(ResourceOperator):
    """
    Make a product of a shop's page, which CutX reads; costs no credits.

    Returns the product as a dictionary, and pushes its ``id``, which generations take as ``product_id``, as an XCom of
    its own. Whether CutX notices that a page was read before is not documented, so a retry may make a second product.

    :param url: the product's page.
    :param project_id: UUID of the project to put it into; whether it can be left out is not documented.
    """

    vendor_name: ClassVar[str] = "cutx"
    pushes_id: ClassVar[bool] = True

    def __init__(
        self, *, url: str, project_id: str | None = None, conn_id: str = "cutx_default", **kwargs: Any
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())

    def act(self, hook: Any) -> Any:
        """Make the product."""
        return hook.ingest_product(**self.fields())


class CutxEnsureProductOperator(ResourceOperator):
    """
    Return the product of a project that is the shop's, and make it of the shop's page if there is none.

    Costs no credits. It is found by its link, else by its name, if one product of the project alone has that. A retry,
    and a run next week, find what was made.

    Returns the product as a dictionary, and pushes its ``id``, which generations take as ``product_id``, as an XCom of
    its own.

    :param name: its name, to find it by.
    :param project_id: UUID of the project.
    :param link: the product's page, which CutX reads; needed to make one.
    :param description: refused if given: CutX reads it from the page.
    :param category: refused if given: CutX reads it from the page.
    :param image_url: refused if given: CutX reads it from the page.
    """

    vendor_name: ClassVar[str] = "cutx"
    pushes_id: ClassVar[bool] = True

    def __init__(
        self,
        *,
        name: str,
        project_id: str,
        link: str | None = None,
        description: str | None = None,
        category: str | None = None,
        image_url: str | None = None,
        conn_id: str = "cutx_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())

    def act(self, hook: Any) -> Any:
        """Find the product, or make it."""
        return hook.ensure_product(**self.fields())
