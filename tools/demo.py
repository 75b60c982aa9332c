# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
"""Start the demo, if this Python can: ``python -m tools.demo``. See :mod:`tools.demo_run`."""

# An old Python must be able to read this file to say that it is too old: nothing newer than Python 2.7 belongs here.
# ruff: noqa: UP031, UP036
import sys

if __name__ == "__main__":
    if sys.version_info < (3, 11):
        sys.exit(
            "The demo needs Python 3.11 or newer, and this is Python %d.%d (%s).\n"
            "Name a newer one: make demo PYTHON=python3.12" % (sys.version_info[0], sys.version_info[1], sys.executable)
        )
    try:
        from tools.demo_run import main
    except ImportError as error:
        sys.exit(
            "The demo cannot start (%s): packages are missing from %s. make demo installs them."
            % (error, sys.executable)
        )
    sys.exit(main())
