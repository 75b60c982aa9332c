# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What Adsumo's generations cost, in credits, and how long they take."""

from __future__ import annotations

import math

# Documented on the images page: credits per image by model and resolution.
IMAGE_CREDITS = {
    "fast": {"1k": 1, "2k": 2, "4k": 2},
    "pro": {"1k": 2, "2k": 2, "4k": 4},
}
# Documented (voiceovers page).
VOICEOVER_CREDITS = 1

# The sandbox's own choice: the pages that name these prices could not be read.
AI_VIDEO_CREDITS = {"sora-2": 20, "sora-2-pro": 40, "veo-3.1": 40, "veo-3.1-fast": 20, "kling-2.6": 15}
TEMPLATE_VIDEO_CREDITS = 30

# The sandbox's own choice of typical seconds, by job type.
SECONDS = {"image": 15.0, "ai-video": 90.0, "talking-avatar": 120.0}


def talking_avatar(script: str) -> int:
    """Return the documented price: 20 credits for each 250 characters begun, from 20 to 160."""
    return min(160, max(20, 20 * math.ceil(len(script) / 250)))


def images(model: str, resolution: str, quantity: int) -> int:
    """Return the documented price of text-to-image. Product shots cost the same: the sandbox's own choice."""
    return IMAGE_CREDITS[model][resolution] * quantity
