#!/bin/sh
# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0
#
# Make an environment with one Airflow, this package (editable) and the development tools, all pinned.
#
#   tools/make_venv.sh DIRECTORY AIRFLOW 'PYTHON ...' NEWEST_PYTHON [PIP ARGUMENT ...]
#
# The first of the Pythons that is at least 3.11 and at most NEWEST_PYTHON is taken; $PYTHON goes before them all.
# The pins are those of constraints/dev-airflow-AIRFLOW.txt, or of the file that $CONSTRAINTS names.
set -eu

directory=$1 airflow=$2 candidates=$3 newest=$4
shift 4
constraints=${CONSTRAINTS:-constraints/dev-airflow-$airflow.txt}

python=
for candidate in ${PYTHON:-} $candidates; do
    # Some version managers put a program there that only says that the version is not installed.
    if "$candidate" -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= tuple(map(int, '$newest'.split('.'))))" 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "No Python from 3.11 to $newest was found, which Airflow $airflow needs here (looked for: ${PYTHON:-} $candidates)." >&2
    echo "Install one, or name it: make PYTHON=/path/to/python3.12 ..." >&2
    exit 1
fi

if [ -e "$directory/.ready" ] && "$directory/bin/python" -c '' 2>/dev/null; then
    echo "Bringing $directory up to date: Airflow $airflow on $("$directory/bin/python" --version 2>&1)."
    rm "$directory/.ready"
else
    echo "Making $directory: Airflow $airflow on $("$python" --version 2>&1). This takes 5 to 10 minutes the first time."
    rm -rf "$directory"
    if ! "$python" -m venv "$directory"; then
        echo "$python cannot make environments. On Debian and Ubuntu that takes the package python3-venv." >&2
        exit 1
    fi
fi

export PIP_DISABLE_PIP_VERSION_CHECK=1
pip="$directory/bin/python -m pip install --quiet --quiet --constraint $constraints"
$pip --requirement constraints/dev-requirements.txt "$@"
# The build backend is pinned and there already, so none is fetched for the occasion.
$pip --no-build-isolation --editable '.[sandbox]'
touch "$directory/.ready"
