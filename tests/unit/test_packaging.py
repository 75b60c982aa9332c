# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What is shipped is the package, all of it, and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import airflow_provider_adgen

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "airflow_provider_adgen"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def sources(directory: Path, *suffixes: str) -> set[str]:
    found = (path for path in directory.rglob("*") if path.is_file() and path.suffix in suffixes)
    return {path.relative_to(ROOT).as_posix() for path in found}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("dist")
    command = [
        sys.executable,
        "-m",
        "build",
        "--no-isolation",
        "--sdist",
        "--wheel",
        "--outdir",
        str(target),
        str(ROOT),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


@pytest.fixture(scope="module")
def wheel(built) -> zipfile.ZipFile:
    (path,) = built.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def archived(built) -> set[str]:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def test_the_wheel_is_the_package_alone(wheel):
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert tops == {"airflow_provider_adgen", f"airflow_provider_adgen-{airflow_provider_adgen.__version__}.dist-info"}


def test_the_wheel_is_the_whole_package(wheel):
    assert sources(PACKAGE, ".py", ".typed", ".css", ".js") <= set(wheel.namelist())
    assert "airflow_provider_adgen/py.typed" in wheel.namelist()


def test_the_wheel_holds_the_licence(wheel):
    (licence,) = [name for name in wheel.namelist() if name.endswith("/licenses/LICENSE")]
    assert wheel.read(licence) == (ROOT / "LICENSE").read_bytes()


def test_the_source_archive_is_enough_to_build_test_and_try(archived):
    wanted = sources(PACKAGE, ".py", ".typed", ".css", ".js") | sources(ROOT / "example_dags", ".py", ".csv")
    wanted |= sources(ROOT / "tests", ".py") | sources(ROOT / "tools", ".py", ".sh")
    wanted |= sources(ROOT / "constraints", ".txt")
    wanted |= {"pyproject.toml", "Makefile", "LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md"}
    assert wanted <= archived
    assert any(name.endswith(".csv") for name in wanted)


def test_the_metadata_says_what_it_is(wheel):
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = wheel.read(name).decode()
    for line in [
        "Name: airflow-provider-adgen",
        f"Version: {airflow_provider_adgen.__version__}",
        "License-Expression: Apache-2.0",
        "Requires-Python: >=3.11",
        "Classifier: Framework :: Apache Airflow :: Provider",
    ]:
        assert line in metadata.splitlines()


def test_what_is_installed_is_what_is_declared():
    installed = distribution("airflow-provider-adgen")
    assert installed.version == airflow_provider_adgen.__version__
    for group, entries in PROJECT["entry-points"].items():
        assert {entry.name: entry.value for entry in installed.entry_points.select(group=group)} == entries
        for entry in installed.entry_points.select(group=group):
            assert entry.load() is not None


def test_every_dependency_has_a_floor_and_no_ceiling():
    extras = [text for texts in PROJECT["optional-dependencies"].values() for text in texts]
    for text in [*PROJECT["dependencies"], *extras]:
        assert [part.operator for part in Requirement(text).specifier] == [">="], text


def test_the_constraints_name_no_place_to_install_from():
    for path in (ROOT / "constraints").glob("*.txt"):
        for line in path.read_text().splitlines():
            if line and not line.startswith("#"):
                assert re.fullmatch(r"[a-z0-9.\[\]-]+(==[\w.!+]+( ; .+)?)?", line), f"{path.name}: {line}"


@pytest.mark.parametrize("oldest", [False, True])
def test_the_constraints_pin_every_declared_dependency(oldest):
    pins: dict[str, list[str]] = {}
    path = ROOT / "constraints" / f"dev-airflow-{'3.0' if oldest else '3.3'}.txt"
    for line in path.read_text().splitlines():
        if "==" in line:
            name, _, rest = line.partition("==")
            pins.setdefault(name, []).append(rest.split(" ;")[0])
    for text in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["sandbox"]]:
        requirement = Requirement(text)
        for version in pins[requirement.name]:
            assert requirement.specifier.contains(version)
            if oldest:
                floor = next(iter(requirement.specifier)).version
                assert f"{version}.".startswith(f"{floor}.")


def test_every_source_file_says_whose_it_is():
    for directory in ("airflow_provider_adgen", "tests", "tools", "example_dags"):
        for name in sources(ROOT / directory, ".py", ".sh"):
            head = (ROOT / name).read_text().removeprefix("#!/bin/sh\n")
            assert head.startswith(
                "# Copyright the airflow-provider-adgen authors\n# SPDX-License-Identifier: Apache-2.0\n"
            ), name


def test_pip_chooses_aiobotocore_before_boto3():
    """Else it takes the newest boto3, which no aiobotocore allows, and searches for a quarter of an hour."""
    names = [Requirement(text).name for text in PROJECT["optional-dependencies"]["s3"]]
    assert names[0] == "aiobotocore" and "boto3" not in names
