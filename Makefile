# Every target does its own set-up: a virtual environment in .venv and an editable install.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_OUT ?= demo-report
LIMIT ?= 120

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow lint docs bench bench-solvers bench-training wheel clean

help:
	@echo "make demo       run the whole job on data that ship with the package, write $(DEMO_OUT)/report.html"
	@echo "make test       lint, types and tests"
	@echo "make test-slow  the long tests as well"
	@echo "make docs       build the documentation into build/site"
	@echo "make bench      time the main job on the real networks, where they are present"
	@echo "make bench-solvers  the solver contest on real and drawn networks (hours; LIMIT=seconds each, default 120)"
	@echo "make bench-training  the training benchmark on drawn and real networks, rivals where they are installed"
	@echo "make wheel      build the wheel into dist/"
	@echo "make clean      remove everything that make made"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "expected Python 3.11 or newer, got $$($(PYTHON) --version 2>&1); run make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run-installed: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.test-installed: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[test,omics,fast]"
	@touch $@ $(VENV)/.run-installed

demo: $(VENV)/.run-installed
	$(BIN)/graphnn demo --out $(DEMO_OUT) --force

lint: $(VENV)/.test-installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not slow"

test-slow: lint
	$(BIN)/python -m pytest -n auto --dist loadfile

$(VENV)/.docs-installed: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[docs]"
	@touch $@

docs: $(VENV)/.docs-installed
	$(BIN)/mkdocs build --strict

bench: $(VENV)/.test-installed
	$(BIN)/python -m benchmarks.main_job

$(VENV)/.bench-installed: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[bench]"
	@touch $@

bench-solvers: $(VENV)/.bench-installed
	$(BIN)/python -m benchmarks.solvers --limit $(LIMIT)

bench-training: $(VENV)/.bench-installed
	$(BIN)/python -m benchmarks.training --total

wheel: $(VENV)/.test-installed
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis $(DEMO_OUT)
