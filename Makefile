# SPDX-License-Identifier: Apache-2.0
# `make demo` to look around; `make fast` before a commit, `make test` and `make compat` before a push.
# Each sets up what it needs in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# By content: a checkout touches files, and another lock is another environment.
LOCKED := $(VENV)/.locked-$(firstword $(shell cksum requirements.lock))
# Errors only: pip's warnings are about a machine's configuration.
QUIET_PIP := pip --disable-pip-version-check install -qq
UV := .cache/uv/bin/uv

# The tests start hundreds of processes: each reads compiled modules rather than compiling them.
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test fast lint types imports unit compat bench profile campaign newest lock wheel release-check clean

demo: $(STAMP)
	$(BIN)/ttapi --home demo demo

test: lint types imports unit

# What a change touches since SINCE, in a minute.
SINCE ?= HEAD
fast: $(STAMP)
	@files="$$($(BIN)/python scripts/touched.py files $(SINCE))"; [ -z "$$files" ] || { $(BIN)/ruff format --check $$files && $(BIN)/ruff check $$files; }
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@[ ! -f scripts/house.py ] || $(BIN)/python scripts/house.py
	@tests="$$($(BIN)/python scripts/touched.py tests $(SINCE))"; [ -z "$$tests" ] || $(BIN)/python -m pytest -n 2 --dist worksteal -m "not compat" $$tests

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

# Its homes lie in memory where there is room: what a disk does is the subject of compat's kills.
IN_MEMORY := $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000000 && $$1 == "tmpfs" { print "/dev/shm" }')
unit: $(STAMP)
	@rm -f .coverage.*.json
	@folder="$$(mktemp -d "$(or $(IN_MEMORY),$${TMPDIR:-/tmp})/ttapi-tests.XXXXXX")"; chmod 1777 "$$folder"; trap 'rm -rf "$$folder"' EXIT; \
	TMPDIR="$$folder" $(BIN)/python -m pytest -n 2 --dist worksteal -m "not compat" -p tests.measure_coverage
	$(BIN)/slipcover --branch --skip-covered --fail-under 90 --out .coverage.json --merge .coverage.*.json

# Other people's programs and engines, kills, runs of every symbol: nothing here counts for coverage.
compat: $(STAMP)
	TTAPI_DRAWS=all $(BIN)/python -m pytest -n 2 --dist worksteal -m "compat or drawn"

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
# It is whole, so it is installed without a resolver (--no-deps): one would look for newer versions.
# It is moved to what is current; `make lock UPGRADE=` moves only what pyproject.toml asks for.
UPGRADE ?= --upgrade
lock:
	@test -x $(UV) || { $(PYTHON) -m venv .cache/uv && .cache/uv/bin/python -m $(QUIET_PIP) uv; }
	$(UV) pip compile -q pyproject.toml --extra dev --generate-hashes --universal --no-emit-index-url --no-annotate --no-header --python-version 3.11 $(UPGRADE) -o requirements.lock

# The suite on the newest versions that pyproject.toml allows, resolved as a user's installer does, on
# every supported Python that is here. TESTS="tests/store -x" is what pytest is given instead of all.
newest:
	$(PYTHON) scripts/newest.py $(TESTS)

wheel: $(STAMP)
	rm -rf dist
	$(BIN)/python -m hatchling build -t wheel -t sdist

# Everything before an upload, which stays a person's: docs/release.md.
release-check: wheel
	$(BIN)/python scripts/release_check.py dist

$(STAMP): $(LOCKED) pyproject.toml
	@$(BIN)/python -m $(QUIET_PIP) --no-deps --no-build-isolation -e .
	@$(BIN)/python -m pip check > $(VENV)/check.txt || { cat $(VENV)/check.txt >&2; exit 1; }
	@$(BIN)/python -m compileall -q ttapi
	@touch $(STAMP)

$(LOCKED):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "ttapi needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv module is missing. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing into $(VENV); a first time downloads some 300 MB."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m $(QUIET_PIP) --no-deps --require-hashes -r requirements.lock
	@touch $(LOCKED)

clean:
	rm -rf $(VENV) demo .coverage* .mypy_cache .ruff_cache .hypothesis build dist
