# The front door. `make demo` shows what launcher does, `make test` is everything that CI runs.
# Each target sets up what it needs in .venv: with uv where present, else with venv and pip.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
PYTHON ?= $(shell for p in python3.12 python3.13 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
UV := $(shell command -v uv 2>/dev/null)
INSTALL = $(if $(UV),$(UV) pip install --quiet --python $(BIN)/python,$(BIN)/python -m pip install --quiet)
LOCKED = -c requirements.lock
IS_ROOT_LINUX = $(and $(filter Linux,$(shell uname -s)),$(filter 0,$(shell id -u)))

# Programs that tests and benches run, by the Debian package that brings them.
TEST_PROGRAMS := git:git strace:strace faketime:faketime zsh:zsh fish:fish mkfs.xfs:xfsprogs mkfs.btrfs:btrfs-progs ps:procps sshd:openssh-server sudo:sudo \
	ssh:openssh-client debootstrap:debootstrap systemd-nspawn:systemd-container mkfs.ext4:e2fsprogs ip:iproute2 losetup:mount
# Data that tests read, by the file that tells of it and the Debian package that brings it.
TEST_DATA := /usr/share/datasets/fashion-mnist:dataset-fashion-mnist
BENCH_PROGRAMS := tsp:task-spooler rsync:rsync

COVERED := launcher/spec/*,launcher/plan/*,launcher/runner/*,launcher/errors.py

.PHONY: help demo test check bench faults gpu published setup fmt lint types layers unit clean lock stack test-programs bench-programs

help: ## show this
	@grep -hE '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

demo: .venv/.demo ## run three real Keras experiments and compare their variants (one to three minutes)
	$(BIN)/launcher submit jobs/pima-history.yaml jobs/sonar-dropout.yaml jobs/multi-output.yaml $(DEMO_SIZE)
	$(BIN)/launcher compare

DEMO_SIZE := --set repeats=3 --set folds=2 --set params.epochs=20 --slots 2

test: setup test-programs lint types layers unit ## everything that CI runs
check: test

bench: setup test-programs bench-programs ## measure, against the peers, and print the table
	$(BIN)/python -m tests.bench

faults: setup test-programs ## play every fault in every phase of a night on machines of the box (hours; root on Linux)
	$(if $(FAULT),,$(BIN)/python -m pytest tests/faults/test_mutations.py tests/faults/test_whole_night.py)
	$(BIN)/python -m tests.faults $(FAULT)

gpu: setup ## what only a GPU can show, on a computer that has one
	$(BIN)/python -m pytest tests/gpu/checks.py
	$(BIN)/python -m tests.bench gpu

published: setup ## rewrite the table of published against measured in jobs/README.md from finished batches
	$(BIN)/python -m tests.published $(HOMES)

setup: .venv/.dev ## install everything that tests need

fmt: setup ## format
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format --quiet .

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

layers: setup
	$(BIN)/lint-imports --no-cache

# A temporary root of its own: what other sessions left there, however deep, is none of this run's business.
# Without root some tests are skipped, so that the list of skips comes last and coverage says nothing.
unit: setup
	rm -f .coverage .coverage.*
	root=$$(mktemp -d) && trap 'rm -rf "$$root"' EXIT && \
	PYTEST_DEBUG_TEMPROOT="$$root" $(BIN)/python -m pytest --numprocesses 3 --dist worksteal --cov --cov-report= --durations=10
	$(if $(IS_ROOT_LINUX),$(BIN)/coverage report --fail-under=90)
	$(if $(IS_ROOT_LINUX),$(BIN)/coverage report --include='$(COVERED)' --fail-under=100)

lock: setup ## resolve the newest versions of everything into requirements.lock
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --upgrade --quiet \
		--no-header --no-annotate --no-emit-index-url --no-emit-find-links -o requirements.lock

stack: setup ## resolve the newest stack that rented machines install into ami/requirements.lock
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile ami/requirements.in --python-version 3.12 --python-platform x86_64-manylinux_2_28 \
		--upgrade --quiet --no-header --no-annotate --no-emit-index-url --no-emit-find-links -o ami/requirements.lock

clean: ## remove what was built and installed; batches stay
	rm -rf .venv dist build .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis

test-programs:
	@$(call need,$(TEST_PROGRAMS) $(TEST_DATA))

bench-programs:
	@$(call need,$(BENCH_PROGRAMS))

# Install missing programs and data where that needs no sudo; elsewhere their tests are skipped and say so.
need = missing=(); for pair in $(1); do command -v $${pair%%:*} >/dev/null || [ -e $${pair%%:*} ] || missing+=($${pair\#\#*:}); done; \
	if [ $${\#missing[@]} -gt 0 ] && [ -n "$(IS_ROOT_LINUX)" ]; then \
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $${missing[@]} >/dev/null; fi

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "launcher needs Python 3.11, 3.12 or 3.13."; exit 2; }
	@$(if $(IS_ROOT_LINUX),$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(if $(UV),true,\
	{ apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null; }),true)
	$(if $(UV),$(UV) venv --quiet --seed --python $(PYTHON) .venv,$(PYTHON) -m venv .venv)

.venv/.demo: pyproject.toml requirements.lock | .venv/bin/python
	$(INSTALL) $(LOCKED) -e '.[keras]'
	@touch $@

# PyTorch stands outside the lock: which build serves a computer is pip's to find out.
.venv/.dev: pyproject.toml requirements.lock | .venv/bin/python
	$(INSTALL) $(LOCKED) -e '.[keras,dev]'
	$(BIN)/python -m pip install --quiet 'torch==2.13.0'
	@touch $@ .venv/.demo
