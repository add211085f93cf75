PYTHON ?= python3
BIN = .venv/bin

.PHONY: run test reproduce lint place

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

# scripts such as pip and activate name the place of their environment: modules still work where it was moved to
place:
	@test ! -e $(BIN)/activate || (. $(BIN)/activate && test "$$VIRTUAL_ENV" -ef .venv) || \
	echo "warning: .venv was set up in another place: here $(BIN)/activate is of no use until rm -r .venv" >&2

.venv/run: requirements.txt $(wildcard requirements/*.txt) | place
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.txt
	touch $@

.venv/test: .venv/run tests/requirements.txt
	$(BIN)/python -m pip install --quiet --requirement tests/requirements.txt
	touch $@
