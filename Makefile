# Everything a newcomer needs: `make demo`, then `make test`.
# Needs Rust and Python 3; OpenBao and the rest are installed into a cache outside the repository.

SHELL := /bin/bash
ARCH := $(shell uname -m)
TARGET := $(ARCH)-unknown-linux-gnu
CARGO ?= cargo
# How the programs that ship are compiled, for what is measured beside them.
STATIC := RUSTFLAGS="$$(scripts/release flags)"
# What a shell starts in the background ignores these signals, and so would the programs under test. Tests wait for
# servers more than they compute.
TESTS = env --default-signal=HUP,INT,QUIT RUST_TEST_THREADS=$(or $(THREADS),4) $(CARGO) test --no-fail-fast
BINARY := $(or $(CARGO_TARGET_DIR),target)/$(TARGET)/release/leasehold

.PHONY: help build release release-clouds packages release-all demo demo-kubernetes check test docs lint bench bench-stores bench-webhook bench-sync picture site site-serve compare simulate simulate-long fleet fuzz mutants mutants-lines mutants-changed properties regressions coverage sanitizers reproducible evidence oracle clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

build: ## a debug build, the quickest
	$(CARGO) build

release: ## the static binary that ships
	@program=$$(scripts/release native leasehold) && ls -l "$$program"

packages: ## .deb, .rpm, tarballs, images, SBOMs and checksums for amd64 and arm64, in target/packages; see docs/guides/install.md
	packaging/all

release-all: ## packages of a clean clone, packed twice, checked and verified: what a release is; it publishes nothing
	packaging/release

release-clouds: ## the static binary that also asks the clouds' secret managers, leasehold-clouds
	@programs=$$(scripts/release native leasehold-clouds leasehold) && ls -l $$programs

demo: release ## a real server, init, a sidecar and an application, in under a minute after the build
	scripts/demo $(BINARY)

demo-kubernetes: ## a real API server, the webhook, an annotated Deployment whose pod runs, two minutes after the build; root
	programs=$$(scripts/release native leasehold leasehold-kubernetes) && scripts/demo-kubernetes $$programs

check: ## the inner loop, under a minute: format, clippy, doc links, and the tests that need no server and no root
	$(CARGO) fmt --check
	$(CARGO) clippy --quiet --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --quiet --no-deps --document-private-items
	$(CARGO) test --quiet --doc --package leasehold-base --package leasehold-core --package leasehold-template
	WORLDS=100 $(CARGO) test --quiet --lib --test pure --test simulated --test worlds

test: ## every test, on real servers: OpenBao, systemd, pods, a Kubernetes API server; T=name for those of a name
ifdef T
	$(TESTS) $(T)
else
	scripts/openbao >/dev/null
	rm -rf target/faults
	$(TESTS)
	$(CARGO) run --quiet --example faults
endif

docs: ## docs/reference, man pages, completions, the README's tables, and docs/FAULTS.md of the last `make test`
	BLESS=1 $(CARGO) test --quiet --test pure -- reference:: readme::
	BLESS=1 $(CARGO) run --quiet --example faults

lint: ## formatting, clippy, links in the comments, the workflows, and what may be a dependency
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
# As it ships: the tests have every feature.
	$(CARGO) clippy --package leasehold --package leasehold-stores -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --no-deps --document-private-items
# The fuzz targets are no members of the workspace: this fails where their lock file is behind.
	$(CARGO) fetch --quiet --locked --manifest-path fuzz/Cargo.toml
	scripts/workflows
	scripts/cargo-deny check --hide-inclusion-graph --allow no-license-field bans licenses sources

bench: release ## start, memory, processor and size beside `bao agent`; writes docs/BENCHMARKS.md and the README, 11 minutes
	$(STATIC) CARGO_BUILD_TARGET=$(TARGET) scripts/bench $(BINARY)
	BLESS=1 $(CARGO) test --quiet --test pure readme::

bench-stores: release-clouds ## what a thousand secrets of each store cost: time, requests and memory, 4 minutes after the build
	agent=$$(scripts/aws-agent) && AWS_AGENT=$$agent scripts/bench stores $(BINARY)-clouds

bench-webhook: ## start, latency, memory and processor time of the webhook's release, 2 minutes after the build
	scripts/bench-webhook

bench-sync: ## what sync costs as definitions grow to 5,000: time, memory, requests and writes, 15 minutes after the build
	scripts/bench-sync

picture: release ## the dashboard's panels with a real sidecar's figures, 2 minutes; writes docs/dashboard.svg
	scripts/dashboard-picture $(BINARY) 100

site: ## the documents as a book and the playground for the browser, into target/site/public; minutes the first time
	scripts/site

site-serve: ## the same, shown at http://127.0.0.1:8088, with the playground at /playground/
	site=$$(scripts/site) && python3 -m http.server 8088 --bind 127.0.0.1 --directory "$$site"

compare: release ## a bad day beside `bao agent`: revoked, away, rotated; writes docs/COMPARISON.md, 10 minutes
	scripts/compare $(BINARY)

simulate: ## a million simulated worlds of faults against the pure core
	scripts/simulate worlds

simulate-long: ## one sidecar over DAYS=400 days, with restarts and outages in every week: does anything grow?
	scripts/simulate days $(DAYS)

fleet: ## what 10,000 sidecars ask of a server in a day, with an outage and a restart of all; writes docs/SIMULATION.md
	$(CARGO) run --profile worlds --example simulate -- --fleet 10000 --svg docs/fleet.svg --page docs/SIMULATION.md

fuzz: ## every fuzz target for SECONDS=600 each; see scripts/fuzz
	scripts/fuzz $(or $(SECONDS),600)

mutants: ## switches one rule of the core off at a time: the simulation must notice
	scripts/mutants

mutants-lines: ## changes lines of the core and the templates (cargo-mutants), which would no test notice? Days; SHARD=0/200 for a part
	scripts/mutants-lines $(or $(SHARD),all)

mutants-changed: ## the same for the lines that differ from BASE=main
	scripts/mutants-lines changed $(or $(BASE),main)

properties: ## what must hold for every small TTL, draw, pause, day, width: tried exhaustively, in half a minute after the build
	scripts/properties

regressions: ## puts known faults of peers and ours back, one by one: each must be found; FAULTS=Infisical for some
	scripts/regressions $(if $(FAULTS),'$(FAULTS)')

coverage: ## which lines the tests run (Debian's llvm-22), 25 minutes; VARIANT=short for core, template and base alone
	scripts/coverage $(or $(VARIANT),whole)

sanitizers: ## tests with the address and thread sanitizers, where the compiler has their runtimes; ONLY=address, thread or short
	scripts/sanitizers $(ONLY)

reproducible: ## two builds in two folders, with another umask, time zone and locale: equal bit by bit? WHAT=all for a release
	scripts/reproducible $(or $(WHAT),agent)

evidence: ## runs the short variants (an hour or more the first time) and writes docs/EVIDENCE.md from what all runs left
	scripts/evidence short

oracle: ## record the template tables anew from Go and from bao agent
	tests/oracle/record.sh

clean: ## remove what was built (not the cache)
	$(CARGO) clean
