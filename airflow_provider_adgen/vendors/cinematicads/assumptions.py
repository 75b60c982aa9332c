# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What CinematicAds' readable documentation does not say, and what was decided."""

from __future__ import annotations

from airflow_provider_adgen.core.vendor import assumed

ASSUMPTIONS = assumed(
    "plan | The page ends with 'Available on Agency and Enterprise plans', under its client libraries; its OpenAPI "
    "file names self-service API keys (Agency/Enterprise). Which of the two needs such a plan is not clear. | "
    "Expect that an API key needs one. What the vendor answers without is passed on.",
    "refused submissions | Of no error it is said that nothing was started. | "
    "400, 401, 402, 403, 404 and 429 are taken to be refusals that start nothing.",
    "what costs credits | Workflows do. Of brand, knowledge base, exports and streams nothing is said. | "
    "None is counted.",
    "following one job | There is no endpoint for one job's status. | "
    "Its stream and the list of projects are read; a job that neither knows is under way, until the deadline.",
    "projects and job ids | Whether a project carries the job id, and under which name, is not stated. | "
    "Ids named after jobs (jobId, workflowId, job.id ...) count first, else the project's own id; several projects "
    "of one job are taken together.",
    "type and time of a project | The list is sorted by date; under which names it says either is not stated. | "
    "type, workflowType or mode, and createdAt, created or date are read. A project of another word than a request's "
    "types, and one of a mere day, may be any lost submission.",
    "replay of a stream | Whether a stream opened late tells what happened before is not stated. | "
    "Neither is relied on: the list is asked before and after. Where a stream tells a result once and the list does "
    "not carry the job, a deferred task cannot collect it, and ends at its deadline with the id recorded; "
    "deferrable=False keeps what it hears.",
    "names of events | The example has step, progress and result; the list of notifications has workflow.* and "
    "video.ready. | "
    "Both are understood. A step's status is not the job's, but for a step that is suspended.",
    "review | Whether the stream stays open while a person reviews is not stated. | "
    "That a review began is told at once; from then on the stream is held, and silence means it goes on.",
    "failure on a stream | How a failed workflow shows on the stream is not stated. | "
    "A result with success false and workflow.failed are failures, whose refund is documented. Any other event of an "
    "error, and a result saying that the job is not found, leave the job under way.",
    "several videos | The example of a result has one videoUrl, though several formats may be asked for. | "
    "videoUrl, videos, formats and outputs are read as a link, a list, or a map of formats, and results that follow "
    "within two seconds count as well. One link may be one of several, so list and stream are both asked before it "
    "is taken for all.",
    "prices of types | The price table has labels; only cinematic, avatar, factory and clone are tied to a type. | "
    "Influencer, Brand Clone, Static Ad, Pain Point and Ad Optimizer are the types of the same name. Local Audit has "
    "no type: extra_fields can send one.",
    "price of formats | Whether further formats cost more is not stated; one example has two at the price of one. | "
    "They do not.",
    "results by type | What painpoint and ad-optimizer make is not stated. | "
    "An analysis: what is said of it is in details, and files, where there are any, are creatives. staticad makes "
    "images, all other types videos.",
    "url and concept | url is required for clone and factory; concept is 'for cinematic/brand'. | "
    "url is required there; concept is never required.",
    "inputs of other types | What avatar, influencer, staticad, painpoint and ad-optimizer take is not stated. | "
    "extra_fields sends it.",
    "async=false | Its answer is not documented. | async is always sent as true.",
    "5xx on a submission | Whether a workflow was queued or charged is not stated, of 503 (queue/Redis) neither. | "
    "Unknown: nothing is sent again unless on_unknown_submission accepts it.",
    "402 | Insufficient credits and an expired trial share the status. | "
    "The vendor's sentence goes to the user; both count as missing credits.",
    "status words | The words of a project's status are not stated; six words are on the page, of steps, batches, "
    "messages. | "
    "Those and likely ones are mapped; an unknown one is not finished. A project without a status is over when it "
    "has files.",
    "credits | The name of the balance is not stated. | "
    "remaining, available, balance, credits or current credits, at the top or in data; parts of a credit are cut off.",
    "rate limits | The labels of 10 requests/hour, 10 connections/hour and 100 requests/minute could not be read. | "
    "Submissions, streams, all else. Only the streams' is kept by ourselves (per process); the others are the "
    "vendor's 429 to tell.",
    "X-RateLimit-Reset | Its unit is not stated; Retry-After is not documented. | Unix seconds, as the example looks.",
    "methods | The page shows no method but for POST /api/workflow. | "
    "GET reads; POST writes the brand (PUT where the server does not know POST) and adds knowledge; GET exports a "
    "video (POST where the server does not know GET).",
    "audience | The brand is read with audience and written with targetAudience. | Both are read as target_audience.",
    "batches | How a batch is made and how its counts are nested is not stated. | "
    "Counts are read at the top, in data, batch or status. A batch is over when completed and failed make up a total "
    "above 0.",
    "knowledge files | Whether 10MB is decimal is not stated. | "
    "10 MiB is the limit here; kinds are told by the name's extension.",
    "links | Whether links to videos expire is not stated. | "
    "No expiry is assumed; a link that is refused is asked for again.",
    "concept | Said to be for cinematic and brand; what the other types take for a text is not stated. | "
    "A brief's prompt goes with those two only. With another type its options must name concept.",
)
