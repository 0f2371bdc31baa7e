# The verbs of this project; `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help install neural run ui test test-slow test-peers ui-test check format lock bench clean
SHELL := /bin/bash

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PEERS := $(VENV)/peers
PEER_TESTS := $(addprefix tests/nightfold/,backtest/test_engine_peer.py tearsheet/measures/test_oracle.py models/pretrained/test_fracast.py)
PORT ?= 3000
# `make run SOURCE='folder:bars/binance_spot_*'` takes other bars, `make run CONFIG=configs/other` another deployment.
export NIGHTFOLD_SOURCE := $(or $(SOURCE),$(NIGHTFOLD_SOURCE))
export NIGHTFOLD_CONFIG := $(or $(CONFIG),$(NIGHTFOLD_CONFIG),configs)
ifeq ($(NIGHTFOLD_SOURCE),)
unexport NIGHTFOLD_SOURCE
endif
export PYTHONWARNINGS ?= ignore::UserWarning

help: ## list these verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-10s %s\n", $$1, $$2}'

install: $(VENV)/installed ## create .venv from the lock

$(VENV)/installed: requirements/lock.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "Python 3.11 is needed; name yours: make install PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/lock.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

neural: $(VENV)/neural ## add what the neural models need: torch and neuralforecast

$(VENV)/neural: $(VENV)/installed requirements/neural.txt
	$(BIN)/python -m pip install --quiet -r requirements/neural.txt
	@touch $@

run: install ## bars to tearsheet on the embedded simulated market
	@$(BIN)/nightfold run

ui: install ## Dagster's web UI, daemon and reports on PORT
	@exec $(BIN)/nightfold ui --port $(PORT)

test: install ## the test suite with branch coverage
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not slow and not ui" --cov --cov-report=term

test-slow: install ## long trials: kills, overlapping backfills
	$(BIN)/python -m pytest -m "slow" -s

test-peers: $(PEERS)/installed ## hold results against vectorbt, empyrical and fracast, in an environment of their own
	$(PEERS)/bin/python -c 'import empyrical, fracast, vectorbt'
	$(PEERS)/bin/python -m pytest $(PEER_TESTS)

$(PEERS)/installed: $(VENV)/installed $(VENV)/neural requirements/peers.txt
	$(BIN)/python -m venv --clear $(PEERS)
	echo "import site; site.addsitedir('$(CURDIR)/$(VENV)/lib/python3.11/site-packages')" > $(PEERS)/lib/python3.11/site-packages/project.pth
	$(PEERS)/bin/python -m pip install --quiet --no-deps -r requirements/peers.txt
	@touch $@

ui-test: install ## drive the UI in headless Chromium and keep screenshots
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium chromium-driver; }
	$(BIN)/python -m pytest -m ui -s

check: install ## format, lint, types, import contracts, definitions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy nightfold resources assets pipeline_defs
	$(BIN)/lint-imports --no-cache
	$(BIN)/dagster definitions validate -w workspace.yaml --log-level error
	$(BIN)/dg check defs

format: install ## put the code into shape
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

lock: ## solve the dependencies anew (needs uv)
	uv pip compile pyproject.toml --extra dev --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-strip-extras --output-file requirements/lock.txt
	@echo 'requirements/neural.txt: what uv pip compile --extra neural adds to this, without cuda, nvidia and triton'

bench: install ## measure, and write docs/benchmarks.md
	$(BIN)/python -m benchmarks

clean: ## remove what runs have made, and the environment
	rm -rf $(VENV) data dagster_home/[!d]* .pytest_cache .mypy_cache .ruff_cache .coverage*
