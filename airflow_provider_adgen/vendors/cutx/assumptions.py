# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What CutX's readable documentation does not say, or says in two ways, and what was decided."""

from __future__ import annotations

from airflow_provider_adgen.core.vendor import assumed

ASSUMPTIONS = assumed(
    "address | No page names the API's host. | The connection's host is required; paths begin with /api/.",
    "dashboard | The page on authentication names /dashboard beside the paths of the API, and no host. | "
    "A task's page links to it at the connection's host.",
    "names and wrappings | Generations answer in camelCase, products and credits in snake_case. | "
    "Either case is read everywhere, numbers as text too, and an answer wrapped in data.",
    "token | How a program gets the 7-day token, or renews it, is not stated. | "
    "A person puts it into the connection's password, and it is sent as a bearer token. The hook warns from two days "
    "before its end; a 401 says when it ended.",
    "reused | The status of a repeated key is not in the list of statuses and hides the state of the job. | "
    "It counts as queued, with 0 credits charged by that request; the job is asked for by its id.",
    "a key after the job's end | One page implies that it makes a new job, another that keys are unique per user. | "
    "Neither is relied on: an attempt that was answered is followed by a new key, and only videos, which take a "
    "minute at least, are repeated by themselves, within 20 s of the first request.",
    "5xx on a submission | Credits are taken before the job runs; whether a job exists after a 5xx is not stated. | "
    "Unknown: a video is posted again with its key for 20 s, then nothing more is sent until a person decides.",
    "403 and 429 on a submission | 403 is documented for suspended accounts, 429 for magic links only. | "
    "Both are refusals that started nothing. Retry-After is obeyed where it is sent. 409, 413 and 422 appear on no "
    "page: after them nobody knows.",
    "copy and the queue | One page answers copy at once, another shows the queue's life of a job for it. | "
    "Variants in the answer make it completed, whatever its status. Without any, the job is asked for.",
    "copy asked for again | Whether the status of a copy job shows its variants is not stated. | "
    "They are read where they are shown. A completed job without any is a DownloadError: the copy is paid for and "
    "was told to whoever submitted it.",
    "number of variants | Five are promised, the example has one. | "
    "As many as come are kept; one that holds neither hook, body, cta nor hashtags is left out.",
    "failed and expired | An administrator may set such a job back to pending. | "
    "They count as final. A retry asks again before it submits anew, and goes on with a job that runs again.",
    "refunds | Stated for failed only. | "
    "None is assumed for canceled and expired: they are not submitted anew unless on_failed says so.",
    "reason of a failure | No field for it is shown, though one is stored. | "
    "error, errorMessage, failureReason, reason and message are read where a job failed.",
    "error bodies | One is shown, flat with error and message, and none of a generation. | "
    "Nested errors and the usual lists of validation issues are read, too.",
    "style | The example sends modern, which the table does not list. | "
    "It is accepted; where the vendor refuses it (400), nothing is started.",
    "lengths | Whether characters or UTF-16 units are counted is not stated. | "
    "Characters; the vendor may count an emoji twice, and then refuses with 400.",
    "files | Neither how long a file's link lives nor whether it needs the token is stated; image is the one type "
    "shown. | "
    "Links are fetched without the token and asked for anew when they no longer work. A type that is not known "
    "follows from the link's ending, or from the job.",
    "names of job types | The status shows static_ad; ugc_video and others appear on pages about the inside. | "
    "ugc_video and lip_sync are videos, tts is a voice; what is not known is what was asked for.",
    "lists | Projects and products have a limit; neither its largest value nor an offset is shown. | "
    "The examples' limits are asked for, then offset, which other lists of the vendor have; where that is ignored or "
    "refused, larger limits.",
    "projectId of POST /api/products/ingest | Whether it is required is not stated. | "
    "It is sent where given. Generations need a product of a project, so give it.",
    "ingestion | It answers with the product at once, though scraping is also a type of job. | "
    "The product is expected in the answer.",
    "source_url of a product | Whether it is the address as it was sent is not stated, nor whether a page that is "
    "read twice makes two products. | "
    "ensure_product compares it without scheme, fragment and utm_ parameters. Where it differs otherwise, the product "
    "is found by its name, if one alone has it; else another one is made, which costs nothing.",
    "pictures of a product | Whether a generation shows them is not stated. | "
    "A brief that requires the product's picture is not made.",
)
