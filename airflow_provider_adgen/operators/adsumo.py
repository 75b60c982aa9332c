# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Adsumo: paid generations, and the products and avatars they are made of.

The operators of paid generations take all arguments of
:class:`~airflow_provider_adgen.operators.generate.GenerateOperator` as well.
"""

from __future__ import annotations

from typing import Any, ClassVar

from airflow_provider_adgen.operators.generate import GenerateOperator
from airflow_provider_adgen.operators.resource import ResourceOperator


class AdsumoTalkingAvatarOperator(GenerateOperator):
    """
    Generate a video of an avatar that speaks.

    Costs 20 credits per 250 characters of script, 20 to 160; with a voiceover the price is not documented.

    :param avatar_id: UUID of the avatar.
    :param avatar_type: ``platform``, ``custom`` or ``product``.
    :param script: the text to speak; with ``voice_id``.
    :param voice_id: the voice that speaks it.
    :param voiceover_id: UUID of an existing voiceover, in place of script and voice.
    :param lipsync_model: ``heygen-avatar4`` (the vendor's default) or ``lipsync-2.0``.
    :param extra_fields: fields sent along as they are; one that has the name of an argument replaces it, unvalidated.
    """

    vendor_name: ClassVar[str | None] = "adsumo"
    request_kind: ClassVar[str] = "talking-avatar"

    def __init__(
        self,
        *,
        avatar_id: str,
        avatar_type: str | None,
        script: str | None = None,
        voice_id: str | None = None,
        voiceover_id: str | None = None,
        lipsync_model: str | None = None,
        extra_fields: dict[str, Any] | None = None,
        conn_id: str = "adsumo_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())


class AdsumoVideoOperator(GenerateOperator):
    """
    Generate a video from a text. Its price is not documented.

    :param model: ``sora-2``, ``sora-2-pro``, ``veo-3.1``, ``veo-3.1-fast`` or ``kling-2.6``.
    :param prompt: what the video shows.
    :param aspect_ratio: for example ``16:9``; which ones a model takes is not documented.
    :param duration: seconds; which ones a model takes is not documented.
    :param extra_fields: fields sent along as they are; one that has the name of an argument replaces it, unvalidated.
    """

    vendor_name: ClassVar[str | None] = "adsumo"
    request_kind: ClassVar[str] = "ai-video"

    def __init__(
        self,
        *,
        model: str | None,
        prompt: str,
        aspect_ratio: str | None = None,
        duration: float | str | None = None,
        extra_fields: dict[str, Any] | None = None,
        conn_id: str = "adsumo_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())


class AdsumoTextToImageOperator(GenerateOperator):
    """
    Generate images from a text. Costs 1 to 4 credits per image by model and resolution.

    :param prompt: what the image shows.
    :param model: ``fast`` or ``pro``.
    :param aspect_ratio: for example ``1:1``, ``16:9``, ``9:16``.
    :param quantity: images, 1 to 8 (default 1).
    :param resolution: ``1k`` (default), ``2k`` or ``4k``.
    :param extra_fields: fields sent along as they are; one that has the name of an argument replaces it, unvalidated.
    """

    vendor_name: ClassVar[str | None] = "adsumo"
    request_kind: ClassVar[str] = "text-to-image"

    def __init__(
        self,
        *,
        prompt: str,
        model: str | None,
        aspect_ratio: str,
        quantity: int | str | None = None,
        resolution: str | None = None,
        extra_fields: dict[str, Any] | None = None,
        conn_id: str = "adsumo_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())


class AdsumoProductShotOperator(GenerateOperator):
    """
    Generate photographs of a product in a style. Its price is not documented.

    :param product_id: UUID of a product of the account.
    :param style_id: a style template, for example ``lifestyle-outdoor``.
    :param model: ``fast`` or ``pro``.
    :param aspect_ratio: for example ``1:1``, ``16:9``, ``9:16``.
    :param quantity: images, 1 to 8 (default 1).
    :param resolution: ``1k`` (default), ``2k`` or ``4k``.
    :param additional_prompt: guidance appended to the template's prompt.
    :param extra_fields: fields sent along as they are; one that has the name of an argument replaces it, unvalidated.
    """

    vendor_name: ClassVar[str | None] = "adsumo"
    request_kind: ClassVar[str] = "product-shots"

    def __init__(
        self,
        *,
        product_id: str,
        style_id: str,
        model: str | None,
        aspect_ratio: str,
        quantity: int | str | None = None,
        resolution: str | None = None,
        additional_prompt: str | None = None,
        extra_fields: dict[str, Any] | None = None,
        conn_id: str = "adsumo_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())


class AdsumoTemplateVideoOperator(GenerateOperator):
    """
    Generate a video of a product from a template. Its price is not documented.

    :param template: the template's name, for example ``ugc``.
    :param product_id: a product of the account.
    :param extra_fields: fields sent along as they are; one that has the name of an argument replaces it, unvalidated.
    """

    vendor_name: ClassVar[str | None] = "adsumo"
    request_kind: ClassVar[str] = "template-video"

    def __init__(
        self,
        *,
        template: str,
        product_id: str,
        extra_fields: dict[str, Any] | None = None,
        conn_id: str = "adsumo_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())


class AdsumoTextToSpeechOperator(GenerateOperator):
    """
    Generate a voiceover, answered at once. Costs 1 credit.

    :param text: what is spoken.
    :param voice_id: the voice that speaks it.
    :param model: the voice model; the vendor lists none.
    :param voice_settings: overrides of the voice's settings; their shape is not documented.
    :param extra_fields: fields sent along as they are; one that has the name of an argument replaces it, unvalidated.
    """

    vendor_name: ClassVar[str | None] = "adsumo"
    request_kind: ClassVar[str] = "text-to-speech"

    def __init__(
        self,
        *,
        text: str,
        voice_id: str,
        model: str | None = None,
        voice_settings: dict[str, Any] | None = None,
        extra_fields: dict[str, Any] | None = None,
        conn_id: str = "adsumo_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())


class AdsumoCreateProductOperator(ResourceOperator):
    """
    Create a product; whether it costs credits is not documented. A retry makes no second one within 24 hours.

    Returns the product as a dictionary; its ``id`` is what product shots and template videos take.

    :param name: its name.
    :param description: what it is.
    :param category: for example ``Electronics``.
    :param image_url: a public image of at most 10 MB.
    :param price: its price.
    :param currency: ISO 4217 (the vendor's default is ``USD``).
    :param link: its page.
    """

    vendor_name: ClassVar[str] = "adsumo"

    def __init__(
        self,
        *,
        name: str,
        description: str,
        category: str,
        image_url: str,
        price: float | str | None = None,
        currency: str | None = None,
        link: str | None = None,
        conn_id: str = "adsumo_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())

    def act(self, hook: Any) -> Any:
        """Create the product."""
        return hook.create_product(**self.fields(), idempotency_key=self.task_key())


class AdsumoEnsureProductOperator(ResourceOperator):
    """
    Return the product of the account that is the shop's, and make it if there is none.

    Whether making it costs credits is not documented. It is found by its link, else by its name, if one product of the
    account alone has that. A retry, and a run next week, find what was made.

    Returns the product as a dictionary, and pushes its ``id``, which product shots and template videos take as
    ``product_id``, as an XCom of its own.

    :param name: its name.
    :param link: its page.
    :param description: what it is; needed to make one.
    :param category: for example ``Electronics``; needed to make one.
    :param image_url: a public image of at most 10 MB; needed to make one.
    :param project_id: refused if given: Adsumo has no projects.
    """

    vendor_name: ClassVar[str] = "adsumo"
    pushes_id: ClassVar[bool] = True

    def __init__(
        self,
        *,
        name: str,
        link: str | None = None,
        description: str | None = None,
        category: str | None = None,
        image_url: str | None = None,
        project_id: str | None = None,
        conn_id: str = "adsumo_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())

    def act(self, hook: Any) -> Any:
        """Find the product, or make it."""
        return hook.ensure_product(**self.fields())


class AdsumoDeleteProductOperator(ResourceOperator):
    """
    Delete a product. One that is gone already counts as deleted.

    :param product_id: UUID of the product.
    :raises AirflowFailException: it has generations; Adsumo documents no endpoint that deletes those.
    """

    vendor_name: ClassVar[str] = "adsumo"
    gone_is_fine: ClassVar[bool] = True

    def __init__(self, *, product_id: str, conn_id: str = "adsumo_default", **kwargs: Any) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())

    def act(self, hook: Any) -> Any:
        """Delete the product."""
        return hook.delete_product(**self.fields())


class AdsumoCreateAvatarOperator(ResourceOperator):
    """
    Create a custom avatar from a picture of a face; whether it costs credits is not documented.

    A retry makes no second one within 24 hours.

    Returns the avatar as a dictionary; its ``id`` goes with ``avatar_type="custom"``.

    :param name: at most 50 characters.
    :param image_url: a public image of a face, at most 10 MB.
    :param description: what it is.
    """

    vendor_name: ClassVar[str] = "adsumo"

    def __init__(
        self,
        *,
        name: str,
        image_url: str,
        description: str | None = None,
        conn_id: str = "adsumo_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())

    def act(self, hook: Any) -> Any:
        """Create the avatar."""
        return hook.create_custom_avatar(**self.fields(), idempotency_key=self.task_key())


class AdsumoDeleteAvatarOperator(ResourceOperator):
    """
    Delete a custom avatar. One that is gone already counts as deleted.

    :param avatar_id: UUID of the avatar.
    :raises AirflowFailException: a video generation uses it.
    """

    vendor_name: ClassVar[str] = "adsumo"
    gone_is_fine: ClassVar[bool] = True

    def __init__(self, *, avatar_id: str, conn_id: str = "adsumo_default", **kwargs: Any) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())

    def act(self, hook: Any) -> Any:
        """Delete the avatar."""
        return hook.delete_custom_avatar(**self.fields())
