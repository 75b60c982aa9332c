# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What the documentation takes from the code is what the code says now."""

from __future__ import annotations

import shutil
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from airflow_provider_adgen.get_provider_info import get_provider_info
from airflow_provider_adgen.operators.generate import GenerateOperator
from tools import generate_docs
from tools.docgen.catalogue import arguments, hook_methods, listed_vendors, operator_of, operators, sensors
from tools.docgen.models import endpoints, field_table
from tools.docgen.text import cell, read_doc, table

OPERATORS = (generate_docs.DOCS / "operators.md").read_text(encoding="utf-8")


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what is generated, to spoil."""
    shutil.copytree(generate_docs.DOCS, tmp_path / "docs")
    for name in ("README.md", ".airflow-registry.yaml"):
        shutil.copy(generate_docs.ROOT / name, tmp_path)
    monkeypatch.setattr(generate_docs, "ROOT", tmp_path)
    monkeypatch.setattr(generate_docs, "DOCS", tmp_path / "docs")
    return tmp_path


def test_nothing_is_stale(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate_docs.main(["--check"]) == 0, capsys.readouterr().out


@pytest.mark.parametrize("name", ["README.md", "docs/decisions.md", "docs/vendors/adsumo.md"])
def test_a_file_that_was_changed_by_hand_is_found_and_mended(copy: Path, name: str) -> None:
    path = copy / name
    before = path.read_text()
    path.write_text(before.replace("| --- |", "| ---- |", 1))
    assert generate_docs.main(["--check"]) == 1
    assert path.read_text() != before
    assert generate_docs.main([]) == 0
    assert path.read_text() == before
    assert generate_docs.main(["--check"]) == 0


def test_a_page_of_a_vendor_that_is_gone_is_found_and_removed(copy: Path) -> None:
    stray = copy / "docs" / "vendors" / "gone.md"
    stray.write_text("# Gone\n")
    assert generate_docs.main(["--check"]) == 1
    assert generate_docs.main([]) == 0
    assert not stray.exists()


def test_the_registry_is_told_of_everything_that_can_be_imported() -> None:
    told = yaml.safe_load((generate_docs.ROOT / ".airflow-registry.yaml").read_text(encoding="utf-8"))
    info = get_provider_info()
    assert told["package-name"] == info["package-name"]
    assert set(told) == {"package-name", "display-name", "description", "operators", "sensors", "hooks", "other"}
    listed = {name: [one["module"] for one in told[name]] for name in ("operators", "sensors", "hooks", "other")}
    assert listed["operators"] == [f"{one.__module__}.{one.__name__}" for _, one in operators()]
    for names in listed.values():
        for name in names:
            module, _, attribute = name.rpartition(".")
            assert callable(getattr(import_module(module), attribute))
    assert all(one["description"] for section in listed for one in told[section])


def test_a_block_nobody_makes_is_an_error() -> None:
    with pytest.raises(KeyError, match="no-such-block"):
        generate_docs.with_blocks("<!-- generated: no-such-block -->\n<!-- /generated -->", where=Path("x.md"))


def test_every_block_stands_somewhere() -> None:
    pages = [generate_docs.ROOT / "README.md", *generate_docs.DOCS.glob("*.md")]
    text = "".join(path.read_text(encoding="utf-8") for path in pages)
    assert [name for name in generate_docs.BLOCKS if f"<!-- generated: {name} -->" not in text] == []
    assert text.count("<!-- generated:") == text.count("<!-- /generated -->")


def test_every_connection_type_has_a_page() -> None:
    types = [entry["connection-type"] for entry in get_provider_info()["connection-types"]]
    assert sorted(one.name for one in listed_vendors()) == sorted(types)
    for name in types:
        assert (generate_docs.DOCS / "vendors" / f"{name}.md").exists()


@pytest.mark.parametrize("listed", listed_vendors(), ids=lambda one: one.name)
def test_a_vendors_page_is_complete(listed) -> None:
    page = (generate_docs.DOCS / "vendors" / f"{listed.name}.md").read_text(encoding="utf-8")
    for request in listed.vendor.requests:
        assert f"### {request.kind}\n" in page
        assert operator_of(listed.vendor, request) is not None
        assert endpoints(" ".join(read_doc(request).body)), f"{request.__name__} does not say where it is posted"
        for name in request.model_fields:
            if name != "extra_fields":
                assert f"| `{name}` |" in page
    for method in hook_methods(listed.hook):
        assert f"`{method.call}`" in page
    for status in listed.vendor.statuses:
        assert f"| `{status}` |" in page
    for assumption in listed.vendor.assumptions:
        assert cell(assumption.decided) in page


def test_every_operator_and_sensor_is_described_with_all_its_arguments() -> None:
    for _, cls in (*operators(), *sensors()):
        section = OPERATORS.split(f"\n#### {cls.__name__}\n")[1].split("\n#### ")[0]
        assert f"`from {cls.__module__} import {cls.__name__}`" in section
        for parameter in arguments(cls):
            if cls is GenerateOperator and parameter.name not in {"conn_id", "request"}:
                continue
            row = next((line for line in section.splitlines() if line.startswith(f"| `{parameter.name}` |")), None)
            assert row is not None, f"{cls.__name__}({parameter.name})"
            assert not row.endswith("|   |"), f"{cls.__name__}({parameter.name}) has no meaning"


def test_every_argument_of_paying_operators_has_a_meaning() -> None:
    section = OPERATORS.split("## Arguments of every operator that pays")[1].split("\n## ")[0]
    for parameter in arguments(GenerateOperator):
        if parameter.name != "request":
            (row,) = [line for line in section.splitlines() if line.startswith(f"| `{parameter.name}` |")]
            assert not row.endswith("|   |")


def test_limits_are_read_from_the_models() -> None:
    (adsumo,) = [one.vendor for one in listed_vendors() if one.name == "adsumo"]
    text = field_table(adsumo.request_class("text-to-image"))
    assert "| `quantity` | `1` | whole number, 1 to 8 |" in text
    assert "| `resolution` | `1k` | `1k`, `2k`, `4k` |" in text
    assert "| `aspect_ratio` | **required** | ratio such as `9:16` |" in text


def test_cells_keep_the_table_whole() -> None:
    assert table(["a"], [["x | y\n<b>", "`p|q <z>`"]]) == "| a |\n| --- |\n| x \\| y &lt;b> | `p\\|q <z>` |"


def test_docstrings_are_taken_apart() -> None:
    def sample() -> None:
        """
        Do a thing with ``x`` and :class:`~a.b.Thing`.

        Twice.

        :param x: the first,
            over two lines.
        :raises ValueError: it is wrong.
        """

    doc = read_doc(sample)
    assert doc.body == ["Do a thing with `x` and `Thing`.", "Twice."]
    assert doc.params == {"x": "the first, over two lines."}
    assert doc.raises == [("ValueError", "it is wrong.")]
