# One file to set up, run and test. Every target sets up what it needs; `make help` lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
ARGS ?=

.PHONY: help setup train test test-extras coverage soak errors docs check tensorboard bench clean

help:  ## Print this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(READY): pyproject.toml setup.py constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) else "Python 3.11 to 3.13 is needed, found %d.%d. Name another: make setup PYTHON=python3.11" % v)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --upgrade pip setuptools
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

setup: $(READY)  ## Create .venv and install the pinned dependencies (once)

train: $(READY)  ## Import, train, evaluate and report on the embedded phantom: make train ARGS="modality=flair"
	$(BIN)/python train.py $(ARGS)

test: $(READY)  ## Run the tests (minutes), two files at a time
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

test-extras: $(READY)  ## Run the heavier tests: long whole runs, built wheels, packages that extend this one
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m extras -n 2 --dist loadfile $(ARGS)

coverage: $(READY)  ## Run the tests and print which lines and branches none reaches, the worst modules first
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report= $(ARGS)
	@$(BIN)/coverage report | awk 'NR <= 32 || /^TOTAL/'

soak: $(READY)  ## Run the long tests: kills, fuzz, the documents' commands
	$(BIN)/python -m pytest -m soak $(ARGS)

errors: $(READY)  ## Write docs/errors.md anew: what the program says to each wrong input
	BRAIN_CAE_WRITE_ERRORS=1 $(BIN)/python -m pytest -m "not soak" tests/errors $(ARGS)

docs: $(READY)  ## Build the documentation as a site: open site/index.html, it needs no network
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs --quiet build

check: docs  ## Lint, check types, layers and the documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

tensorboard: $(READY)  ## Watch the runs in a browser
	$(BIN)/tensorboard --logdir outputs

bench: $(READY)  ## Run the benchmarks one after the other
	@set -e; for script in benchmarks/*.py; do echo "== $$script"; $(BIN)/python $$script; done

clean:  ## Remove the virtual environment and caches; runs and reports stay
	rm -rf $(VENV) .cache build site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
