# Copyright the airflow-provider-adgen authors
# SPDX-License-Identifier: Apache-2.0

# What a person types. `make test` is everything; `make demo` shows it without an account.
.PHONY: help demo test lint format type unit unit-oldest integration browser e2e e2e-oldest chaos chaos-short docs screenshots package bench bench-airflow clean
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

NEWEST := .venv
OLDEST := .venv-oldest
NEWEST_READY := $(NEWEST)/.ready
OLDEST_READY := $(OLDEST)/.ready
BENCH_VENV := .venv-bench
BENCH_READY := $(BENCH_VENV)/.ready
INPUTS := pyproject.toml tools/make_venv.sh constraints/dev-requirements.txt

# Each worker imports Airflow once; more of them than cores only get in each other's way.
WORKERS ?= 2
PYTEST_ARGS ?=

# Which parts of the benchmark to run; `make bench-airflow` is its part on a whole Airflow.
BENCH ?= w1 w2 w3 w4 w6 cold

help:
	@echo 'make demo         a campaign on a real Airflow against the sandbox; REVIEW=1 asks you to approve it,'
	@echo '                  KEEP=1 leaves it running, DAG=name runs another example'
	@echo 'make test         everything below'
	@echo 'make lint type    ruff; strict mypy      (make format puts right what ruff can)'
	@echo 'make unit         unit tests on the newest Airflow    (PYTEST_ARGS="-k word")'
	@echo 'make unit-oldest  the same on Airflow 3.0 and the oldest dependencies'
	@echo 'make integration  tests against the sandbox over HTTP'
	@echo 'make browser      tests of the gallery in Chromium; skipped where there is none'
	@echo 'make e2e          tests on a whole Airflow            (make e2e-oldest: on Airflow 3.0)'
	@echo 'make chaos-short  a few processes killed under paid generations'
	@echo 'make docs         build the documentation'
	@echo 'make package      build the wheel and look at it in an environment of its own'
	@echo 'make screenshots  run a campaign and take the pictures of docs/ in Chromium; look at them before you commit'
	@echo 'make chaos        every way to die, at every vendor, and 5000 random histories; writes docs/reliability.md'
	@echo 'make bench        waiting, measured beside other providers; writes docs/performance.md, 45 minutes  (BENCH="w1-150 w3" for parts)'
	@echo 'make bench-airflow  the same on a whole Airflow       (TASKS=100 for fewer tasks)'
	@echo 'make clean        remove what the above made'

demo: $(NEWEST_READY)
	$(NEWEST)/bin/python -m tools.demo

# One after the other, the quick ones first: the first failure ends it.
test:
	$(MAKE) lint type
	$(MAKE) unit
	$(MAKE) integration
	$(MAKE) browser
	$(MAKE) unit-oldest
	$(MAKE) package
	$(MAKE) e2e
	$(MAKE) chaos-short
	$(MAKE) docs
	@echo 'make test: all passed.'

lint: $(NEWEST_READY)
	$(NEWEST)/bin/ruff check .
	$(NEWEST)/bin/ruff format --check .

format: $(NEWEST_READY)
	$(NEWEST)/bin/ruff check --fix .
	$(NEWEST)/bin/ruff format .

type: $(NEWEST_READY)
	$(NEWEST)/bin/mypy

unit: $(NEWEST_READY)
	$(NEWEST)/bin/python -m pytest tests/unit -n $(WORKERS) $(PYTEST_ARGS)

unit-oldest: $(OLDEST_READY)
	$(OLDEST)/bin/python -m pytest tests/unit -n $(WORKERS) $(PYTEST_ARGS)

integration: $(NEWEST_READY)
	$(NEWEST)/bin/python -m pytest tests/integration -n $(WORKERS) $(PYTEST_ARGS)

# One browser for all of them: they are few.
browser: $(NEWEST_READY)
	$(NEWEST)/bin/python -m pytest tests/browser $(PYTEST_ARGS)

e2e: $(NEWEST_READY)
	$(NEWEST)/bin/python -m pytest tests/e2e -m "not slow" $(PYTEST_ARGS)

e2e-oldest: $(OLDEST_READY)
	$(OLDEST)/bin/python -m pytest tests/e2e -m "not slow" $(PYTEST_ARGS)

chaos-short: $(NEWEST_READY)
	$(NEWEST)/bin/python -m pytest tests/chaos/test_short.py $(PYTEST_ARGS)

# With the benchmark's environment: other providers are put through the same.
chaos: $(BENCH_READY)
	$(BENCH_VENV)/bin/python -m pytest tests/chaos/test_everything.py -q -s $(PYTEST_ARGS)
	$(BENCH_VENV)/bin/python -m pytest tests/e2e -m slow -q $(PYTEST_ARGS)
	ADGEN_BATCH_ITEMS=60 ADGEN_BATCH_LIVES=14 \
		$(BENCH_VENV)/bin/python -m pytest tests/integration/batch/test_deaths.py -q $(PYTEST_ARGS)
	ADGEN_HISTORIES=5000 $(BENCH_VENV)/bin/python -m pytest tests/integration/batch/test_histories.py -q $(PYTEST_ARGS)

docs: $(NEWEST_READY)
	$(NEWEST)/bin/python -m tools.generate_docs --check
	$(NEWEST)/bin/python -m sphinx -W --keep-going -q docs build/docs

# Not a part of `make test`: it needs Chromium, and a person who looks at the pictures.
screenshots: $(NEWEST_READY)
	$(NEWEST)/bin/python -m tools.screenshots

package: $(NEWEST_READY)
	$(NEWEST)/bin/python -m tools.check_package

$(NEWEST_READY): $(INPUTS) constraints/dev-requirements-newest.txt constraints/dev-airflow-3.3.txt
	@tools/make_venv.sh $(NEWEST) 3.3 'python3 python3.13 python3.12 python3.11' 3.13 \
		-r constraints/dev-requirements-newest.txt

$(OLDEST_READY): $(INPUTS) constraints/dev-airflow-3.0.txt
	@tools/make_venv.sh $(OLDEST) 3.0 'python3.11 python3.12 python3' 3.12

bench: $(BENCH_READY)
	$(BENCH_VENV)/bin/python -m tests.benchmarks $(BENCH)

bench-airflow: $(BENCH_READY)
	$(BENCH_VENV)/bin/python -m tests.benchmarks w5 $(if $(TASKS),--tasks $(TASKS))

$(BENCH_READY): $(INPUTS) constraints/dev-requirements-bench.txt constraints/dev-bench.txt
	@CONSTRAINTS=constraints/dev-bench.txt tools/make_venv.sh $(BENCH_VENV) 3.3 \
		'python3 python3.13 python3.12 python3.11' 3.13 -r constraints/dev-requirements-bench.txt

clean:
	rm -rf $(NEWEST) $(OLDEST) $(BENCH_VENV) build dist .demo .work .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
