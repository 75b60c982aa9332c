# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Imports go one way, heavy things are imported late, and no module grows into two (``docs/architecture.md``)."""

from __future__ import annotations

import ast
import graphlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import airflow_provider_adgen

PACKAGE = Path(airflow_provider_adgen.__file__).parent
NAME = PACKAGE.name
ROOT = Path(__file__).resolve().parents[2]

# What each package, or module at the top, may import of the others.
MAY_IMPORT: dict[str, set[str]] = {
    "core": set(),
    "sandbox": set(),
    "compat": set(),
    "get_provider_info": {"core"},
    "metrics": {"compat"},
    "settings": {"compat"},
    "vendors": {"core"},
    "delivery": {"core"},
    "campaigns": {"core", "delivery", "hooks", "ledger", "lifecycle", "operators", "sensors", "compat", "settings"},
    "ledger": {"core", "compat", "metrics", "settings"},
    "hooks": {"core", "vendors", "delivery", "ledger", "compat", "metrics", "settings", "get_provider_info"},
    "lifecycle": {"core", "hooks", "ledger", "delivery", "compat", "metrics"},
    "cli": {"core", "hooks", "ledger", "lifecycle", "settings"},
    "__main__": {"cli"},
    "triggers": {"core", "vendors", "hooks", "settings", "metrics"},
    "operators": {"core", "vendors", "hooks", "delivery", "ledger", "lifecycle", "triggers", "compat", "settings"},
    "sensors": {"core", "vendors", "hooks", "lifecycle", "triggers", "operators", "compat", "settings"},
}

# At module level, operators and sensors may import only these: Airflow imports them at every DAG parse.
LIGHT = {"core.failpoints", "core.wording", "compat", "operators", "sensors"}

# The triggerer imports these only when one of their triggers runs, and needs the vendor's endpoints at once.
TRIGGERS_OF_A_VENDOR = {"triggers/cinematicads.py", "triggers/sume.py"}

LONGEST = 400
LONGER: dict[str, str] = {}


@dataclass(frozen=True)
class Import:
    """
    One import.

    :param file: the importing module, below the package.
    :param target: what is imported, in full.
    :param where: ``module``, ``function``, or ``types`` (under TYPE_CHECKING).
    :param names: the names that are imported from the target; empty for a plain ``import``.
    """

    file: str
    target: str
    where: str
    names: tuple[str, ...] = ()

    @property
    def part(self) -> str:
        """The package that imports."""
        return self.file.split("/")[0].removesuffix(".py")

    @property
    def ours(self) -> str:
        """What is imported of our own, below the package; empty for anything else."""
        return self.target.removeprefix(f"{NAME}.") if self.target.startswith(f"{NAME}.") else ""

    def modules(self, known: set[str]) -> set[str]:
        """Which of our modules it imports: ``from package import name`` names a module, or something of the package."""
        inner = {f"{self.ours}.{name}" for name in self.names} & known
        return inner if inner and len(inner) == len(self.names) else {*inner, self.ours} & known

    def __str__(self) -> str:
        return f"{self.file} imports {self.target} ({self.where})"


def imports_of(node: ast.AST, file: str, where: str = "module") -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        inner = where
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            inner = "function"
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            inner = "types"
        if isinstance(child, ast.Import):
            yield from (Import(file, alias.name, where) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"{file} has a relative import"
            module = child.module or ""
            # "from our_package import settings" names a module; elsewhere the module is what counts.
            names = tuple(alias.name for alias in child.names)
            if module == NAME:
                yield from (Import(file, f"{module}.{name}", where) for name in names)
            else:
                yield Import(file, module, where, names)
        yield from imports_of(child, file, inner)


def all_imports() -> list[Import]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        file = path.relative_to(PACKAGE).as_posix()
        found += imports_of(ast.parse(path.read_text(encoding="utf-8")), file)
    return found


IMPORTS = all_imports()


def wrong(condition) -> list[str]:
    return [str(one) for one in IMPORTS if condition(one)]


def is_of(one: Import, *packages: str) -> bool:
    return any(one.target == name or one.target.startswith(f"{name}.") for name in packages)


def test_the_map_is_of_what_there_is() -> None:
    there = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert set(MAY_IMPORT) == there - {"__init__", "__pycache__", "py.typed"}
    assert len(IMPORTS) > 200


def test_there_is_no_way_round() -> None:
    order = list(graphlib.TopologicalSorter(MAY_IMPORT).static_order())
    assert order.index("core") < order.index("vendors") < order.index("hooks") < order.index("lifecycle")
    assert order.index("hooks") < order.index("triggers") < order.index("operators") < order.index("sensors")


def circles(reached: dict[str, set[str]]) -> set[tuple[str, ...]]:
    """Return the groups of modules that reach each other, from the modules that each reaches directly."""

    def closure(start: str) -> set[str]:
        found, waiting = set(), [start]
        while waiting:
            new = reached.get(waiting.pop(), set()) - found
            found |= new
            waiting += new
        return found

    closures = {module: closure(module) for module in reached}
    return {
        tuple(sorted(other for other in closures[module] if module in closures.get(other, ())))
        for module in reached
        if module in closures[module]
    }


def test_no_modules_import_each_other() -> None:
    """At module level, inside functions, and for types alone: a circle of any kind couples its modules."""
    modules = {
        path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        for path in PACKAGE.rglob("*.py")
    }
    reached: dict[str, set[str]] = {module: set() for module in modules}
    for one in IMPORTS:
        module = one.file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        reached[module] |= one.modules(modules) - {module}
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == {("b", "c")}
    assert circles(reached) == set()


def test_imports_go_one_way() -> None:
    def bad(one: Import) -> bool:
        part = one.ours.split(".")[0]
        return bool(part) and one.file != "__init__.py" and part not in {one.part, *MAY_IMPORT[one.part]}

    assert wrong(bad) == []


def test_core_vendors_and_the_sandbox_know_nothing_of_airflow() -> None:
    assert wrong(lambda one: one.part in {"core", "vendors", "sandbox"} and is_of(one, "airflow")) == []


def test_one_module_knows_httpx() -> None:
    assert {one.file for one in IMPORTS if is_of(one, "httpx", "httpx_sse")} == {"core/http.py"}


def test_what_describes_the_provider_imports_the_version_alone() -> None:
    assert {one.ours for one in IMPORTS if one.file == "get_provider_info.py" and one.ours} == {"core.version"}


def test_a_vendor_knows_no_other_vendor() -> None:
    def bad(one: Import) -> bool:
        parts, mine = one.ours.split("."), one.file.split("/")
        return mine[0] == parts[0] == "vendors" and len(mine) > 2 and parts[1] != mine[1]

    assert wrong(bad) == []


@pytest.mark.parametrize("part", ["operators", "sensors"])
def test_what_a_dag_file_imports_is_light(part: str) -> None:
    def bad(one: Import) -> bool:
        if one.part != part or one.where != "module" or not one.ours:
            return False
        return not any(one.ours == light or one.ours.startswith(f"{light}.") for light in LIGHT)

    assert wrong(bad) == []


def test_triggers_for_any_vendor_know_none() -> None:
    found = {one.file for one in IMPORTS if one.part == "triggers" and one.ours.startswith("vendors")}
    assert found == TRIGGERS_OF_A_VENDOR


# In a fresh interpreter, with what Airflow itself imports set aside (3.3 imports httpx on its own).
WATCH = """
import importlib, json, sys
from airflow.sdk import BaseOperator, BaseSensorOperator
from airflow.triggers.base import BaseTrigger
before = set(sys.modules)
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted(set(sys.modules) - before)))
"""
HEAVY = {"httpx", "httpx_sse", "pydantic", "tenacity", "starlette"}
HEAVY |= {f"{NAME}.{part}" for part in ("vendors", "hooks", "lifecycle", "ledger", "delivery", "triggers.loop")}
HEAVY |= {f"{NAME}.core.{module}" for module in ("requests", "vocabulary", "wire", "http", "registry")}


def heavy_of(names: list[str], heavy: set[str] = HEAVY) -> list[str]:
    """Return what is heavy of all that importing modules of this package imports."""
    command = [sys.executable, "-c", WATCH, *(f"{NAME}.{name}" for name in names)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert f"{NAME}.{names[0]}" in loaded
    return [name for name in loaded if any(name == one or name.startswith(f"{one}.") for one in heavy)]


def test_importing_every_operator_and_sensor_imports_nothing_heavy() -> None:
    names = [f"{part}.{path.stem}" for part in ("operators", "sensors") for path in (PACKAGE / part).glob("[!_]*.py")]
    assert {"operators.generate", "sensors.generation"} < set(names)
    assert heavy_of(sorted(names), HEAVY | {f"{NAME}.triggers"}) == []


def test_importing_every_trigger_imports_nothing_heavy() -> None:
    """Airflow imports them in the event loop of all triggers."""
    triggers = re.compile(r"^class \w+Trigger\(", re.M)
    found = sorted(
        f"triggers.{path.stem}" for path in (PACKAGE / "triggers").glob("*.py") if triggers.search(path.read_text())
    )
    assert {"triggers.batch", "triggers.generation", "triggers.submit_queue"} < set(found)
    assert heavy_of(found) == []


def test_no_module_is_too_long() -> None:
    long = {}
    for folder in (PACKAGE, ROOT / "tools"):
        for path in folder.rglob("*.py"):
            lines = len(path.read_text(encoding="utf-8").splitlines())
            if lines > LONGEST:
                long[path.relative_to(folder).as_posix()] = lines
    assert set(long) == set(LONGER), long
