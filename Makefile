# SPDX-License-Identifier: GPL-3.0-or-later
# A checkout, Python 3.11 or newer, git and make are all that these targets need.
# pip fetches the rest into .venv, by whatever configuration it has.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
BUILD  := .build

# What the collection is made of: a change in any of it builds and installs it anew.
SOURCES := galaxy.yml README.md $(shell find changelogs docs meta playbooks plugins roles -type f -not -name '*.pyc')
INSTALLED := $(BUILD)/installed
MANIFEST  := $(INSTALLED)/ansible_collections/postmaster/exchange/MANIFEST.json

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONDONTWRITEBYTECODE := 1
# Ansible insists on an encoding of UTF-8.
export LC_ALL := C.UTF-8

# A checkout that may not be written to, such as one of another user, serves nevertheless.
WRITABLE := $(shell test -w . && echo yes)
ifneq ($(filter-out help,$(MAKECMDGOALS)),)
ifeq ($(WRITABLE)$(filter-out .venv,$(VENV))$(filter-out .build,$(BUILD)),)
$(error This checkout is read-only. Work in a copy of it, or name two other places: make $(firstword $(MAKECMDGOALS)) VENV=$(HOME)/exchange-venv BUILD=$(HOME)/exchange-build)
endif
endif

.DEFAULT_GOAL := help
.PHONY: help demo lab test test-full test-oldest test-newest test-faults peers fuzz gates release clean

help: ## Tell what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(BIN)/.test $(MANIFEST) ## Show the whole job on a lab of five Exchange hosts (about a minute)
	@$(BIN)/python tools/demo.py --collections $(INSTALLED)

lab: $(BIN)/.test $(MANIFEST) ## Keep that lab up, with an inventory and commands to try, until Ctrl-C
	@$(BIN)/python tools/demo.py --collections $(INSTALLED) --keep

# What is checked, and how, stands in noxfile.py and antsibull-nox.toml; here is what it runs in.
test: $(BIN)/.test ## Each behaviour once: units, the lab's own tests, modules and playbooks on the lab
	$(BIN)/nox -s tests -- $(PYTEST_ARGS)

test-full: $(BIN)/.dev $(BIN)/.kerberos $(BUILD)/others peers ## Also at length, against real programs, with interrupted runs, and all gates
	$(BIN)/nox -s full -- $(PYTEST_ARGS)
	NO_SKIPS=1 $(BIN)/nox -s peers -- $(PYTEST_ARGS)
	$(MAKE) --no-print-directory test-faults gates test-oldest test-newest

test-faults: $(BIN)/.test ## Interrupt runs of both kinds at every request (minutes)
	$(BIN)/nox -s faults -- $(PYTEST_ARGS)

peers: ## Install the real programs the lab is compared with (Debian, Ubuntu; as root)
	@tools/peers

fuzz: $(BIN)/.fuzz ## Look for inputs that break a reader: FUZZ_SECONDS=60 each, about two hours
	$(BIN)/nox -s fuzz -- $(PYTEST_ARGS)

# The ends of the supported range, each with Ansible's own runners, and playbooks on the lab.
ENDS := tests/e2e/test_playbooks.py tests/e2e/test_mx_pairs_info.py

test-oldest: $(BUILD)/oldest/bin/.test ## Sanity and units with the oldest ansible-core and libraries allowed, and playbooks
	$(<D)/nox -s sanity units
	$(<D)/nox -s integration -- $(PYTEST_ARGS) $(ENDS)

test-newest: $(BUILD)/newest/bin/.test ## The same with the newest ansible-core, on Python 3.13
	tools/python313 $(<D)/nox -s sanity units
	tools/python313 $(<D)/nox -s integration -- $(PYTEST_ARGS) $(ENDS)

gates: $(BIN)/.dev ## Everything that reads the code without running it
	$(BIN)/nox

# The virtual environments: a stamp tells that they hold what the requirements say.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(BIN)/.test: requirements.txt requirements-test.txt | $(BIN)/python
	$(BIN)/python -m pip install -qq -r requirements-test.txt
	@touch $@

$(BIN)/.dev: requirements-dev.txt $(BIN)/.test
	$(BIN)/python -m pip install -qq -r requirements-dev.txt
	@touch $@

# Built without optimisation, which takes a third of the time; so nothing of it may stay in pip's cache.
$(BIN)/.kerberos: requirements-kerberos.txt $(BIN)/.test | peers
	CFLAGS="-O0 -g0" $(BIN)/python -m pip install -qq --no-cache-dir -r requirements-kerberos.txt
	@touch $@

# What others made and tests use.
$(BUILD)/others: $(BIN)/.test tools/microsoft-ad tools/axe
	PATH="$(CURDIR)/$(BIN):$$PATH" tools/microsoft-ad $@
	PATH="$(CURDIR)/$(BIN):$$PATH" tools/axe $@
	@touch $@

$(BIN)/.fuzz: requirements-fuzz.txt $(BIN)/.test
	$(BIN)/python -m pip install -qq -r requirements-fuzz.txt
	@touch $@

$(BUILD)/oldest/bin/.test: requirements.txt requirements-test.txt tools/oldest.py | $(BIN)/python
	$(BIN)/python -m venv $(BUILD)/oldest
	$(BIN)/python tools/oldest.py requirements.txt > $(BUILD)/oldest/constraints.txt
	$(BUILD)/oldest/bin/python -m pip install -qq -r requirements-test.txt -c $(BUILD)/oldest/constraints.txt
	@touch $@

$(BUILD)/newest/bin/.test: requirements.txt requirements-test.txt tools/python313
	tools/python313 python3.13 -m venv --clear $(BUILD)/newest
	tools/python313 $(BUILD)/newest/bin/python -m pip install -qq -r requirements-test.txt
	@touch $@

# Built and installed as a user would get it.
$(MANIFEST): $(SOURCES) | $(BIN)/.test
	@rm -rf $(BUILD)/dist
	@$(BIN)/ansible-galaxy collection build --output-path $(BUILD)/dist >/dev/null
	@ANSIBLE_COLLECTIONS_PATH=$(INSTALLED) $(BIN)/ansible-galaxy collection install --offline --force -p $(INSTALLED) $(BUILD)/dist/*.tar.gz >/dev/null
	@touch $@

release: $(BIN)/.dev ## Write the version and the changelog of a release: VERSION=0.3.0
	$(BIN)/nox -s release -- $(VERSION)

clean: ## Remove what these targets made
	rm -rf $(VENV) $(BUILD)
