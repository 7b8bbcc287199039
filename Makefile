# Everything is set up inside this folder, without root. `make help` lists what there is.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
TESTS ?= tests

.DEFAULT_GOAL := help
.PHONY: help setup demo test clients lint check bench bench-simulator pipelines quotas agreement soak docs format clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 17

setup:  ## install everything into this folder; does only what is not done yet
	@test -n "$(PYTHON)" || { echo "Python 3.11 is needed: install it, or name it with PYTHON=/path/to/python3.11" >&2; exit 4; }
	@$(PYTHON) deploy/bootstrap.py

demo: setup  ## the main job under a load of 1,500 orders/s, ending with a report
	@$(BIN)/floodmark demo

test: setup  ## every test (TESTS=tests/unit for some of them)
	@$(BIN)/python -m pytest $(TESTS)

clients: setup  ## install the Kinesis clients that the contract tests use beside boto3
	@$(BIN)/python tests/contract/install_clients.py

lint: setup  ## formatting, lint and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

check: format lint test  ## everything that must hold before a commit; formats first

bench: bench-simulator  ## the benchmarks, side by side; takes about twenty minutes
	@$(BIN)/python benchmarks/record_making.py
	@$(BIN)/python benchmarks/generator.py
	@$(BIN)/python benchmarks/durability.py
	@$(BIN)/python benchmarks/planted_latency.py
	@$(BIN)/python benchmarks/connector_settings.py

bench-simulator: setup  ## the Kinesis simulator beside others, which it installs; takes about eight minutes
	@$(BIN)/python benchmarks/simulator.py

pipelines: setup  ## every pipeline for a minute against its oracle, and what its job costs; takes about forty minutes
	@$(BIN)/python benchmarks/pipelines.py
	@$(BIN)/python benchmarks/job_throughput.py

docs: setup  ## draw the pictures of the documents that are drawn by program
	@$(BIN)/python docs/plot_profiles.py

quotas: setup  ## whether the simulator grants what its quotas say; takes about ten minutes
	@$(BIN)/python benchmarks/quota_truth.py

agreement: setup  ## ten million records through throttling and faults, ledger against stream; takes about five minutes
	@$(BIN)/python benchmarks/agreement.py --records 10000000 --shards 40

soak: setup  ## Flink through a split and a merge, nothing lost; ten minutes for each way of reading (MINUTES=1)
	@$(BIN)/python benchmarks/reshard_soak.py --minutes $(or $(MINUTES),10)

format: setup  ## put the code into its form
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix-only --quiet .

clean:  ## stop the embedded system, remove what set-up and the tests made; runs/ stays
	@-! test -x $(BIN)/floodmark || $(BIN)/floodmark down
	@rm -rf .venv .floodmark .pytest_cache .mypy_cache .ruff_cache .hypothesis floodmark.egg-info
