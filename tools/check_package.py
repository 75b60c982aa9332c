# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
Build the package, install the wheel beside a bare Airflow, and look whether that Airflow knows it.

``python -m tools.check_package``. The environment has Airflow and the package's own dependencies and nothing else: no
sandbox, no development tools, no source tree.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints" / "dev-airflow-3.3.txt"

# Everything but the sandbox, which has dependencies of its own, must be importable.
_IMPORT_ALL = """
import importlib, pkgutil, airflow_provider_adgen as package
names = [module.name for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".", onerror=print)]
names = [name for name in names if not name.startswith(package.__name__ + ".sandbox")]
for name in names:
    importlib.import_module(name)
print(len(names), "modules imported from", package.__path__[0])
assert "site-packages" in package.__path__[0]
"""


def run(*command: str | Path, env: dict[str, str] | None = None, cwd: Path = ROOT) -> str:
    """Run a program and return its output; a failure shows what it said and ends this one."""
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} has failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def build(target: Path) -> Path:
    """Build source archive and wheel into *target*; return the wheel."""
    # The wheel is built from the source archive, so that one cannot miss what the other needs.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", target, ROOT)
    (wheel,) = target.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        strays = [
            name
            for name in archive.namelist()
            if not name.startswith(("airflow_provider_adgen/", "airflow_provider_adgen-"))
        ]
    if strays:
        sys.exit(f"The wheel holds more than the package: {strays}")
    return wheel


def main() -> int:
    """Check the package; return the exit status."""
    with tempfile.TemporaryDirectory(prefix="adgen-package-") as name:
        work = Path(name)
        wheel = build(work / "dist")
        print(f"Built {wheel.name}; installing it beside a bare Airflow.", flush=True)
        venv.create(work / "venv", with_pip=True)
        python = work / "venv" / "bin" / "python"
        run(python, "-m", "pip", "install", "--quiet", "--constraint", CONSTRAINTS, wheel)

        env = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "PYTHON"))}
        env |= {"AIRFLOW_HOME": str(work / "airflow"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "COLUMNS": "200"}
        print(run(python, "-c", _IMPORT_ALL, env=env, cwd=work).strip())
        providers = run(python, "-m", "airflow", "providers", "list", env=env, cwd=work)
        hooks = run(python, "-m", "airflow", "providers", "hooks", env=env, cwd=work)
        code = "from airflow_provider_adgen.get_provider_info import get_provider_info as info; " + (
            "print(*(entry['connection-type'] for entry in info()['connection-types']))"
        )
        for text, listing, command in [
            ("airflow-provider-adgen", providers, "airflow providers list"),
            *((conn_type, hooks, "airflow providers hooks") for conn_type in run(python, "-c", code, cwd=work).split()),
        ]:
            lines = [line for line in listing.splitlines() if text in line]
            if not lines:
                sys.exit(f"`{command}` does not show {text}:\n{listing}")
            print(f"{command}: {lines[0].strip()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
