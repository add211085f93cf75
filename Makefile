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
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check
	$(BIN)/python -c "from importlinter.cli import lint_imports_command; lint_imports_command()" --no-cache

# pip and the tools are run as modules, which go on working where a clone was moved to
.venv/run: requirements.txt $(wildcard requirements/*.txt)
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	touch $@

.venv/test: .venv/run tests/requirements.txt
	$(BIN)/python -m pip install --quiet --requirement tests/requirements.txt
	touch $@
