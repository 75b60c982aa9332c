# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""One page for each vendor, and the tables that compare them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_provider_adgen.core.calls import RateClass
from airflow_provider_adgen.core.decisions.posting import classify_submit_error
from airflow_provider_adgen.core.errors import ApiError, SubmissionUnknown, UnexpectedResponse, WireError, error_class
from airflow_provider_adgen.operators.generate import GenerateOperator
from airflow_provider_adgen.sandbox.registry import default_settings
from tools.docgen.catalogue import Listed, hook_methods, listed_vendors, operator_of, operators, sensors
from tools.docgen.models import endpoints, field_table, price_word, prices, result_kind
from tools.docgen.provider import password
from tools.docgen.text import bullets, code, codes, paragraphs, read_doc, table
from tools.processes import ROOT

if TYPE_CHECKING:
    from airflow_provider_adgen.core.requests import GenerationRequest
    from airflow_provider_adgen.core.vendor import Idempotency, Vendor

KINDS = ("video", "image", "voice", "copy", "analysis")
# An endpoint in a sentence, which has a column of its own, with the page it is documented on.
_NAMED = re.compile(r"\.?\s*`(?:GET|POST|PUT|PATCH|DELETE) /[^`]*`(?: \([^)]*\))?[.,;]?\s*")
_STATUSES = (400, 401, 402, 403, 404, 409, 413, 422, 429, 500)


def vendor_page(listed: Listed) -> str:
    """Return the page of a vendor."""
    vendor = listed.vendor
    return paragraphs(
        f"# {vendor.title}",
        f"What is known of [the documented API of {vendor.title}]({listed.docs}), and how this package uses it. "
        "All of it is made from the code that talks to the vendor.",
        _facts(listed),
        "## Requests",
        _requests_overview(listed),
        *(_request(listed, request) for request in vendor.requests),
        "## Promises about money",
        f"What {vendor.title} documents, and therefore what may be relied on. What is not documented is not promised. "
        "What a task does with it is in [decisions](../decisions.md).",
        bullets(promises(vendor)),
        "## What an answer to a submission proves",
        _answers(vendor),
        "## Status words",
        _statuses(vendor),
        "## Waiting",
        _waiting(vendor),
        "## Hook methods",
        f"`{listed.hook.__name__}` (`{listed.hook.__module__}`) has these beside what "
        "[every hook](../connections.md#in-python) has. Each has an asynchronous twin whose name begins with `a`; "
        "lists are iterators over all pages. Which of them may cost credits is in "
        "[money](../money.md#what-can-cost-money).",
        _methods(listed),
        "## Operators and sensors",
        _classes(vendor),
        "## Assumptions",
        "Where the vendor's readable documentation is silent or contradicts itself, and what was decided. If one of "
        "these turns out to be wrong, it is wrong in one place in the code.",
        table(
            ["About", "What is not said", "What was decided"],
            [[one.subject, one.silent, one.decided] for one in vendor.assumptions],
        ),
    )


def _facts(listed: Listed) -> str:
    vendor = listed.vendor
    base = code(vendor.default_base_url) if vendor.default_base_url else "none is documented: set the connection's host"
    return table(
        ["What", "Value"],
        [
            ["Connection type", code(vendor.name)],
            ["Default connection id", code(f"{vendor.name}_default")],
            ["Base URL", base],
            ["Password", password(listed)],
            ["Test button asks", code(vendor.check().endpoint)],
            ["Balance comes from", code(vendor.credits().endpoint)],
        ],
    )


def _requests_overview(listed: Listed) -> str:
    rows = []
    for request in listed.vendor.requests:
        cls = operator_of(listed.vendor, request)
        rows.append(
            [
                f"[`{request.kind}`](#{request.kind})",
                ", ".join(result_kind(request)),
                f"[`{cls.__name__}`](../operators.md#{cls.__name__.lower()})" if cls else "`GenerateOperator`",
                code(request.__name__),
                codes(endpoints(" ".join(read_doc(request).body))),
                price_word(request),
            ]
        )
    return table(["`kind`", "Makes", "Operator", "Request model", "Endpoint", "Price"], rows)


def _request(listed: Listed, request: type[GenerationRequest]) -> str:
    return paragraphs(
        f"### {request.kind}",
        *read_doc(request).body,
        _given_once(listed.vendor, request) if request.synchronous else "",
        field_table(request),
        f"**Price.** {prices(request)}",
    )


def _given_once(vendor: Vendor, request: type[GenerationRequest]) -> str:
    rule = vendor.promises.idempotency
    if request.askable:
        return "The result comes with the answer to the submission; whether it is given again is not documented."
    text = "The result comes with the answer to the submission, and no endpoint gives it again"
    if rule is not None and rule.covers(request.kind) and not rule.while_running:
        return f"{text}; submitting with the same key does, {key_window(rule)}."
    return f"{text}."


# --- money --------------------------------------------------------------------------------------------------------


def promises(vendor: Vendor) -> list[str]:
    """Return what the vendor's documentation lets us rely on, a sentence each."""
    found = [_repeating(vendor)]
    refunded = sorted(str(status) for status in vendor.promises.refunded)
    if refunded:
        found.append(f"**Refunds** are documented for jobs that end as {codes(refunded)}: those are submitted anew.")
    else:
        found.append("**Refunds**: none is documented. A job that failed is not submitted anew unless you say so.")
    if vendor.promises.lists_jobs:
        unlisted = sorted(vendor.promises.unlisted)
        but = f" Of kind {codes(unlisted)} the list shows none." if unlisted else ""
        found.append(f"**Lost submissions** are looked for among the account's jobs, and named in the error.{but}")
    else:
        found.append("**Lost submissions** cannot be looked for: no list of jobs is documented.")
    found.append("**Cancelling**: no call is documented, so nothing is ever cancelled at the vendor.")
    return found


def _repeating(vendor: Vendor) -> str:
    rule = vendor.promises.idempotency
    if rule is None:
        return (
            "**Repeating a submission**: there are no idempotency keys. A submission is sent once; one whose answer is "
            "lost stops the task until a person decides."
        )
    kinds = "every request" if rule.kinds is None else codes(sorted(rule.kinds))
    return (
        f"**Repeating a submission** with the same key does not pay again, for {kinds}. That is relied on "
        f"{key_window(rule)}: a submission whose answer is lost is repeated until then, and stops the task after it."
    )


def key_window(rule: Idempotency) -> str:
    """Return for how long a repeated key is relied on."""
    hours = rule.seconds / 3600
    span = f"{hours:g} hours" if hours >= 1 else f"{rule.seconds:g} seconds"
    return f"within {span} of the first" + (" and while its job runs" if rule.while_running else "")


def _answers(vendor: Vendor) -> str:
    nothing, unknown = "nothing was started, nothing was charged", "it may have been accepted"
    inferred = "nothing was started; that is inferred: no page says it"
    rows = [["no connection", "`WireError`", nothing]]
    for status in _STATUSES:
        error = ApiError("", status=status)
        verdict = classify_submit_error(error, vendor.promises)
        name = f"{status}" if status < 500 else "5xx"
        known = inferred if status in vendor.promises.inferred else nothing
        rows.append([name, code(error_class(status).__name__), known if verdict.nothing_started else unknown])
    lost = classify_submit_error(WireError("", sent=True), vendor.promises)
    blind = classify_submit_error(UnexpectedResponse(""), vendor.promises)
    rows.append(["no answer after it was sent", code("WireError"), nothing if lost.nothing_started else unknown])
    rows.append(
        [
            "2xx without a readable job id",
            code("UnexpectedResponse"),
            "it was accepted; no repeat can tell the job" if blind.unknown else unknown,
        ]
    )
    return paragraphs(
        table(["Answer", "Raised by the hook", "What it proves"], rows),
        "An operator turns *it may have been accepted* into a repeat with the same key where the vendor's promise "
        f"covers it, else into `{SubmissionUnknown.__name__}`. Of any error status that is not listed it is taken "
        "that the submission may have been accepted.",
    )


def _statuses(vendor: Vendor) -> str:
    likely = vendor.likely_statuses
    rows = [
        [code(word), code(status.value), "no, a likely word" if word in likely else "yes"]
        for word, status in vendor.statuses.items()
    ]
    titles = [f"{vendor.title} says", "Here it is", "On the vendor's pages"]
    if not likely:
        titles, rows = titles[:2], [row[:2] for row in rows]
    return paragraphs(
        table(titles, rows),
        "Any other word is kept as it came and counts as not finished.",
    )


def _waiting(vendor: Vendor) -> str:
    items = []
    if vendor.stream_seconds > 0:
        items.append(f"Jobs are followed on a stream, held open for up to {vendor.stream_seconds:g} s at a time.")
    elif vendor.promises.lists_jobs:
        items.append("Many waiting jobs are asked for in one request, by the account's list of jobs.")
    else:
        items.append("Each job is asked for by itself.")
    for rate_class, ration in vendor.rate_limits.items():
        what = "streams are opened" if rate_class == RateClass.STREAM else "other requests are sent"
        items.append(f"At most {ration.requests} {what} in {_span(ration.seconds)} by one process.")
    first = ", ".join(f"{kind} {seconds:g} s" for kind, seconds in vendor.tracking.first_look.items())
    if first:
        items.append(f"A job is not asked for before: {first} (or `poll_interval`, if that is shorter).")
    return bullets(items)


def _span(seconds: float) -> str:
    """Return a time in the largest unit that keeps it whole."""
    for size, unit in ((3600, "hour"), (60, "minute")):
        if seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count != 1 else ''}"
    return f"{seconds:g} s"


# --- code ---------------------------------------------------------------------------------------------------------


def _methods(listed: Listed) -> str:
    rows = []
    for method in hook_methods(listed.hook):
        doc = read_doc(method.function)
        rows.append([code(method.call), codes(endpoints(" ".join(doc.body))), _without_endpoints(doc.summary)])
    return table(["Method", "Endpoint", "What it does"], rows)


def _without_endpoints(text: str) -> str:
    first, *rest = (part.strip().rstrip(".") for part in _NAMED.split(text) if part.strip())
    # What explains the endpoint itself makes no sense without it.
    words = [word for part in rest for word in part.split("; ") if not word.startswith(("which ", "without ", "or "))]
    return "; ".join([first, *words]) + "."


def _classes(vendor: Vendor) -> str:
    own = [cls for title, cls in (*operators(), *sensors()) if title == vendor.title]
    rows = []
    for cls in own:
        spends = "yes" if issubclass(cls, GenerateOperator) else ""
        link = f"[`{cls.__name__}`](../operators.md#{cls.__name__.lower()})"
        rows.append([link, read_doc(cls).summary, spends])
    return table(["Class", "What it does", "Pays for a generation"], rows)


# --- comparisons --------------------------------------------------------------------------------------------------


def comparison(*, docs: str) -> str:
    """
    Return what works for which vendor.

    :param docs: where the documentation is, as seen from the page.
    """
    vendors = listed_vendors()
    rows = [
        [
            "Hook, and an operator for every request that its pages describe",
            *(_operators_word(one.vendor) for one in vendors),
        ],
        [
            "Named on its pages, and not described as far as they can be read",
            *(", ".join(one.vendor.without) or "none" for one in vendors),
        ],
        ["In the sandbox", *(_yes(one.name in default_settings()) for one in vendors)],
        ["Example", *(_example(one.name) for one in vendors)],
    ]
    for kind in KINDS:
        rows.append(
            [
                f"{kind.capitalize()}",
                *(
                    codes(request.kind for request in one.vendor.requests if kind in result_kind(request))
                    for one in vendors
                ),
            ]
        )
    rows.append(["Documented prices", *(_price_summary(one.vendor) for one in vendors)])
    rows.append(["A lost submission", *(_lost(one.vendor) for one in vendors)])
    rows.append(
        ["Documented refunds", *(codes(sorted(map(str, one.vendor.promises.refunded))) or "none" for one in vendors)]
    )
    rows.append(["Waiting", *(_waiting_word(one.vendor) for one in vendors)])
    titles = [f"[{one.vendor.title}]({docs}vendors/{one.name}.md)" for one in vendors]
    return table(["", *titles], rows)


def _yes(true: bool) -> str:
    return "✅" if true else "❌"


def _operators_word(vendor: Vendor) -> str:
    missing = [request.kind for request in vendor.requests if operator_of(vendor, request) is None]
    return f"❌ without {codes(missing)}" if missing else "✅"


def _example(name: str) -> str:
    return _yes((ROOT / "example_dags" / f"adgen_{name}.py").is_file())


def _price_summary(vendor: Vendor) -> str:
    words = [price_word(request) for request in vendor.requests]
    if set(words) == {"documented"}:
        return "all"
    known = [request.kind for request, word in zip(vendor.requests, words, strict=True) if word != "not documented"]
    return codes(known) or "none"


def _lost(vendor: Vendor) -> str:
    rule = vendor.promises.idempotency
    if rule is None:
        return "stops for a person"
    kinds = "" if rule.kinds is None else f"{codes(sorted(rule.kinds))}: "
    return f"{kinds}repeated with its key {key_window(rule)}"


def _waiting_word(vendor: Vendor) -> str:
    if vendor.stream_seconds > 0:
        return "stream, and list of projects" if vendor.promises.lists_jobs else "stream"
    return "many jobs in one request" if vendor.promises.lists_jobs else "one request per job"


def promise_table() -> str:
    """Return the promises of all vendors side by side."""
    rows = []
    for one in listed_vendors():
        rule = one.vendor.promises.idempotency
        kinds = "" if rule is None else " (every request)" if rule.kinds is None else f" ({codes(sorted(rule.kinds))})"
        rows.append(
            [
                f"[{one.vendor.title}](vendors/{one.name}.md)",
                "no keys" if rule is None else f"{key_window(rule)}{kinds}",
                codes(sorted(map(str, one.vendor.promises.refunded))) or "none",
                _numbers(one.vendor.promises.nothing_started - one.vendor.promises.inferred),
                _numbers(one.vendor.promises.inferred),
                "yes" if one.vendor.promises.lists_jobs else "no",
            ]
        )
    return table(
        [
            "Vendor",
            "The same key is relied on not to pay again",
            "Refund documented for",
            "Statuses that, as documented, started nothing",
            "Inferred: refusals that are taken to start nothing",
            "Lists jobs",
        ],
        rows,
    )


def _numbers(statuses: frozenset[int]) -> str:
    return ", ".join(map(str, sorted(statuses))) or "none"


def vendor_index() -> str:
    """Return the list of vendor pages."""
    return table(
        ["Vendor", "Connection type", "Requests"],
        [[f"[{one.vendor.title}]({one.name}.md)", code(one.name), _kinds(one)] for one in listed_vendors()],
    )


def _kinds(listed: Listed) -> str:
    return codes(request.kind for request in listed.vendor.requests)
