# `make demo` and `make test` need Python 3.10 or later and make; everything else they set up in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
CONSTRAINTS := tests/constraints.txt
# How many processes the tests are spread over.
WORKERS ?= 2
# --nothing-missing: what is skipped for want of a package or a program fails.
NEEDS ?=
# Where nothing is compiled for good, every command that a test starts compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test lint matrix catalogue soak bench dashboards screenshots picture stack clean

help: ## Says what there is to make
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /\1\t/' | expand -t 12

$(VENV)/.demo: pyproject.toml $(CONSTRAINTS)
	@echo "Setting up $(VENV) (once) ..."
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.10 or later is needed" if sys.version_info < (3, 10) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install -c $(CONSTRAINTS) -e '.[demo]'
	@touch $@

$(VENV)/.test: $(VENV)/.demo tests/requirements.txt
	@echo "Adding what the tests need (once) ..."
	@$(PIP) install -c $(CONSTRAINTS) -e '.[demo]' -r tests/requirements.txt
	@touch $@

demo: $(VENV)/.demo ## Shows an overload, an outage and a recovery, attempt by attempt
	@$(BIN)/anthropic-otel demo

lint: $(VENV)/.test ## Checks style, types and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@MYPYPATH=src:tests $(BIN)/mypy --explicit-package-bases tests benchmarks tools
	@$(BIN)/lint-imports
	@if $(BIN)/python -c 'import grafana_foundation_sdk' 2>/dev/null; then $(BIN)/python dashboards/generate.py --check; fi

test: lint ## Runs the linters and the tests, two at a time and in random order
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadgroup -m "not slow and not interpreter" $(NEEDS)

matrix: $(VENV)/.test ## Runs the suite on old and new versions of the SDK, of Python and of OpenTelemetry
	@$(BIN)/python tools/matrix.py

catalogue: $(VENV)/.test ## Has every fault of the catalogue meet every HTTP stack, in every situation
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadgroup tests/e2e/test_agreement.py tests/e2e/test_catalogue.py tests/e2e/test_unchanged.py

soak: $(VENV)/.test ## Runs the long reliability tests, and prints their figures
	@$(BIN)/python tests/reliability/report.py

bench: $(VENV)/.test ## Measures what the library costs, next to its bare floor and its peers
	@$(BIN)/python -m benchmarks

dashboards: $(VENV)/.test ## Generates dashboards, alert rules and Kubernetes resources anew
	@$(BIN)/python dashboards/generate.py

screenshots: $(VENV)/.test ## Draws every dashboard with data in it, outside Grafana; DIR=... says where to
	@$(BIN)/python -m tools.screenshots $(DIR)

picture: $(VENV)/.demo ## Draws the README's waterfall anew, for light and dark pages
	@$(BIN)/python tools/picture.py

stack: $(VENV)/.test ## Starts Collector, Jaeger, Prometheus and Alertmanager without Docker, with live data
	@$(BIN)/anthropic-otel stack up

clean: ## Removes what was set up here
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist build
