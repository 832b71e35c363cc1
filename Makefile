# Two commands are enough: `make run` and `make test`. Both build .venv the first time and keep it up to date.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test test-slow bench
.DEFAULT_GOAL := run

run: $(VENV)/run.stamp  ## start the bench in the browser
	$(BIN)/streamlit run app.py

test: $(VENV)/test.stamp  ## style check, then the tests; browser tests too where Chromium is or can be installed
	@.ci/chromium
	$(BIN)/ruff check .
	$(BIN)/python -m pytest -m "not slow"

test-slow: $(VENV)/test.stamp  ## the other tests: real training, processes that are killed, more looks at every page
	$(BIN)/python -m pytest -m slow

bench: $(VENV)/bench.stamp  ## every measurement of benchmarks/, the shortest first; what each found is told at the end
	@.ci/chromium
	$(BIN)/python -m benchmarks

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Fovea needs Python 3.11 or newer: make run PYTHON=python3.12' >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.txt | $(BIN)/python
	@echo 'Installing into $(VENV); the first time this takes a few minutes'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/test.stamp: requirements.txt requirements-test.txt | $(BIN)/python
	@echo 'Installing into $(VENV); the first time this takes a few minutes'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-test.txt
	@touch $@ $(VENV)/run.stamp

$(VENV)/bench.stamp: requirements-bench.txt $(VENV)/test.stamp
	@echo 'Installing what is measured beside Fovea into $(VENV)/bench, where Fovea does not see it'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(VENV)/bench \
		-r requirements-bench.txt || echo 'Not to be had: fine-tuning will be measured without fastai' >&2
	@touch $@
