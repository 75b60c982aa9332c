# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What Adsumo's readable documentation does not say, and what was decided."""

from __future__ import annotations

from airflow_provider_adgen.core.vendor import assumed

ASSUMPTIONS = assumed(
    "refused submissions | Only of 402 it is said that no generation is started. | "
    "400, 401, 403, 404, 409 and 429 are taken to be refusals that start nothing, too.",
    "how long a job takes | A video of the example took 150 s. Nothing is said of images. | "
    "150 s, and 20 s as a guess, until 20 jobs of the connection were seen. It only decides when to ask for a job.",
    "several images | A generation has one result_url, yet quantity may be 8. | "
    "result_url may be a string or a list; lists named result_urls, results, images, urls or outputs are read.",
    "submit status | The status code of a submission is not stated. | Any 2xx with an id is accepted.",
    "id of a submission | Submissions answer generation_id, reads answer id. | "
    "Either name is read everywhere, a number as well, and an answer wrapped in data.",
    "custom avatars | 'An array' may or may not be wrapped in data. | Both are read.",
    "5xx on a submission | Whether a job was started or charged is not stated. | "
    "Unknown: it is posted again with the same Idempotency-Key, which is documented to be safe for 24 h.",
    "409 on a submission | Documented for deletions only; what a key answers while its first request still runs is "
    "not stated. | "
    "A first request that is refused started nothing. The refusal of a repeat proves nothing of the first.",
    "refunds | Nothing is said of failed generations. | None is assumed; a failed job is not submitted anew.",
    "image of a product | POST /products answers image_path, the list image_url; what reading one product answers is "
    "not shown. | "
    "Either name is read everywhere, as image_url.",
    "voiceovers in the list | The types of GET /generations are talking-avatar, ai-video and image. | "
    "It is taken to show no voiceovers: a lost one is not looked for there.",
    "voice_id | GET /voices says to send its id, a UUID; the fields of requests say 'ElevenLabs voice ID'. | "
    "Any text is sent as it is.",
    "Retry-After | Seconds or a date is not stated. | Both are read.",
    "Idempotency-Key | Length and characters are not stated. | Letters, digits and dashes, at most 64.",
    "template video | POST /videos/generate appears only in one example of the Overview page. | "
    "template and product_id are required; further fields go through extra_fields.",
    "aspect_ratio and duration of ai-video | Which values a model takes could not be read. | "
    "Any ratio N:N and any positive duration is sent.",
    "picture of a product shot | That the product's image is used is not said in so many words. | "
    "It is: a brief that requires the product's picture may be made as a product shot.",
)
