# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Sume: paid generations, and the uploads they start from.

The operators of paid generations take all arguments of
:class:`~airflow_provider_adgen.operators.generate.GenerateOperator` as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_adgen.operators.generate import GenerateOperator
from airflow_provider_adgen.operators.resource import ResourceOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class SumeImageOperator(GenerateOperator):
    """
    Generate images from a text. "May reserve or spend credits"; the price is not documented.

    :param prompt: what the image shows.
    :param aspect_ratio: for example ``1:1``, ``4:5``, ``9:16``; which ones are taken is not documented.
    :param resolution: a preference; its values are not documented.
    :param quality: a preference; its values are not documented.
    :param image_count: images, at least 1. The vendor recommends one image per request as reliable.
    :param n: the vendor's other name for ``image_count``; give one of the two.
    :param reference_image_urls: https images, for example ``reference_url`` of a brand's images.
    :param extra_fields: fields sent along as they are; one that has the name of an argument replaces it, unvalidated.
    """

    vendor_name: ClassVar[str | None] = "sume"
    request_kind: ClassVar[str] = "image"

    def __init__(
        self,
        *,
        prompt: str,
        aspect_ratio: str | None = None,
        resolution: str | None = None,
        quality: str | None = None,
        image_count: int | str | None = None,
        n: int | str | None = None,
        reference_image_urls: list[str] | None = None,
        extra_fields: dict[str, Any] | None = None,
        conn_id: str = "sume_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())


class SumeVideoOperator(GenerateOperator):
    """
    Generate a video from a text. "May reserve or spend credits"; the price is not documented.

    :param prompt: what the video shows.
    :param aspect_ratio: for example ``9:16``; which ones are taken is not documented.
    :param duration: seconds; the range is not documented (the vendor's command line takes 4 to 15).
    :param generate_audio: ask for sound, where supported.
    :param resolution: a preference, for example ``480p`` or ``720p``.
    :param extra_fields: fields sent along as they are; one that has the name of an argument replaces it, unvalidated.
    """

    vendor_name: ClassVar[str | None] = "sume"
    request_kind: ClassVar[str] = "video"

    def __init__(
        self,
        *,
        prompt: str,
        aspect_ratio: str | None = None,
        duration: float | str | None = None,
        generate_audio: bool | str | None = None,
        resolution: str | None = None,
        extra_fields: dict[str, Any] | None = None,
        conn_id: str = "sume_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())


class SumeAdVideoOperator(GenerateOperator):
    """
    Generate a video ad from a script. Reserves credits before accepting; the price is not documented.

    :param script: 3 to 1800 characters.
    :param ad_format: ``talking_heads`` (the vendor's default), ``ugc_ads`` or ``video``.
    :param avatar_id: the avatar; it or ``avatar_slug`` is needed but for ``ad_format="video"``.
    :param avatar_slug: the avatar by its slug, in place of ``avatar_id``.
    :param locale: ``en`` or ``ko``.
    :param duration_seconds: seconds; the vendor may clamp it to what the format supports.
    :param reference_image_urls: at most 9 https images.
    :param reference_video_urls: videos, only with ``ad_format="video"``.
    :param extra_fields: fields sent along as they are; one that has the name of an argument replaces it, unvalidated.
    """

    vendor_name: ClassVar[str | None] = "sume"
    request_kind: ClassVar[str] = "ad-video"

    def __init__(
        self,
        *,
        script: str,
        ad_format: str | None = None,
        avatar_id: str | None = None,
        avatar_slug: str | None = None,
        locale: str | None = None,
        duration_seconds: float | str | None = None,
        reference_image_urls: list[str] | None = None,
        reference_video_urls: list[str] | None = None,
        extra_fields: dict[str, Any] | None = None,
        conn_id: str = "sume_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())


class SumeFaceSwapOperator(GenerateOperator):
    """
    Put other faces into a video. Reserves credits per avatar and job; the price is not documented.

    The vendor may answer with several jobs. All are waited for, and the videos of all are returned and stored. If some
    end without a result and others complete, the task succeeds with those: they are paid for. What became of the
    others is logged as a warning, and is in the result's ``error`` and ``details["jobs"]``.

    :param source_video_url: the ``media_url`` of an upload with purpose ``face_swap_source_video``.
    :param avatar_ids: 1 to 5 avatars; each is paid for.
    :param duration_seconds: seconds, at most 15.
    :param trim_start_seconds: where the source begins.
    :param trim_end_seconds: where the source ends.
    :param aspect_ratio: ``16:9``, ``9:16``, ``1:1``, ``4:3``, ``3:4`` or ``21:9``.
    :param extra_fields: fields sent along as they are; one that has the name of an argument replaces it, unvalidated.
    """

    vendor_name: ClassVar[str | None] = "sume"
    request_kind: ClassVar[str] = "face-swap"

    def __init__(
        self,
        *,
        source_video_url: str,
        avatar_ids: list[str],
        duration_seconds: float | str | None = None,
        trim_start_seconds: float | str | None = None,
        trim_end_seconds: float | str | None = None,
        aspect_ratio: str | None = None,
        extra_fields: dict[str, Any] | None = None,
        conn_id: str = "sume_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())


class SumeReferenceAnalysisOperator(GenerateOperator):
    """
    Analyse a public video. Requires credits; the price is not documented.

    The result has no file: it is in the returned ``details``, of which 4 KB go through XCom, and no URLs.
    ``SumeHook.get_job_result`` has all of it.

    :param url: a public TikTok or Instagram Reel URL.
    :param url_field: the name under which the URL is sent. The vendor's readable pages do not show it; ``url`` is the
        likeliest. What the vendor does with a wrong one, and whether it charges for it, is not documented.
    :param extra_fields: fields sent along as they are; one that has the name of an argument replaces it, unvalidated.
    """

    vendor_name: ClassVar[str | None] = "sume"
    request_kind: ClassVar[str] = "reference-analysis"

    def __init__(
        self,
        *,
        url: str,
        url_field: str = "url",
        extra_fields: dict[str, Any] | None = None,
        conn_id: str = "sume_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())


class SumeUploadOperator(ResourceOperator):
    """
    Upload a video from any object storage, streamed. A retry uploads it again.

    Whether it costs credits is not documented.

    Returns a dictionary; pushes ``asset_id`` and ``media_url`` as XComs of their own. A ``media_url`` is only told for
    a face swap, which needs it: the vendor calls it sensitive, and Airflow shows what is in XCom.

    :param source: a path of this machine, or anything that ``ObjectStoragePath`` takes.
    :param purpose: ``asset_library_video`` (wait for its ``asset_id`` with an ``AssetSensor``) or
        ``face_swap_source_video`` (its ``media_url`` is a face swap's ``source_video_url``).
    :param content_type: MIME type (default: by the file's name).
    :param field_names: other names on the wire for ``file_name``, ``content_type``, ``size`` and ``purpose`` of the
        presign request, which the vendor's readable pages do not show.
    :param asset_fields: fields to send along when the upload is finalised for the Asset Library.
    :raises AirflowFailException: a retry cannot help: the file cannot be read or is too large, an argument is wrong,
        or the key is refused.
    """

    vendor_name: ClassVar[str] = "sume"

    def __init__(
        self,
        *,
        source: Any,
        purpose: str,
        content_type: str | None = None,
        field_names: dict[str, str] | None = None,
        asset_fields: dict[str, Any] | None = None,
        conn_id: str = "sume_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())

    def act(self, hook: Any) -> Any:
        """Upload the file."""
        done = hook.upload(**self.fields())
        asset = done.asset
        return {
            "purpose": done.purpose,
            "file_name": done.file_name,
            "content_type": done.content_type,
            "size": done.size,
            "media_url": done.media_url if asset is None else None,
            "asset_id": done.asset_id,
            "job_ids": asset.job_ids if asset is not None else [],
            "status": asset.status if asset is not None else None,
        }

    def execute(self, context: Context) -> Any:
        """Upload the file, and push what the next task needs."""
        result = super().execute(context)
        for key in ("asset_id", "media_url"):
            if result[key] is not None:  # Airflow 3.0 refuses to store nothing
                context["ti"].xcom_push(key=key, value=result[key])
        return result
