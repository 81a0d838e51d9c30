# Health Buddy. `make help` lists what there is; every target sets up what it needs by itself.
SHELL := /bin/sh
.DEFAULT_GOAL := help
BIN := .venv/bin
ARGS ?=

.PHONY: help run test lint fmt bench soak setup lock clean

help: ## Show this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /|/' | awk -F'|' '{printf "  make %-8s %s\n", $$1, $$2}'

run: ## Start the server with demo data on http://127.0.0.1:8000/fhir (ARGS="--port 8080 …")
	@scripts/bootstrap
	@exec $(BIN)/healthbuddy serve $(ARGS)

test: setup ## Run all tests (ARGS="tests/unit -k date")
	@$(BIN)/healthbuddy definitions
	@$(BIN)/python -m pytest -q -n auto --dist loadfile $(ARGS)

lint: setup ## Check style, types (mypy --strict), import limits; scan for secrets and known vulnerabilities
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python scripts/scan.py

fmt: setup ## Format the code and fix what can be fixed
	@$(BIN)/ruff check --fix --exit-zero
	@$(BIN)/ruff format

bench: setup ## Measure speed (docs/performance.md says how to read it)
	@$(BIN)/python -m bench $(ARGS)

soak: setup ## Run under load for a long time and watch memory and errors
	@$(BIN)/python -m bench.soak $(ARGS)

setup: ## Install what developing needs into .venv
	@scripts/bootstrap dev

lock: setup ## Resolve pyproject.toml anew into requirements.lock
	@scripts/lock

clean: ## Remove environment, caches and build output (the data in .data stay)
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info
