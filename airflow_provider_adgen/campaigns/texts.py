# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Texts of a catalogue in prompts."""

from __future__ import annotations

import unicodedata


def shorten(text: str, longest: int) -> str:
    """
    Return *text* in at most *longest* characters, with an ellipsis where it was cut.

    It is cut at a space where there is one near the end. Languages without spaces (Japanese, Thai, Khmer) are cut
    inside the word, but not between a letter and its marks.

    :param text: any text; white space is collapsed.
    :param longest: characters of the result, the ellipsis included.
    """
    text = " ".join(text.split())
    if len(text) <= longest:
        return text
    end = text.rfind(" ", longest * 3 // 4, longest)
    if end < 0:
        end = longest - 1
        while end > longest // 2 and _belongs_together(text[end - 1], text[end]):
            end -= 1
    return f"{text[:end].rstrip()}…"


def _belongs_together(before: str, after: str) -> bool:
    joiner = "\u200d"
    virama = 9  # combining class of the marks that join two letters, in Khmer and the scripts of India
    if unicodedata.category(after)[0] == "M" or joiner in (before, after) or unicodedata.combining(before) == virama:
        return True
    # Skin tones, and the pairs of letters that are flags.
    return (
        "\U0001f3fb" <= after <= "\U0001f3ff"
        or "\U0001f1e6" <= min(before, after) <= max(before, after) <= "\U0001f1ff"
    )
