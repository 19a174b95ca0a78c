# The two commands of the README are `make run` and `make test`. Both make their own environment first.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
TOTAL ?= 100000

.PHONY: run test lint types proto deploy bench clean

run: $(VENV)/installed
	$(BIN)/c1m-coord run --total $(TOTAL)

# Side by side, and then those that need the machine to themselves. Plain pytest runs all of them one after another.
# What fails is run once more, one after another, as CPython does (regrtest --rerun): they drive the real kernel to its limits,
# on a machine that is full of their neighbours. Whatever failed the first time is in the output, with why, and is to be mended.
AGAIN := --last-failed --last-failed-no-failures none --exitfirst
test: $(VENV)/installed-dev
	$(BIN)/pytest -n auto --dist worksteal -m "not alone" || $(BIN)/pytest $(AGAIN) -m "not alone"
	$(BIN)/pytest -m alone || $(BIN)/pytest $(AGAIN) -m alone

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-dev
	$(BIN)/mypy

# What was generated from proto/ is committed, and tests/test_proto.py proves it fresh.
proto: $(VENV)/installed-dev
	PATH=$(BIN):$$PATH $(BIN)/python -m grpc_tools.protoc -I proto \
	  --python_out=. --pyi_out=. --grpc_python_out=. --mypy_grpc_out=. proto/c1m/v1/*.proto

# What was made from the table of limits is committed too; tests/test_deploy.py proves it fresh.
deploy: $(VENV)/installed
	$(BIN)/c1m-coord tune --files deploy

bench: $(VENV)/installed-dev
	$(BIN)/python bench/run.py

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@ $(VENV)/installed

clean:
	rm -rf $(VENV) build dist *.egg-info
