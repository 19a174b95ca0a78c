# The two commands of the README are `make run` and `make test`. Both make their own environment first.

VENV := .venv
BIN := $(VENV)/bin
TOTAL ?= 100000

# The newest Python on the PATH that is 3.11 or later and has venv, unless PYTHON names one. Each is run, and not only looked
# for: pyenv has shims of versions that are not active, and Debian's python3 has no venv without python3-venv.
NAMES := python3.15 python3.14 python3.13 python3.12 python3.11 python3
VERSION := import sys, venv, ensurepip; assert sys.version_info >= (3, 11); print("%d.%d.%d" % sys.version_info[:3])
CHOOSE = python=$$(for name in $(or $(PYTHON),$(NAMES)); do \
	    version=$$($$name -c '$(VERSION)' 2>/dev/null) && echo "$$version $$(command -v $$name)"; \
	  done | sort -rV | head -n 1 | cut -d ' ' -f 2-); \
	  [ "$$python" ] || { echo 'c1m needs Python 3.11 or newer with venv, which none of these is: $(or $(PYTHON),$(NAMES));' \
	    'install one (Debian: apt install python3 python3-venv) or name one (make PYTHON=/path/to/python3)' >&2; exit 1; }

# $(call install,what pip is asked for,the same in words,how long it takes on two cores)
# The environment is complete when it has pip, which venv installs last.
define install
	@if [ -x $(BIN)/pip ]; then python=$(BIN)/python; else $(CHOOSE); fi; \
	  echo "installing $(2) into $(VENV) with $$($$python --version) ($$python): about $(3)"; \
	  [ -x $(BIN)/pip ] || "$$python" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '$(1)'
endef

.PHONY: run test test-unit acceptance lint types proto deploy readme bench python clean

run: $(VENV)/installed
	$(BIN)/c1m-coord run --total $(TOTAL)

# Three tiers. test-unit runs in process. test has whole runs of the programs, namespaces, and one case of every feature.
# acceptance has every case, all servers, the matrix of faults, a million connections, mutants and long fuzzing; it takes hours.
test-unit: $(VENV)/installed-dev
	$(BIN)/python tests/tier.py unit

test: $(VENV)/installed-dev
	$(BIN)/python tests/tier.py test

acceptance: $(VENV)/installed-dev
	$(BIN)/python tests/acceptance.py

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-dev
	$(BIN)/mypy
	$(BIN)/mypy fuzz/run.py

# What was generated from proto/ is committed, and tests/project/test_proto.py proves it fresh.
proto: $(VENV)/installed-dev
	PATH=$(BIN):$$PATH $(BIN)/python -m grpc_tools.protoc -I proto \
	  --python_out=. --pyi_out=. --grpc_python_out=. --mypy_grpc_out=. proto/c1m/v1/*.proto

# What was made from the table of limits is committed too; tests/project/test_deploy.py proves it fresh.
deploy: $(VENV)/installed
	$(BIN)/c1m-coord tune --files deploy

# So was the table of settings in README.md; tests/project/test_readme.py proves it fresh.
readme: $(VENV)/installed
	$(BIN)/python -m c1m.coordinator.spec.readme_table README.md

bench: $(VENV)/installed-dev
	$(BIN)/python bench/run.py

# Which Python an installation would take; installs nothing.
python:
	@$(CHOOSE); echo "$$python"

$(VENV)/installed: pyproject.toml
	$(call install,.,c1m with its dependencies,20 seconds)
	touch $@

$(VENV)/installed-dev: pyproject.toml
	$(call install,.[dev],c1m with its dependencies and development tools,45 seconds)
	touch $@ $(VENV)/installed

clean:
	rm -rf $(VENV) build dist *.egg-info
