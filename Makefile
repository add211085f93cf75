PYTHON ?= python3
BIN = .venv/bin

.PHONY: run test reproduce lint

run: .venv/run
	$(BIN)/python run.py
	$(BIN)/python run.py --data fashion-mnist

test: .venv/test
	$(BIN)/python -m pytest

reproduce: .venv/run
	$(BIN)/python run.py --train $(if $(SEEDS),--seeds $(SEEDS))

lint: .venv/test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-cache

.venv/run: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement requirements.txt
	touch $@

.venv/test: .venv/run tests/requirements.txt requirements-cluster.txt
	$(BIN)/pip install --quiet --requirement tests/requirements.txt
	touch $@
