# SUM+1. `make` shows what there is; PORT, DATA_DIR, REPLAY, DATABASE_URL and REDIS_URL change it.
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev browser up test lint check bench screenshots clean \
	compile clean-compiled test-compiled crash sim coverage

VENV := .venv
RUN := $(VENV)/bin/python
# The first Python that is new enough; the installer says so where there is none.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BENCH ?= $(shell $(RUN) -c 'from bench.__main__ import names; print(*(n for n in names() if n != "soak"))' 2>/dev/null)
ONLY ?=
# It warns of every word inside a text that is exempt; only where it fails is that of interest.
BANDIT := $(VENV)/bin/bandit -q -ll -c pyproject.toml -r apps config manage.py docs/examples
export PORT DATA_DIR REPLAY REPLAY_SPEED DATABASE_URL REDIS_URL

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

setup: ## Make .venv and install what is pinned, where that has changed
	@test -n "$(PYTHON)" || { echo "SUM+1 needs Python 3.11 or newer; found: $$(python3 -V 2>&1)."; exit 1; }
	@$(PYTHON) apps/local/install.py requirements.txt

setup-dev:
	@test -n "$(PYTHON)" || { echo "SUM+1 needs Python 3.11 or newer; found: $$(python3 -V 2>&1)."; exit 1; }
	@$(PYTHON) apps/local/install.py requirements-dev.txt

browser: setup-dev
	@$(RUN) -m apps.local.browser

up: setup ## Start everything on one port, with demo accounts; Ctrl-C stops it
	@$(RUN) manage.py up $(if $(ONLY),--only $(ONLY))

lint: setup-dev ## ruff, mypy, import contracts, bandit
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports
	@$(BANDIT) 2>/dev/null || $(BANDIT)

check: setup-dev ## Django's own checks, for development and for production
	$(RUN) -m pytest -q tests/local/test_settings.py

test: browser lint ## Everything that must hold, as it runs in CI
	$(RUN) -m pytest -n 2 -q

bench: setup-dev ## Measure: all but the hour of soak, or make bench BENCH=engine
	@for bench in $(BENCH); do $(RUN) -m bench $$bench --json || failed=1; done; exit $${failed:-0}

compile: setup-dev ## Compile the engine with mypyc into build/engine; used only where COMPILED_ENGINE says so
	$(RUN) -m apps.matching.compiled build

clean-compiled: ## Remove the compiled engine
	$(RUN) -m apps.matching.compiled remove

test-compiled: compile ## The engine's tests and the whole simulator on the compiled engine
	COMPILED_ENGINE=build/engine $(RUN) -m pytest -n 2 -q tests/engine tests/simulation

sim: setup-dev ## The simulator: 1,000 seeds of 10,000 commands, and how many planted bugs it finds
	$(RUN) -m tests.simulation 0 10000 1000 --jobs 2 --score

coverage: setup-dev ## Branches of the engine and the wallets' rules that tests reach: at least 95 %, and the rest
	$(RUN) -m pytest -n 2 -q --cov=apps.engine --cov=apps.wallets.rules --cov-branch --cov-fail-under=95 \
		--cov-report=term-missing:skip-covered tests/engine tests/wallets tests/simulation/test_determinism.py \
		tests/simulation/test_state_machine.py tests/simulation/test_differential.py -k "not compiled"

crash: setup-dev ## Kill what runs, 200 times under load (CRASH=1000 for a release, SEED= to repeat)
	$(RUN) -m tests.crash.campaign $(or $(CRASH),200) $(SEED)

screenshots: browser ## Every page, dark and light, wide and narrow, into artifacts/screenshots; some into docs/images
	$(RUN) -m pytest -q tests/browser -k screenshots
	mkdir -p docs/images
	cd artifacts/screenshots && cp contact-sheet.png trade-dark-1440.png trade-light-1440.png \
		markets-dark-1440.png portfolio-light-1440.png order-sheet-dark-390.png ../../docs/images/

clean: ## Remove what can be made again; the data of `make up` only with DATA=1
	rm -rf build .coverage* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis artifacts
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
	$(if $(DATA),$(RUN) manage.py forget_data)
