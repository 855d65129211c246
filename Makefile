# `make run` runs the main job, `make test` runs every gate; `make help` names the rest.
# Needs only Python 3.11 to 3.13 with its venv module (Debian: python3-venv) and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet
# The tool that writes the lock files; they are committed, so nobody else needs it.
UV := uv==0.13.9
COMPILE := $(VENV)/lock/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	--no-header --no-annotate --no-emit-index-url --no-emit-find-links
# Two test processes: each brings its own PostgreSQL and Redis.
WORKERS ?= 2
# What `make benchmark` is to measure, e.g. make benchmark BENCHMARK="--rows 20000 --tables first".
BENCHMARK ?=
PYTEST := $(BIN)/pytest
PACKAGES := worker connectors settings

.DEFAULT_GOAL := help
# Some images switch byte code off, which doubles the start-up of every process that the tests start.
unexport PYTHONDONTWRITEBYTECODE
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help run test test-long setup lint types imports unit format lock clean benchmark

help:  ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' Makefile | awk -F': ' '{ printf "  make %-10s %s\n", $$1, $$2 }'

run: $(VENV)/run.stamp  ## Set up and run the main job: the daemon, or without credentials a rehearsal
	@$(BIN)/python -m worker.main_job

test: setup lint types imports unit  ## Set up and run every gate: style, types, import contract, tests with coverage

setup: $(VENV)/dev.stamp  ## Create .venv with everything for development

lint: setup  ## Check style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup  ## Check types
	$(BIN)/mypy

imports: setup  ## Check that imports point one way
	$(BIN)/lint-imports

unit: setup
	$(PYTEST) --numprocesses $(WORKERS) --dist loadgroup --cov

test-long: setup  ## Run the tests that take minutes
	$(PYTEST) -m long --numprocesses $(WORKERS) --dist loadgroup --timeout 1800

benchmark: setup $(VENV)/benchmark.stamp  ## Measure a first reading beside what a user would take instead (half an hour)
	$(BIN)/python -m benchmarks.reading $(BENCHMARK)

format: setup  ## Rewrite the code in the house's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: setup  ## Pin the newest allowed version of every requirement
	$(BIN)/python -m venv $(VENV)/lock
	$(VENV)/lock/bin/pip --disable-pip-version-check install --quiet "$(UV)"
	$(COMPILE) --upgrade --extra dev pyproject.toml --output-file requirements/dev.lock
	$(COMPILE) --upgrade --constraint requirements/dev.lock pyproject.toml --output-file requirements/runtime.lock
	$(COMPILE) --upgrade --constraint requirements/dev.lock requirements/build.in --output-file requirements/build.lock
	$(COMPILE) --upgrade requirements/benchmark.in --output-file requirements/benchmark.lock

clean:  ## Remove what the gates leave behind (never your settings or .waybill)
	rm -rf build dist htmlcov .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find $(PACKAGES) tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@command -v "$(PYTHON)" >/dev/null || \
		{ echo "There is no $(PYTHON): install Python 3.11, 3.12 or 3.13, or name one with make PYTHON=…" >&2; exit 2; }
	@"$(PYTHON)" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
		{ echo "$$("$(PYTHON)" --version) is not supported: use Python 3.11, 3.12 or 3.13, e.g. make PYTHON=python3.11" >&2; exit 2; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) has no venv module: install it (Debian: apt install python3-venv)" >&2; exit 2; }
	@echo "Setting up $(VENV) (once, a minute or two) …"
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); exit 2; }

$(VENV)/run.stamp: pyproject.toml requirements/runtime.lock requirements/build.lock | $(VENV)/bin/python
	@$(PIP) install --require-hashes -r requirements/runtime.lock -r requirements/build.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: pyproject.toml requirements/dev.lock | $(VENV)/bin/python
	@$(PIP) install --require-hashes -r requirements/dev.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/run.stamp

$(VENV)/benchmark.stamp: requirements/benchmark.lock | $(VENV)/bin/python
	@echo "Setting up $(VENV)/benchmark with what waybill is measured beside (once, some minutes) …"
	@"$(PYTHON)" -m venv $(VENV)/benchmark
	@$(VENV)/benchmark/bin/python -m pip --disable-pip-version-check --no-input --quiet install \
		--require-hashes -r requirements/benchmark.lock
	@touch $@
