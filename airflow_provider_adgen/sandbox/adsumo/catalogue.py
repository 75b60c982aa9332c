# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""The platform's avatars and voices: a fixed catalogue of the sandbox's own."""

from __future__ import annotations

import uuid
from typing import Any

_SPACE = uuid.UUID("5ad50000-0000-4000-8000-000000000000")

GENDERS = ("male", "female", "other")
AGE_GROUPS = ("kid", "young_adult", "adult", "senior")
ACCENTS = ("american", "british", "french", "danish", "swedish", "german", "norwegian", "spanish", "neutral")
STYLES = ("professional", "casual", "energetic", "whisper", "speaker")

_AVATARS = (
    ("Maya", "female", "adult"),
    ("Jonas", "male", "young_adult"),
    ("Ines", "female", "young_adult"),
    ("Oskar", "male", "adult"),
    ("Ruth", "female", "senior"),
    ("Tariq", "male", "adult"),
)
_VOICES = ("Alva", "Bo", "Clara", "Dario", "Elin", "Finn", "Greta", "Hugo", "Iris", "Jules", "Kaia", "Leon")


def _identity(kind: str, name: str) -> str:
    return str(uuid.uuid5(_SPACE, f"{kind} {name}"))


AVATARS: dict[str, dict[str, Any]] = {
    _identity("avatar", name): {"name": name, "gender": gender, "age_group": age} for name, gender, age in _AVATARS
}

# 45 voices: more than two default pages, and every filter word occurs.
VOICES: dict[str, dict[str, Any]] = {
    _identity("voice", str(number)): {
        "name": f"{_VOICES[number % len(_VOICES)]} {number + 1}",
        "gender": GENDERS[number % len(GENDERS)],
        "age_group": AGE_GROUPS[number % len(AGE_GROUPS)],
        "accent": ACCENTS[number % len(ACCENTS)],
        "style": STYLES[number % len(STYLES)],
    }
    for number in range(45)
}
