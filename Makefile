# Each target is the only command needed on a fresh machine: it makes the virtual environment when it is missing.

PYTHON ?= python3
VENV   := .venv
PEERS  := .venv-peers
READY  := $(VENV)/.ready

.PHONY: run test stress lint bench bench-backtest clean

run: $(READY)
	@$(VENV)/bin/python run.py $(ARGS)

test: $(READY)
	$(VENV)/bin/pytest -n auto --dist worksteal $(ARGS)

stress: $(READY)
	tests/stress.sh $(or $(TIMES),3) $(ARGS)

lint: $(READY)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports
	$(VENV)/bin/mypy

bench: $(READY)
	@for file in tests/benchmarks/bench_*.py; do $(VENV)/bin/python $$file || exit 1; done

bench-backtest: $(READY) $(PEERS)/.ready
	$(VENV)/bin/python tests/benchmarks/bench_backtest_peers.py $(ARGS)

# Other backtest engines, away from everything else: their dependencies do not go together with ours.
$(PEERS)/.ready: tests/benchmarks/peers.txt
	@echo "Installing the peers into $(PEERS) (once; about a minute)"
	@$(VENV)/bin/python -m venv $(PEERS)
	@$(PEERS)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

$(READY): pyproject.toml
	@echo "Installing MATS into $(VENV) (once; about a minute)"
	@$(PYTHON) -c 'import sys; sys.exit("MATS needs Python 3.11 or newer; name one: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

clean:
	rm -rf $(VENV) $(PEERS) build dist *.egg-info
