# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""
The commands and their arguments, defined once for both command lines.

Every call of ``airflow`` imports this, so it imports nothing heavy.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_Argument = tuple[tuple[str, ...], dict[str, Any]]

_TASK: list[_Argument] = [
    (("dag_id",), {"help": "The DAG"}),
    (("run_id",), {"help": "Its run"}),
    (("task_id",), {"help": "The task"}),
]
_MAP_INDEX: _Argument = (
    ("--map-index",),
    {"type": int, "default": -1, "metavar": "N", "help": "The position of a mapped task"},
)
_KEY: _Argument = (("--key",), {"default": None, "help": "The key of one item of a batch"})
_CONN_ID: _Argument = (
    ("--conn-id",),
    {"default": None, "help": "The connection for asking the vendor (default: that of the submission)"},
)
_YES: _Argument = (("-y", "--yes"), {"action": "store_true", "help": "Do not ask"})


def _output(*forms: str) -> _Argument:
    return ("-o", "--output"), {"choices": forms, "default": "text", "help": "How to print (default: text)"}


_COMMANDS: dict[str, tuple[str, list[_Argument]]] = {
    "show": (
        "Show the record of a task's paid generation, of a batch or of one item of it, and what can be done",
        [*_TASK, _KEY, _MAP_INDEX, _output("text", "json")],
    ),
    "list": (
        "List the items of a batch",
        [
            *_TASK,
            (("--unknown",), {"action": "store_true", "help": "Only submissions nobody knows about, with candidates"}),
            (("--open",), {"action": "store_true", "help": "Only these and what is under way"}),
            _MAP_INDEX,
            _output("text", "json", "csv"),
        ],
    ),
    "attach": (
        "Record which job a submission with a lost answer started; costs nothing",
        [
            *_TASK,
            # It stands right after the task: argparse (Python 3.11) does not look for it after an option.
            (
                ("job_id",),
                {
                    "nargs": "?",
                    "default": None,
                    "help": "The vendor's id of the job, right after the task; several of one submission are joined by "
                    "commas",
                },
            ),
            (
                ("--from",),
                {
                    "dest": "file",
                    "metavar": "FILE",
                    "default": None,
                    "help": "A CSV file with the columns key and job_id, for many items of a batch; - is the standard "
                    "input",
                },
            ),
            _KEY,
            _MAP_INDEX,
            _output("text", "json"),
            _CONN_ID,
            (("--no-check",), {"action": "store_true", "help": "Do not check the job with the vendor"}),
        ],
    ),
    "dismiss": (
        "Record that a submission was not accepted, or that the vendor deleted its job; if wrong, you pay twice",
        [
            *_TASK,
            _KEY,
            (("--all-unknown",), {"action": "store_true", "help": "All items of a batch that list --unknown names"}),
            (
                ("--before",),
                {
                    "metavar": "TIME",
                    "default": None,
                    "help": "With --all-unknown: those submitted before this time (ISO 8601 with a time zone)",
                },
            ),
            _MAP_INDEX,
            _output("text", "json"),
            _YES,
        ],
    ),
}

_REPORT: list[tuple[tuple[str, ...], dict[str, Any]]] = [
    (("--since",), {"default": None, "help": "The first day or time of a submission, UTC (default: all)"}),
    (("--until",), {"default": None, "help": "The last day, or the first time that is left out, UTC (default: all)"}),
    (
        ("--by",),
        {
            "choices": ["day", "dag", "run", "task", "vendor", "conn"],
            "default": "day",
            "help": "What is added up, for each account (default: day)",
        },
    ),
    (
        ("-o", "--output"),
        {"choices": ["table", "json", "csv"], "default": "table", "help": "How to print (default: table)"},
    ),
]

_ABOUT = "AI ad generation"
_ABOUT_REPORT = "What was spent, in credits, from the ledger alone"
_ABOUT_LEDGER = "What tasks have paid for, and how to resolve submissions whose answer was lost"


def _run(args: argparse.Namespace) -> None:
    from airflow_provider_adgen.cli.output import logs_to_stderr, reader_may_leave

    with reader_may_leave():
        with logs_to_stderr():  # where this is the first import of Airflow
            from airflow_provider_adgen.cli.ledger import run

        raise SystemExit(run(args))


def _report(args: argparse.Namespace) -> None:
    from airflow_provider_adgen.cli.output import reader_may_leave
    from airflow_provider_adgen.cli.report import run

    with reader_may_leave():
        raise SystemExit(run(args))


def get_commands() -> list[Any]:
    """Return the commands as Airflow expects them; the provider info names this function under ``cli``."""
    from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

    arg: Any = Arg

    def action(name: str) -> Any:
        text, arguments = _COMMANDS[name]

        def act(args: argparse.Namespace) -> None:
            args.verb = name
            _run(args)

        return ActionCommand(name=name, help=text, func=act, args=[arg(flags, **how) for flags, how in arguments])

    ledger = GroupCommand(name="ledger", help=_ABOUT_LEDGER, subcommands=[action(name) for name in _COMMANDS])
    report = ActionCommand(
        name="report", help=_ABOUT_REPORT, func=_report, args=[arg(flags, **how) for flags, how in _REPORT]
    )
    return [GroupCommand(name="adgen", help=_ABOUT, subcommands=[ledger, report])]


def parser() -> argparse.ArgumentParser:
    """Return the parser of ``python -m airflow_provider_adgen``."""
    result = argparse.ArgumentParser(prog="python -m airflow_provider_adgen", description=_ABOUT)
    groups = result.add_subparsers(required=True)
    verbs = groups.add_parser("ledger", help=_ABOUT_LEDGER).add_subparsers(dest="verb", required=True)
    for name, (text, arguments) in _COMMANDS.items():
        command = verbs.add_parser(name, help=text, description=text)
        for flags, how in arguments:
            command.add_argument(*flags, **how)
        command.set_defaults(act=_run)
    report = groups.add_parser("report", help=_ABOUT_REPORT, description=_ABOUT_REPORT)
    for flags, how in _REPORT:
        report.add_argument(*flags, **how)
    report.set_defaults(act=_report)
    return result


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command; exit with 0, or with 1 and an error message."""
    args = parser().parse_args(argv)
    args.act(args)
