# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What Sume's readable documentation does not say, and what was decided."""

from __future__ import annotations

from airflow_provider_adgen.core.vendor import assumed

ASSUMPTIONS = assumed(
    "age of the API | The vendor's newer command line calls this API 'old sume.so'; no end of it is announced. | "
    "It is used as documented; the vendor's two other APIs (UGC 1.0, api.sume.com) are never mixed in.",
    "idempotency | No key is documented; 409 mentions duplicates without saying of what. | "
    "A submission is sent once. One without an answer is unknown, and nothing more is sent until a person decides; "
    "409 is taken as the documented refusal that it is.",
    "shape of a create answer | One page shows job.id, another job_id; Face Swap returns several ids under a name "
    "that is not shown. | "
    "job.id, job_id, and lists named jobs, job_ids or data are read, the primary one first, and in lists of any "
    "other name what has a job_id or a job; all are tracked. A top-level id counts only if it begins with job_ or "
    "its object is job. Without any, nobody knows.",
    "several jobs of one request | What a Face Swap is when some of its jobs fail is not stated. | "
    "It is over when all its jobs are. One completed job makes it completed: its videos are paid for, and are "
    "delivered. What became of the others is in error and details.jobs. If none completed, it is what they all are, "
    "else failed.",
    "type of a job | GET /jobs filters by type; what a job calls it is not shown. | "
    "type is read, else object where it is the word of a creation. A job that says neither may be any lost submission.",
    "status words | The list of final words is called common, not complete. | "
    "queued, running, processing, completed, failed, canceled, expired; any other is not final.",
    "a result that is not there | What /jobs/{id}/result answers before an output is available is not stated. | "
    "For a completed job, 404, 409 or an empty output mean: not yet. The job is processing until it is there.",
    "shape of results | No output payload is shown for any type. | "
    "URLs under the likely names (media_url, url, video_url, image_url, output, results, videos, images ...) or with "
    "a media file's ending are taken; thumbnails, sources, references and inputs are not. An analysis' own fields "
    "become the generation's details.",
    "expiry of media URLs | Nothing is said. | "
    "expires_at is read where it stands beside a URL; a link that no longer works is asked for anew.",
    "prices | No price is documented. | price() is None; max_credits needs assume_credits.",
    "required_credits | A reference analysis answers with it; whether that is what was taken is not stated. | "
    "It counts as charged.",
    "refunds | Nothing is said of failed jobs. | None is assumed; a failed job is not submitted anew.",
    "5xx on a submission | Whether a job was started or credits reserved is not stated. | Unknown.",
    "refused submissions | Of no error it is said that nothing was started. | "
    "400, 401, 402, 403, 404, 409, 413 and 429 are taken to be refusals that start nothing.",
    "uploads | Whether uploads and the Asset Library cost credits is not stated. | None are counted.",
    "names in GET /credits | Plan, monthly and bonus credits, remaining credits and active generation capacity, "
    "without names. | "
    "remaining, remaining_credits, credits_remaining, balance ... are read, also inside data or credits; what is not "
    "found is None. Parts of a credit are rounded down. All that came is in details.",
    "size of pages | Neither the default nor the largest limit is stated. | "
    "None is sent unless asked for. A look-up of many jobs asks for 100, and without limit if that is refused.",
    "names in POST /uploads/presign | File name, content type and size are asked for; the example is cut off. | "
    "file_name, content_type, size and purpose are sent; field_names changes that.",
    "names in POST /assets | The example is cut off; neither the request nor the answer is shown. | "
    "object_key is sent, further fields as given. asset_id, asset.id, assets[0].id or id are read, and job_id.",
    "ingestion | How an asset shows that it was taken in is not stated. | "
    "Unknown (404) is not yet. Without a status it is ready once it has its video; with one: ready, completed, "
    "indexed, available, active, processed or ingested. AssetSensor takes further words.",
    "name of the URL in POST /reference-analysis | It is not shown. | "
    "url is sent; url_field changes that. What happens with a wrong name, and whether it is charged, is not known: a "
    "refusal (400) is likely.",
    "which fields are required | Said for script only. | "
    "prompt of images and videos (as the vendor's command line has it), source_video_url and avatar_ids of a face "
    "swap are.",
    "aspect_ratio, resolution, quality and duration | Which values images and videos take is not stated. | "
    "Any text and any positive duration is sent; of a brief's formats only ratios such as 9:16.",
    "one of two names | What happens when image_count and n, or avatar_id and avatar_slug, are both given is not "
    "stated. | "
    "Both are refused before anything is sent.",
    "number of images | How many a job makes that does not say is not stated. | A brief asks for 1.",
)
