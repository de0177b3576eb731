# Everything a person or CI calls. `make help` lists it. Each target brings what it needs and keeps what is there.
# The work is done by small scripts in tools/, so that each can be read, run and tested alone.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

venv := .venv
bin := $(venv)/bin
vendor := status/pages/static/vendor/leaflet.js
python_code := pantau ingest models alerts status simulators app tests tools

# Settings a person may give: make demo EVENT=2021-02-19 SPEED=2000
EVENT ?=
SPEED ?=
ARGS ?=

# Under -j too, one step after the other: two pips in one .venv would break it, and the tests want both cores.
.NOTPARALLEL:

.PHONY: help install demo test test-fast test-faults check format evaluate bench-ingest bench-models bench-pressure lock clean peers

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

install: $(venv)/.pantau $(vendor) ## .venv/bin/pantau and the browser libraries, for running it

demo: install ## a real flood, replayed: broker, alerts, public page (EVENT=… SPEED=…)
	$(bin)/pantau demo $(if $(EVENT),--event '$(EVENT)') $(if $(SPEED),--speed '$(SPEED)') $(ARGS)

test: check peers $(vendor) ## all checks and all tests, against real peers
	$(bin)/pytest $(ARGS)

test-fast: $(venv)/.dev $(venv)/.pantau ## the tests that need no broker, database or browser
	$(bin)/pytest -m 'not real' $(ARGS)

test-faults: $(venv)/.dev $(venv)/.pantau peers ## an hour of kills, full disks, sick peers (ARGS="--only disk"); docs/faults.md
	$(bin)/python -m tests.faults.campaign $(ARGS)

# One after the other, quickest first: the first complaint is the one to read.
check: $(venv)/.dev $(venv)/.pantau ## format, lint, types, import contracts
	$(bin)/ruff format --check $(python_code)
	$(bin)/ruff check $(python_code)
	$(bin)/lint-imports
	$(bin)/mypy

format: $(venv)/.dev ## rewrite the code in the project's format
	$(bin)/ruff check --fix-only --quiet $(python_code)
	$(bin)/ruff format $(python_code)

bench-ingest: $(venv)/.dev $(venv)/.pantau ## every figure of ingest beside Telegraf and Node-RED (ARGS="--only …")
	tools/apt-peers
	INFLUXD="$$(tools/influxd)" $(bin)/python tools/bench_ingest.py $(ARGS)

bench-models: $(venv)/.dev $(venv)/.pantau ## what a reading costs in the slow lane, and training (ARGS="--invented")
	$(bin)/python tools/bench_models.py $(ARGS)

bench-pressure: $(venv)/.dev $(venv)/.pantau ## InfluxDB killed under load for ten minutes (ARGS="--minutes 2")
	tools/apt-peers
	INFLUXD="$$(tools/influxd)" $(bin)/python tools/bench_ingest.py --only pressure $(ARGS)

evaluate: $(venv)/.dev $(venv)/.pantau ## every model on the recordings, docs/evaluation.md (ARGS="--only nab")
	$(bin)/python tools/evaluate.py $(ARGS)

lock: $(venv)/.dev ## resolve again: requirements/*.lock and package-lock.json (ARGS=--upgrade for the newest)
	tools/lock $(ARGS)
	tools/npm install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund

clean: ## remove what make has made here (not the peers' cache outside)
	rm -rf $(venv) node_modules status/pages/static/vendor tests/vendor .mypy_cache .ruff_cache .pytest_cache \
		.hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The real peers of the tests. Without CI=true what is missing is said here, and its tests are skipped with the reason.
peers:
	tools/apt-peers || [ "$${CI:-}" != true ]
	tools/influxd >/dev/null || [ "$${CI:-}" != true ]

# The environment: base is what runs in production, dev is base and the tools. One after the other, also under -j.
$(venv)/.base: requirements/base.lock
	tools/venv requirements/base.lock
	@touch $@

$(venv)/.dev: requirements/dev.lock $(venv)/.base
	tools/venv requirements/dev.lock
	@touch $@

# Editable, without a build environment or an index: hatchling is in the lock.
$(venv)/.pantau: pyproject.toml $(venv)/.base
	$(bin)/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(vendor): package.json package-lock.json tools/vendor_js $(venv)/.base
	tools/vendor_js
