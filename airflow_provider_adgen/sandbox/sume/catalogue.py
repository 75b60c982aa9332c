# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Sume's avatars and the Brand DNA of a new workspace: the sandbox's own."""

from __future__ import annotations

from typing import Any

_NAMES = ("Nora", "Idris", "Paula", "Kenji", "Amara", "Luca", "Sofie", "Mateo", "Hana", "Viktor", "Zoe", "Elias")


def _avatar(number: int, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "slug": name.lower(),
        "visibility": "public",
        "capabilities": {
            # Every third avatar cannot swap faces and every fourth cannot be in a UGC ad, so that both occur.
            "talking_head": True,
            "ugc_ad_video": number % 4 != 3,
            "face_swap": number % 3 != 2,
        },
    }


AVATARS: dict[str, dict[str, Any]] = {
    f"avatar_{name.lower()}": _avatar(number, name) for number, name in enumerate(_NAMES)
}

BRAND: dict[str, Any] = {
    "name": "Northpeak",
    "domain": "northpeak.example",
    "tagline": "Made to be worn out",
    "tone": "warm, plain-spoken",
    "colors": ["#14342b", "#f2c14e"],
    "pictures": ["northpeak-logo", "northpeak-trail"],
}
