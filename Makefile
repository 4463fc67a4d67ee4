# Clientbase – `make help` lists what there is.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python -m
# A given server for the tests: make test DATABASE_URL=postgresql://…
DATABASE_URL ?=
FILE ?=
ONCE ?=
ONLY ?=
SCALE ?= 1
# Set when make runs inside make, as .ci/run does: the environment is there already.
UV := $(shell command -v uv 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help demo test check lint types contracts serve bench proofs advisories migrate openapi problems lock clean

help: ## show this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  \033[1m%-10s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Two environments in one folder: the demo installs what runs, the tests add what tests.
$(VENV)/.run: requirements.lock pyproject.toml
	@scripts/environment run

$(VENV)/.dev: requirements.lock requirements-dev.lock pyproject.toml
	@scripts/environment dev

demo: $(VENV)/.run ## a generated base, imported, segmented, checked, exported (FILE=orders.csv loads a real file, ONCE=1 ends after the report)
	@$(BIN)/clientbase demo $(if $(FILE),--file "$(FILE)") $(if $(ONCE),--once)

test: $(VENV)/.dev ## the whole test suite (DATABASE_URL=… runs it on a given server)
	@CLIENTBASE_TEST_DATABASE_URL="$(DATABASE_URL)" $(RUN) pytest -n 2 --dist loadgroup

check: $(VENV)/.dev lint types contracts test ## everything that CI runs

lint: $(VENV)/.dev ## format and lint
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

types: $(VENV)/.dev ## strict types
	@$(BIN)/mypy

contracts: $(VENV)/.dev ## who may import whom
	@$(BIN)/lint-imports

serve: $(VENV)/.run ## the API and the job worker on the embedded database
	@$(BIN)/clientbase serve

bench: $(VENV)/.dev ## side-by-side benchmarks (ONLY=http. SCALE=0.1)
	@$(RUN) benchmarks --only "$(ONLY)" --scale $(SCALE)

proofs: $(VENV)/.dev ## slow proofs: kill loops, a million rows, memory
	@CLIENTBASE_PROOFS=1 $(RUN) pytest tests/proofs -p no:randomly

advisories: ## compare the pinned versions with known advisories (needs a network)
	@scripts/advisories

migrate: $(VENV)/.run ## bring the database to this version
	@$(BIN)/clientbase migrate

openapi: $(VENV)/.run ## print the OpenAPI document
	@$(BIN)/clientbase openapi

problems: $(VENV)/.run ## write docs/problems.md
	@$(RUN) service.api.catalogue > docs/problems.md

lock: ## renew the locked requirements (needs uv)
	@uv pip compile --universal --generate-hashes --no-annotate --no-header --no-emit-index-url --python-version 3.11 --extra demo --extra setup -q -o requirements.lock pyproject.toml
	@uv pip compile --universal --generate-hashes --no-annotate --no-header --no-emit-index-url --python-version 3.11 --extra demo --extra setup --extra bench --extra dev -c requirements.lock -q -o requirements-dev.lock pyproject.toml

clean: ## remove the environment and the embedded database's test data
	@rm -rf $(VENV) .clientbase/test-pg18 .pytest_cache .mypy_cache .ruff_cache
