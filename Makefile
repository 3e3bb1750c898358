# The commands of every day. `make` alone lists them.
OUT ?= demo-out
ELEVEN := target/debug/eleven

.DEFAULT_GOAL := help
.PHONY: help setup build dist demo test test-long bench fmt clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## install what building needs and this machine lacks
	ci/setup.sh

build: setup ## the binary, in the profile that tests and demo share
	cargo build --locked --workspace --bins

dist: setup ## the binary to deploy, target/dist/eleven: a quarter of an hour on two cores
	cargo build --locked --profile dist -p eleven

demo: build ## governed calls, every refusal, outages, and a proof, in under a minute (OUT=demo-out)
	$(ELEVEN) demo --out $(OUT)

test: ## everything that guards main, stage by stage
	ci/test.sh

test-long: ## the same with many more cases and longer fuzzing
	ELEVEN_LONG=1 ci/test.sh

bench: setup ## the figures of the README, with this machine's name
	cargo bench --locked --workspace
	cargo run --locked --release -p eleven -- bench

fmt: ## format the workspace
	cargo fmt --all

clean: ## remove what was built
	cargo clean
	rm -rf .venv $(OUT)
