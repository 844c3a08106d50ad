# `make demo` and `make test` need only Python 3.11 or newer, pip and make: they set up by themselves.
PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
DETECTORS := msp,maxlogit,energy,odin,mahalanobis,rmds,knn,vim,react,pod
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test format bench clean

help: ## Show what there is to make.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) torch
	$(PIP) --editable '.[ood,report]'
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) torch
	$(PIP) --editable '.[test]'
	@touch $@ $(VENV)/.demo

demo: $(VENV)/.demo ## Set up, run the main job (smoke tier), print the table, build the HTML report.
	$(BIN)/rlbench run 'ood/glyph-*,ood/toy-*' $(DETECTORS) --tier smoke --results results/demo
	$(BIN)/rlbench report --results results/demo --no-reference --out report

test: $(VENV)/.test ## Set up, then all that CI checks: format, lint, strict types, tests.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

format: $(VENV)/.test ## Format the code and mend what lint can mend by itself.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# rliable needs pandas < 3, so it gets an environment of its own.
$(VENV)-rliable/.done: pyproject.toml
	$(PYTHON) -m venv $(VENV)-rliable
	$(VENV)-rliable/bin/python -m pip install --quiet rliable 'pandas<3' 'arch<8' --editable .
	@touch $@

bench: $(VENV)/.test $(VENV)-rliable/.done ## Speed beside peers, as ratios in one run (more: benchmarks/).
	$(VENV)-rliable/bin/python benchmarks/stats.py
	$(BIN)/python benchmarks/ued_world.py

clean: ## Remove the virtual environment and everything made by the other targets.
	rm -rf $(VENV) $(VENV)-rliable results/demo report .mypy_cache .pytest_cache .ruff_cache
