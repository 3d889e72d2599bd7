# Each target is the only command needed on a fresh machine: it makes the virtual environment when it is missing.

PYTHON ?= python3
VENV   := .venv
READY  := $(VENV)/.ready

.PHONY: run test lint bench clean

run: $(READY)
	@$(VENV)/bin/python run.py $(ARGS)

test: $(READY)
	$(VENV)/bin/pytest -n auto --dist worksteal $(ARGS)

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

bench: $(READY)
	@for file in tests/benchmarks/bench_*.py; do $(VENV)/bin/python $$file || exit 1; done

$(READY): pyproject.toml
	@echo "Installing MATS into $(VENV) (once; about a minute)"
	@$(PYTHON) -c 'import sys; sys.exit("MATS needs Python 3.11 or newer; name one: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info
