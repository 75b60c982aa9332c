# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What Example Ads has beyond its one file: a hook, an operator that spends nothing, a connection form."""

from __future__ import annotations

from typing import Any, ClassVar

from adgen_vendor_exampleads import endpoint

from airflow_provider_adgen.core.calls import Call, nothing
from airflow_provider_adgen.hooks.base import AdGenHook
from airflow_provider_adgen.hooks.endpoints import calling
from airflow_provider_adgen.operators.resource import ResourceOperator


def delete_ad(ad_id: str) -> Call[None]:
    """
    Delete an ad. ``DELETE /ads/{id}``.

    :param ad_id: the ad.
    """
    return endpoint("DELETE /ads/{id}").call(nothing, ad_id)


class ExampleAdsHook(AdGenHook):
    """An account at Example Ads; what every hook can do, and this."""

    conn_type: ClassVar[str] = "exampleads"
    hook_name: ClassVar[str] = "Example Ads"
    default_conn_name: ClassVar[str] = "exampleads_default"

    delete_ad, adelete_ad = calling(delete_ad)


class ExampleAdsDeleteOperator(ResourceOperator):
    """
    Delete an ad. One that is gone already counts as deleted.

    :param ad_id: the ad.
    :param conn_id: the Airflow connection of type ``exampleads``.
    """

    vendor_name: ClassVar[str] = "exampleads"
    gone_is_fine: ClassVar[bool] = True

    def __init__(self, *, ad_id: str, conn_id: str = "exampleads_default", **kwargs: Any) -> None:
        super().__init__(conn_id=conn_id, **kwargs)
        self.assign(locals())

    def act(self, hook: Any) -> Any:
        """Delete the ad."""
        return hook.delete_ad(**self.fields())
