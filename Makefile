# Python 3.11 or newer and make are all that a fresh machine needs: every target makes the environment first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.installed-bench
UV_VERSION := $(shell sed -n 's/^uv==\([0-9.]*\).*/\1/p' requirements.lock)
WORKERS ?= 2
SEEDS ?= 1
PATHS ?= 100000
LOAD_SEEDS ?= 1000
COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock"

.PHONY: help setup demo test check format bench conformance evaluate lock dashboards clean
.DEFAULT_GOAL := help

help:  ## What can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(STAMP)  ## The environment in .venv, from requirements.lock

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "driftd needs Python 3.11 or newer: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(STAMP): requirements.lock pyproject.toml | $(BIN)/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-build-isolation --no-deps -e .
	@touch $@

$(BENCH_STAMP): requirements-bench.lock | $(STAMP)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements-bench.lock
	@touch $@

demo: $(STAMP)  ## A fleet goes astray before your eyes, and one agent is stopped
	@$(BIN)/driftd demo

test: $(STAMP)  ## All tests
	$(BIN)/pytest -n $(WORKERS) --dist loadfile

check: $(STAMP)  ## Lint, types, import contracts, banned calls
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python tools/banned.py detectors

format: $(STAMP)  ## Sort imports and mend what ruff can mend
	$(BIN)/ruff check --fix

bench: $(BENCH_STAMP)  ## CPU per event, interleaved in one run (ARGS="core kafka --record")
	$(BIN)/python tests/benchmarks/bench.py $(ARGS)

conformance: $(STAMP)  ## What scores promise beside what is observed, over PATHS=100000 agent-months a row
	PYTHONPATH=. $(BIN)/python tests/benchmarks/conformance.py --paths $(PATHS)

evaluate: $(STAMP)  ## Detection and false alarms on generated fleets (SEEDS=1-8 LOAD_SEEDS="1000 1100")
	cd tests/evaluation && $(CURDIR)/$(BIN)/python -m evaluate fleet --seed $(SEEDS) --driftd "$(CURDIR)/$(BIN)/driftd"
	cd tests/evaluation && $(CURDIR)/$(BIN)/python -m evaluate load --seed $(LOAD_SEEDS) --driftd "$(CURDIR)/$(BIN)/driftd"

lock: | $(BIN)/uv  ## requirements*.lock from pyproject.toml, with hashes and without addresses
	$(COMPILE) --group dev --output-file requirements.lock
	$(COMPILE) --output-file requirements-run.lock
	$(COMPILE) --group dev --group bench --constraint requirements.lock --output-file requirements-bench.lock

dashboards: $(STAMP)  ## The Grafana dashboard, from dashboards/build.py
	$(BIN)/python dashboards/build.py

clean:  ## All that was made
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
