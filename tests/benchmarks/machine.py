# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""What the numbers were measured on, and which state of the package they are of."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
OWN = "airflow-provider-adgen"

PACKAGES = (
    "apache-airflow",
    OWN,
    "httpx",
    "apache-airflow-providers-databricks",
    "apache-airflow-providers-dbt-cloud",
    "apache-airflow-providers-anthropic",
    "aiohttp",
    "anthropic",
)


def source() -> str:
    """Return a digest of the package's code: the same version may be measured in many states."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "airflow_provider_adgen").rglob("*.py")):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def busy_seconds() -> float:
    """Return the CPU seconds that all processes of this machine have taken since it was started."""
    user, nice, system, _idle, _iowait, irq, softirq, *_ = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return sum(int(one) for one in (user, nice, system, irq, softirq)) / os.sysconf("SC_CLK_TCK")


def machine() -> dict[str, object]:
    """Return cores, processor, memory, Python, the versions of the packages and the state of our own."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": model,
        "memory_gb": round(memory),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "source": source(),
    }
