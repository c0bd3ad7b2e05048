# SPDX-License-Identifier: Apache-2.0
# Two commands: `make demo` and `make test`. Both set up everything they need in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# The tests start hundreds of processes: each reads compiled modules rather than compiling them.
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test lint types imports unit bench profile campaign lock clean

demo: $(STAMP)
	$(BIN)/ttapi --home demo demo

test: lint types imports unit

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

unit: $(STAMP)
	$(BIN)/coverage erase
	$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=
	$(BIN)/coverage report

bench: $(STAMP)
	$(BIN)/python tests/bench/run.py

profile: $(STAMP)
	$(BIN)/python -m cProfile -o profile.out -m ttapi --home demo refresh --force
	$(BIN)/python -c "import pstats; pstats.Stats('profile.out').sort_stats('cumulative').print_stats(40)"

campaign: $(STAMP)
	rm -rf .cache/campaign
	TTAPI_CAMPAIGN=1 $(BIN)/python -m pytest -m campaign -n 2
	@$(BIN)/python tests/acceptance/kills.py

# The lock names no registry: hashes say what is installed, your pip configuration says from where.
lock: $(STAMP)
	$(BIN)/python -m pip install -q uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --generate-hashes --universal --no-emit-index-url --no-annotate --no-header --python-version 3.11 -o requirements.lock

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "ttapi needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv module is missing. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q ttapi
	@touch $(STAMP)

clean:
	rm -rf $(VENV) demo .coverage* .mypy_cache .ruff_cache .hypothesis build dist
