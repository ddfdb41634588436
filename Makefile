# Mashang's commands. `make help` lists them; every target sets up .venv by itself.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STATE ?= .state
SYNC = VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv sync --frozen --active --quiet --compile-bytecode
ARGS ?=
# Without bytecode every process that a test starts compiles some hundred modules anew.
unexport PYTHONDONTWRITEBYTECODE

help: ## list the commands
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: $(VENV)/.ready ## make the environment in .venv (a second call takes a second)

$(VENV)/.ready: pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Mashang needs Python 3.11 or later; name it with: make setup PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(SYNC) 2>/dev/null || $(SYNC) --system-certs # the second where a network's own certificates are in the system's store
	@touch $@

run: setup ## bring up everything, take a payment on each wallet, and serve until Ctrl-C (ARGS="--port 9000")
	@$(BIN)/mashang dev --state $(STATE) $(ARGS)

test: setup ## every test that needs nothing but PyPI
	$(BIN)/pytest -m "not sdk and not browser and not long" -n 4 --dist loadfile --no-loadscope-reorder

.PHONY: test-long
test-long: setup ## the proofs that take their time: every fault of the stores under payments, a rough day, every play of the router
	$(BIN)/pytest -m long -n 2 --dist loadfile

test-fast: setup ## the quick tests (under a minute)
	$(BIN)/pytest -m "not slow and not sdk and not browser and not long" -n 4 --dist loadfile

.PHONY: test-sdk
test-sdk: setup ## drive the simulators with the channels' own SDKs (from PyPI; from npm too where it is there)
	@$(BIN)/python -m tests.sdk.install
	$(BIN)/pytest -m sdk -rs tests/sdk

.PHONY: test-browser
test-browser: setup ## the cashier page in Debian's chromium, at phone size
	@command -v chromium >/dev/null || { echo "make test-browser needs chromium: apt install chromium"; exit 1; }
	@$(SYNC) --group browser 2>/dev/null || $(SYNC) --group browser --system-certs
	$(BIN)/pytest -m browser tests/browser

soak: setup ## kill gateways, workers and Valkey at random under load for SOAK_MINUTES (10), then audit; SOAK_SEED replays one
	SOAK_MINUTES=$(or $(SOAK_MINUTES),10) $(BIN)/pytest -s tests/faults/test_discounts_killed.py tests/faults/test_discounts_without_postgresql.py tests/faults/test_random_kills.py

fuzz: setup ## everything that can happen to a sale, at random, for FUZZ_MINUTES (10)
	FUZZ_MINUTES=$(or $(FUZZ_MINUTES),10) $(BIN)/pytest -s tests/fuzz

check: setup ## linters, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: schema
schema: setup ## write gateway/database/schema.sql from the migrations
	$(BIN)/python -m gateway.database.dump_schema

.PHONY: docs
docs: setup ## write docs/api, docs/errors.md and docs/settings.md from the code
	$(BIN)/python -m gateway.reference

.PHONY: metrics-docs bench-metrics
metrics-docs: setup ## write the table of docs/metrics.md from the catalogue
	$(BIN)/python -m gateway.metrics.catalogue

bench-metrics: setup ## what metrics cost a payment, and a scrape of two gateways and a worker, in CPU
	$(BIN)/python -m loadtests.parts.metrics $(ARGS)

format: setup ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## yardstick, gateway and baseline side by side; ARGS="--quick" for a short run, "--compare FILE"
	$(BIN)/python -m loadtests.bench $(ARGS)

.PHONY: bench-latency bench-overload bench-curves bench-memory
bench-latency: setup ## what the gateway adds to the channel's time, at half load and for a lone payment (P4)
	$(BIN)/python -m loadtests.bench.latency $(ARGS)

bench-overload: setup ## one, two and three times the capacity offered, and the cost of a refusal (P8); ARGS="--kill"
	$(BIN)/python -m loadtests.bench.overload $(ARGS)

bench-curves: setup ## cost by campaigns, rules, merchants, payments stored, … (P5); ARGS="--only campaigns,rules --small"
	$(BIN)/python -m loadtests.bench.curves $(ARGS)

bench-memory: setup ## an hour of payments, and what each process holds meanwhile (P9); ARGS="--minutes 3" to see that it works
	$(BIN)/python -m loadtests.bench.memory $(ARGS)

.PHONY: simulate
simulate: setup ## play every routing scenario with 20 seeds, ours beside others; tables, JSON and pictures in results/routing
	@mkdir -p results/routing
	@for name in $(or $(SCENARIOS),$$($(BIN)/python -c 'from routing.simulation.scenario import ready_names; print(*ready_names())')); do \
		$(BIN)/mashang routing simulate $$name --seeds $(or $(SEEDS),20) --report results/routing/$$name.json --picture results/routing/$$name.svg || exit 1; \
	done

bench-profile: setup ## what each phase of a payment costs the gateway, in table, JSON and picture (py-spy, perf)
	$(BIN)/python -m loadtests.bench.profile $(ARGS)

bench-webhooks: setup ## how fast queued events reach a local receiver, with the audit of what arrived
	$(BIN)/python -m loadtests.parts.webhooks $(ARGS)

bench-pool: setup ## what a reservation from the budget pool costs Valkey and the gateway, and how long a rebuild takes
	$(BIN)/python -m loadtests.parts.pool $(ARGS)

bench-routing: setup ## what the choice of a route costs in CPU, by accounts and rules
	$(BIN)/python -m loadtests.parts.routing $(ARGS)

bench-promotions: setup ## what the price of a payment costs in CPU, by active campaigns
	$(BIN)/python -m loadtests.parts.promotions $(ARGS)

.PHONY: risk-report
risk-report: setup ## choose rules and train a model on the Fraud Detection Handbook's payments, DATA="FILE …", and report later days
	@test -n "$(DATA)" || { echo "make risk-report needs DATA=FILE: the handbook's simulated payments in CSV"; exit 1; }
	$(BIN)/python -m loadtests.parts.fraud_handbook $(DATA) $(ARGS)

bench-velocity: setup ## what counting a payment costs Valkey and the gateway, and the memory that entities take
	$(BIN)/python -m loadtests.parts.velocity $(ARGS)

bench-flash-sale: setup ## 1,000 coupons, 20,000 customers at the same second (秒杀), with the audit of who got one
	$(BIN)/python -m loadtests.parts.flash_sale $(ARGS)

.PHONY: bench-risk
bench-risk: setup ## what a risk decision costs in CPU by the number of rules, and all of it in a payment; ARGS="--quick"
	$(BIN)/python -m loadtests.parts.risk $(ARGS)

.PHONY: bench-risk-lists
bench-risk-lists: setup ## ten million entries on a list of the risk check: import, lookups, memory, the event loop's longest pause
	$(BIN)/python -m loadtests.parts.risk_lists $(ARGS)

.PHONY: bench-tracing
bench-tracing: setup ## what tracing costs a payment in CPU, rounds with it and without it in turn; ARGS="--share 0.01"
	$(BIN)/python -m loadtests.parts.tracing $(ARGS)

.PHONY: bench-signing
bench-signing: setup ## CPU of an RSA signature by how many wait, beside OpenSSL; ARGS="--stacks" for payments by each way
	$(BIN)/python -m loadtests.parts.signing $(ARGS)

.PHONY: bench-admission
bench-admission: setup ## what a refused request costs beside the no-op POST, and what admission costs a payment
	$(BIN)/python -m loadtests.parts.admission $(ARGS)

.PHONY: capacity
capacity: setup ## what 1,000 to 50,000 payments/s need (docs/capacity.md), from measured costs; ARGS="--measure" takes them anew
	$(BIN)/python -m loadtests.capacity $(ARGS)

.PHONY: dashboards monitoring-check monitoring-try
dashboards: setup ## write Grafana's dashboards and the operator's rules from their sources in k8s/monitoring
	@$(BIN)/python -m loadtests.monitoring.writing

monitoring-check: setup ## alerts, rules and dashboards: syntax and unit tests by promtool, names against the code's metrics
	@if command -v promtool >/dev/null; then \
		promtool check config k8s/monitoring/prometheus.yaml && promtool test rules k8s/monitoring/tests/*.yaml; \
	else \
		echo "left out, for want of promtool (apt install prometheus): the rules' syntax, and the unit tests of the alerts"; \
	fi
	$(BIN)/pytest -m "not long" -rs tests/unit/monitoring

monitoring-try: setup ## a stack under load, scraped by a Prometheus: every query of every dashboard asked and drawn (docs/monitoring.md)
	@command -v prometheus >/dev/null || { echo "make monitoring-try needs prometheus: apt install prometheus"; exit 1; }
	@$(BIN)/python -m loadtests.monitoring $(ARGS)

load: setup ## Locust against a stack of its own, or ARGS="--ready-file FILE", with report and audit; docs/load-tests.md
	@$(BIN)/python -m loadtests.load $(ARGS)

.PHONY: load-worker
load-worker: setup ## on another machine: Locust processes for a `make load` there, PLAN=FILE MASTER=HOST ARGS="--processes 4"
	@test -n "$(PLAN)" || { echo "make load-worker needs PLAN=FILE, as make load's --plan-file wrote it"; exit 1; }
	@MASHANG_LOAD_PLAN=$(PLAN) $(BIN)/locust --locustfile loadtests/locustfile.py --worker --master-host $(or $(MASTER),127.0.0.1) $(ARGS)

.PHONY: bench bench-profile bench-webhooks bench-pool bench-routing bench-promotions bench-velocity bench-flash-sale load

.PHONY: k8s-render k8s-check k8s-try
k8s-render: setup ## write k8s/rendered from the overlays (needs kubectl)
	@$(BIN)/python -m tests.support.kubernetes --write

k8s-check: setup ## render every overlay and example; hold it against Kubernetes' schemas (four versions) and our own checks
	@$(BIN)/python -m tests.support.kubernetes

k8s-try: setup ## play the rendered gateway pod in podman, pay through it, stop it with a payment under way (after make image)
	@$(BIN)/python -m tests.support.kubernetes.trial

.PHONY: image image-try image-tools sbom
image: ## build the image, with docker or else buildah; IMAGE, EXTRAS="tracing analysis", PYTHON_IMAGE, CA=FILE (docs/containers.md)
	@sh k8s/image/build.sh

image-try: export IMAGE := $(or $(IMAGE),mashang:$(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml))
image-try: setup ## try the image with podman: every command, a payment per wallet, a drain, the audit; size and start (root)
	@BUILDER=buildah sh k8s/image/build.sh
	@$(BIN)/python -m loadtests.container $(ARGS)

image-tools: setup ## lock what builds the image, with hashes, from k8s/image/tools.in
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade --no-header k8s/image/tools.in -o k8s/image/tools.txt

sbom: setup ## write the software bill of materials of what EXTRAS install (CycloneDX) to dist/mashang.cdx.json
	@mkdir -p dist
	@$(BIN)/uv export --quiet --frozen --no-dev --preview-features sbom-export --format cyclonedx1.5 $(foreach extra,$(or $(EXTRAS),tracing),--extra $(extra)) > dist/mashang.cdx.json
	@echo "dist/mashang.cdx.json"

.PHONY: upgrade-try
upgrade-try: setup ## upgrade from an older revision under load, and count what failed: FROM=f2e0977 ARGS="--back" (docs/upgrading.md)
	@$(BIN)/python -m loadtests.upgrade $(if $(FROM),--from $(FROM)) $(ARGS)

clean: ## remove the environment and the state of `make run`
	rm -rf $(VENV) .venv-sdk $(STATE)

.PHONY: help setup run test test-fast soak fuzz check format clean
