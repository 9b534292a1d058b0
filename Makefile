# A fresh machine needs Python 3.11 or newer, pip and make: the first target run builds .venv.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
INITDB_15 := /usr/lib/postgresql/15/bin/initdb
CODE := $(wildcard src tests examples bench)

.PHONY: demo app test lint types docs bench clean

demo: $(INSTALLED)
	$(BIN)/tenantry demo

app: $(INSTALLED)
	cd examples/skills_catalog && exec ../../$(BIN)/python -m app

test: $(INSTALLED)
	TENANTRY_TEST_PG=18 $(BIN)/pytest -n 2
	@if [ -x $(INITDB_15) ]; then \
	    echo "TENANTRY_TEST_PG=15 $(BIN)/pytest -n 2"; \
	    TENANTRY_TEST_PG=15 $(BIN)/pytest -n 2; \
	else \
	    echo "!!! NOT TESTED ON POSTGRESQL 15: $(INITDB_15) is not there (Debian: apt-get install postgresql-15)"; \
	fi

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy $(CODE)

docs: $(INSTALLED)
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build

bench: $(INSTALLED)
	@set -e; for question in $(sort $(wildcard bench/[a-z]*.py)); do echo "== $$question"; $(BIN)/python $$question; done

clean:
	rm -rf build dist docs/_build .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@
