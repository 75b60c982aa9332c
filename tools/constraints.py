# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Make ``constraints/dev-*.txt`` anew: every package that developing and testing on one Airflow takes, pinned.

``python -m tools.constraints`` (needs uv). The newest Airflow is resolved with today's packages. The oldest is resolved
with what there was when it was current, and with the oldest series of each of this package's own dependencies. The
benchmark gets the versions of the newest and, on top of them, the providers that it measures against.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
HEADER = """\
# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
# Made by `python -m tools.constraints`: do not edit.
"""


@dataclass(frozen=True)
class Target:
    """
    One file of constraints.

    :param file: its name.
    :param airflow: the Airflow to pin.
    :param oldest: pin this package's own dependencies to the oldest series that it declares.
    :param before: ignore what was published after this day.
    :param tools: the files that list what is needed beside the package.
    :param like: a file of constraints whose versions are kept.
    """

    file: str
    airflow: str
    oldest: bool = False
    before: str | None = None
    tools: tuple[str, ...] = ("dev-requirements.txt",)
    like: str | None = None


TARGETS = (
    Target("dev-airflow-3.3.txt", "3.3.2", tools=("dev-requirements.txt", "dev-requirements-newest.txt")),
    Target("dev-airflow-3.0.txt", "3.0.6", oldest=True, before="2025-09-05"),
    Target(
        "dev-bench.txt",
        "3.3.2",
        tools=("dev-requirements.txt", "dev-requirements-bench.txt"),
        like="dev-airflow-3.3.txt",
    ),
)


def requirements(target: Target) -> list[str]:
    """Return what has to be resolved for *target*."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    own = [*project["dependencies"], *project["optional-dependencies"]["sandbox"]]
    lines = [f"apache-airflow=={target.airflow}"]
    for text in own:
        requirement = Requirement(text)
        if requirement.name == "apache-airflow":
            continue
        floor = next(part.version for part in requirement.specifier if part.operator == ">=")
        lines.append(f"{requirement.name}=={floor}.*" if target.oldest else text)
    for name in target.tools:
        lines += (ROOT / "constraints" / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def pins(target: Target, uv: list[str]) -> str:
    """Resolve *target* for every Python from 3.11 on and return the pins, with markers where they differ."""
    command = [*uv, "pip", "compile", "-", "--universal", "--python-version", "3.11", "--quiet"]
    command += ["--no-header", "--no-annotate", "--no-emit-package", "airflow-provider-adgen"]
    if target.before:
        command += ["--exclude-newer", target.before]
    if target.like:
        command += ["--constraint", f"constraints/{target.like}"]
    done = subprocess.run(
        command, input="\n".join(requirements(target)), text=True, stdout=subprocess.PIPE, cwd=ROOT, check=True
    )
    return done.stdout


def main() -> int:
    """Write the files; return the exit status."""
    parser = argparse.ArgumentParser(description="Make constraints/dev-*.txt anew.")
    parser.add_argument("files", nargs="*", help="only these (default: all)")
    only = set(parser.parse_args().files)
    found = shutil.which("uv")
    for target in TARGETS:
        if only and target.file not in only:
            continue
        text = pins(target, [found] if found else [sys.executable, "-m", "uv"])
        (ROOT / "constraints" / target.file).write_text(HEADER + text)
        print(f"constraints/{target.file}: {len(text.splitlines())} pins for Airflow {target.airflow}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
