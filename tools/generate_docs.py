# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Write what the documentation takes from the code: whole pages, and blocks between two markers in the others.

``python -m tools.generate_docs`` writes; with ``--check`` it writes nothing and fails where something is stale. A block
stands between ``<!-- generated: NAME -->`` and ``<!-- /generated -->``. The file ``.airflow-registry.yaml`` is written
as well.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tools.docgen import api, batch, briefs, decisions, operators, provider, registry, sandbox, vendors
from tools.docgen.catalogue import listed_vendors
from tools.docgen.text import paragraphs

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
NOTE = "<!-- Made by `python -m tools.generate_docs`: do not edit. -->"

_BLOCK = re.compile(r"(<!-- generated: ([a-z-]+) -->\n)(.*?)(<!-- /generated -->)", re.DOTALL)

BLOCKS: dict[str, Callable[[], str]] = {
    "actions": decisions.action_list,
    "brief-fields": briefs.brief_fields,
    "brief-kinds": briefs.brief_kinds,
    "briefs": briefs.brief_table,
    "batch-failures": batch.batch_failures,
    "common-arguments": operators.common_arguments,
    "comparison": lambda: vendors.comparison(docs="docs/"),
    "comparison-docs": lambda: vendors.comparison(docs=""),
    "configuration": provider.configuration,
    "connection-examples": provider.connection_examples,
    "connection-fields": provider.connection_fields,
    "connections": provider.connection_table,
    "decisions": decisions.decision_tables,
    "fault-kinds": sandbox.fault_kinds,
    "fault-rules": sandbox.fault_rules,
    "hook-methods": provider.common_hook_methods,
    "item-fates": batch.item_fates,
    "item-refusals": batch.refusals,
    "item-steps": batch.item_steps,
    "operators": operators.operator_reference,
    "promises": vendors.promise_table,
    "sandbox-controls": sandbox.controls,
    "sandbox-prices": sandbox.prices,
    "sandbox-settings": sandbox.settings_tables,
    "sensors": operators.sensor_reference,
    "spending": operators.spending_table,
    "statuses": provider.status_words,
    "xcom": provider.vocabulary,
}


def whole_pages() -> dict[Path, str]:
    """Return the pages that are generated as a whole."""
    pages = {DOCS / "vendors" / f"{one.name}.md": vendors.vendor_page(one) for one in listed_vendors()}
    pages[DOCS / "vendors" / "index.md"] = paragraphs(
        "# Vendors",
        vendors.vendor_index(),
        "A vendor that is not here can be added by [a package of your own](../custom-vendor.md).",
        "```{toctree}\n:hidden:\n\n" + "\n".join(one.name for one in listed_vendors()) + "\n```",
    )
    pages |= {DOCS / "api" / name: text for name, text in api.api_pages().items()}
    return {path: f"{text}\n\n{NOTE}\n" for path, text in pages.items()}


def with_blocks(text: str, *, where: Path) -> str:
    """
    Return *text* with all its generated blocks made anew.

    :param where: the file, for the message.
    :raises KeyError: a block has a name that does not exist.
    """

    def fill(match: re.Match[str]) -> str:
        if match[2] not in BLOCKS:
            raise KeyError(f"{where} has a block {match[2]!r}; there are: {', '.join(BLOCKS)}")
        return f"{match[1]}\n{BLOCKS[match[2]]()}\n\n{match[4]}"

    return _BLOCK.sub(fill, text)


def wanted() -> dict[Path, str]:
    """Return every file that holds something generated, as it should be."""
    files = {**whole_pages(), ROOT / ".airflow-registry.yaml": registry.registry_file()}
    for path in [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        if "<!-- generated:" in text:
            files[path] = with_blocks(text, where=path)
    return files


def strays() -> list[Path]:
    """Return files among the generated pages that nothing makes any more."""
    made = whole_pages()
    found = [*(DOCS / "vendors").glob("*.md"), *(DOCS / "api").glob("*.md")]
    return sorted(path for path in found if path not in made)


def main(given: list[str] | None = None) -> int:
    """Write or check; return the exit status."""
    parser = argparse.ArgumentParser(description="Write what the documentation takes from the code.")
    parser.add_argument("--check", action="store_true", help="write nothing, and fail where something is stale")
    check = parser.parse_args(given).check
    stale = []
    for path, text in wanted().items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for path in strays():
        stale.append(path)
        if not check:
            path.unlink()
    for path in stale:
        print(f"{'stale' if check else 'written'}: {path.relative_to(ROOT)}")
    if check and stale:
        print("Run `python -m tools.generate_docs`.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
