# Rollcall's tasks. `make run` and `make test` are all a newcomer needs: each sets up what is missing first.
SHELL := /bin/bash
ENV := source .ci/env &&

.DEFAULT_GOAL := help
.PHONY: help setup run test check fmt unit sim e2e bench bench-sessions bench-pages bench-scan bench-dashboard snapshots oracle audit test-faults test-faults-full fuzz clean

help: ## Show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: ## Install what is missing (besides audit the only task that uses the network)
	@.ci/setup

run: setup ## Start everything on this machine: http://localhost:3000, no account, no internet
	@$(ENV) export LEPTOS_SITE_ROOT="$$TARGET/site" && cargo leptos build --frontend-only && exec cargo run -- dev

test: setup ## Every check but the slow ones
	@.ci/test

check: setup ## Format, lints on both targets, types of the browser suite
	@.ci/test check

fmt: ## Format the code
	@$(ENV) cargo fmt --all

unit: setup ## Unit and integration tests only
	@.ci/test unit

sim: setup ## A hundred thousand simulated histories of the sync engine (minutes)
	@$(ENV) cargo test --locked --lib -- --ignored --nocapture c_3_a_hundred_thousand

e2e: setup ## Production build and browser tests only
	@.ci/test site e2e

# Built as it is shipped: without the stand-in.
bench: setup ## Measure webhooks into MongoDB beside the machine's own limits; options in BENCH_ARGS
	@$(ENV) cargo bench --locked --bench ingest --no-default-features --features ssr -- $(BENCH_ARGS)

bench-sessions: setup ## Measure how many sessions one core judges, beside Clerk's own library
	@$(ENV) cargo bench --locked --bench sessions --no-default-features --features ssr -- $(BENCH_ARGS)

bench-pages: setup ## Measure how fast pages are rendered, and what a first visit loads
	@$(ENV) export LEPTOS_SITE_ROOT="$$TARGET/site-release" && cargo leptos build --release --frontend-only --precompress && \
	  cargo bench --locked --bench pages --no-default-features --features ssr -- --site "$$LEPTOS_SITE_ROOT" $(BENCH_ARGS)

bench-scan: setup ## Measure a backfill and a proof beside MongoDB's own upserts; --people 20000,1000000 for the memory
	@$(ENV) cargo bench --locked --bench scan --no-default-features --features ssr -- $(BENCH_ARGS)

bench-dashboard: setup ## Measure the sync pages over few and over millions of events, and what open dashboards cost
	@$(ENV) cargo bench --locked --bench dashboard --no-default-features --features ssr -- $(BENCH_ARGS)

snapshots: setup ## Take what commands print today as what they are expected to print
	@$(ENV) INSTA_UPDATE=always cargo nextest run --locked -E 'test(/^cli::(outputs|tree)/)'

oracle: setup ## Ask Clerk's own library again what it says to the requests of tests/oracle
	@node tests/oracle/record.mjs

audit: ## Hold Cargo.lock and package-lock.json against known vulnerabilities (needs cargo-deny)
	@.ci/audit

test-faults: setup ## Kills, restarts, cut lines, wrong clocks: minutes
	@.ci/test faults

test-faults-full: setup ## The faults of very many people, with a hundred thousand of them: minutes
	@$(ENV) ROLLCALL_FAULT_PEOPLE=100000 cargo nextest run --locked --profile faults -E 'test(/^scan::/)'

fuzz: setup ## A million mutated webhooks: minutes
	@$(ENV) ROLLCALL_FUZZ_CASES=1000000 cargo test --locked --test it -- fuzz

clean: ## Remove what was built (the shared tools stay)
	@$(ENV) cargo clean && rm -rf test-results end2end/screenshots node_modules
