# Everything a newcomer needs: `make demo`, then `make test`.
# Needs Rust and Python 3; OpenBao and the rest are installed into a cache outside the repository.

SHELL := /bin/bash
ARCH := $(shell uname -m)
TARGET := $(ARCH)-unknown-linux-gnu
CARGO ?= cargo
# One self-contained file that runs in an empty image: the C library is linked in.
# Relocations packed: of a static program that is placed at random there are 17,000, 400 KB that every start reads.
# Without the tables for unwinding and their index, 700 KB: a panic ends the process, and its message has the place
# but no backtrace.
STATIC := RUSTFLAGS='-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs,--no-eh-frame-hdr,-T,scripts/no-unwind-tables.ld'
# What a shell starts in the background ignores these signals, and so would the programs under test. Tests wait for
# servers more than they compute.
TESTS = env --default-signal=HUP,INT,QUIT RUST_TEST_THREADS=$(or $(THREADS),4) $(CARGO) test --no-fail-fast
BINARY := target/$(TARGET)/release/leasehold

.PHONY: help build release demo demo-kubernetes check test docs lint bench bench-webhook picture compare simulate fleet fuzz mutants oracle clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

build: ## a debug build, the quickest
	$(CARGO) build

release: ## the static binary that ships
	$(STATIC) $(CARGO) build --release --package leasehold --target $(TARGET)
# It is as new as its sources, also where only their tests have changed: the test of the image compares the times.
	@touch $(BINARY)
	@ls -l $(BINARY)

demo: release ## a real server, init, a sidecar and an application, in under a minute after the build
	scripts/demo $(BINARY)

demo-kubernetes: release ## a real API server, the webhook, an annotated Deployment whose pod runs, two minutes after the build; root
	$(STATIC) $(CARGO) build --release --package leasehold-kubernetes --target $(TARGET)
	scripts/demo-kubernetes $(BINARY) $(BINARY)-kubernetes

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

lint: ## formatting, clippy, links in the comments, and what may be a dependency
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --no-deps --document-private-items
	scripts/cargo-deny check --hide-inclusion-graph --allow no-license-field bans licenses sources

bench: release ## start, memory, processor and size beside `bao agent`; writes docs/BENCHMARKS.md and the README, 11 minutes
	$(STATIC) CARGO_BUILD_TARGET=$(TARGET) scripts/bench $(BINARY)
	BLESS=1 $(CARGO) test --quiet --test pure readme::

bench-webhook: ## start, latency, memory and processor time of the webhook's release, 2 minutes after the build
	scripts/bench-webhook

picture: release ## the dashboard's panels with a real sidecar's figures, 2 minutes; writes docs/dashboard.svg
	scripts/dashboard-picture $(BINARY) 100

compare: release ## a bad day beside `bao agent`: revoked, away, rotated; writes docs/COMPARISON.md, 10 minutes
	scripts/compare $(BINARY)

simulate: ## a million simulated worlds of faults against the pure core
	$(CARGO) run --profile worlds --example simulate -- --seeds 1000000

fleet: ## what 10,000 sidecars ask of a server in a day, with an outage and a restart of all; writes docs/SIMULATION.md
	$(CARGO) run --profile worlds --example simulate -- --fleet 10000 --svg docs/fleet.svg --page docs/SIMULATION.md

fuzz: ## every fuzz target for SECONDS=600 each; see scripts/fuzz
	scripts/fuzz $(or $(SECONDS),600)

mutants: ## switches one rule of the core off at a time: the simulation must notice
	scripts/mutants

oracle: ## record the template tables anew from Go and from bao agent
	tests/oracle/record.sh

clean: ## remove what was built (not the cache)
	$(CARGO) clean
