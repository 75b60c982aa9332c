# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Running the sandbox from a shell: ``python -m airflow_provider_adgen.sandbox``."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

ENDING = (signal.SIGTERM, signal.SIGINT)


def read_settings(text: str) -> dict[str, Any]:
    """Read settings: JSON, or ``@`` and the name of a file with JSON.

    :raises argparse.ArgumentTypeError: when it is not a JSON object.
    """
    try:
        values = json.loads(Path(text[1:]).read_text() if text.startswith("@") else text)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"not readable as JSON: {error}") from None
    if not isinstance(values, dict):
        raise argparse.ArgumentTypeError("must be a JSON object of sections")
    return values


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_adgen.sandbox",
        description="A local server that speaks the APIs of Adsumo, CutX, Sume and CinematicAds. Nothing it does costs "
        "anything. The first line on stdout is its base URL; then come ready Airflow connections.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port; 0 picks a free one (default)")
    parser.add_argument("--state", metavar="FILE", help="SQLite file that keeps the state over a restart")
    parser.add_argument("--speed", type=float, default=1.0, help="divides the typical duration of jobs (default 1)")
    parser.add_argument(
        "--credits", type=int, default=1000, help="credits of each vendor's first account (default 1000)"
    )
    parser.add_argument("--settings", type=read_settings, metavar="JSON|@FILE", help="settings by section")
    parser.add_argument("--show-settings", action="store_true", help="print every setting with its default, and exit")
    parser.add_argument("--port-file", metavar="PATH", help="file to write the port to when the server listens")
    parser.add_argument("--access-log", action="store_true", help="print a line per request to stderr")
    return parser.parse_args(given)


def write_port(path: str, port: int) -> None:
    """Write the port to a file; the file appears only when it is complete."""
    unfinished = Path(f"{path}.{os.getpid()}")
    unfinished.write_text(f"{port}\n")
    unfinished.replace(path)


def main(given: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT.

    :return: the exit status.
    """
    options = arguments(given)
    if options.show_settings:
        from airflow_provider_adgen.sandbox.registry import default_settings

        print(json.dumps(default_settings(), indent=2))
        return 0
    # The signals are blocked in every thread, and sigwait() below receives them: no handler can interrupt anything. A
    # handler is set nevertheless: a shell starts background processes with SIGINT ignored, and sigwait() does not
    # receive an ignored signal.
    for number in ENDING:
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    from airflow_provider_adgen.sandbox.server import Sandbox

    sandbox = Sandbox(
        host=options.host,
        port=options.port,
        state=options.state,
        speed=options.speed,
        credits=options.credits,
        settings=options.settings,
        access_log=options.access_log,
    )
    try:
        sandbox.start()
    except (OSError, ValueError) as error:
        print(f"The sandbox could not start: {error}", file=sys.stderr)
        return 1
    try:
        if options.port_file:
            write_port(options.port_file, sandbox.port)
        print(sandbox.url, flush=True)
        for vendor in sandbox.vendors():
            print(f"export AIRFLOW_CONN_{vendor.upper()}_DEFAULT='{sandbox.connection_json(vendor)}'", flush=True)
        signal.sigwait(ENDING)
    finally:
        sandbox.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
