# Needs Python >= 3.11 with pip, and nothing else.
PYTHON ?= python3
SCRIPTS := $(if $(filter Windows_NT,$(OS)),Scripts,bin)
BIN := .venv/$(SCRIPTS)
READY := .venv/.ready
DOCS_BIN := .venv-docs/$(SCRIPTS)
DOCS_READY := .venv-docs/.ready
UV := pip compile pyproject.toml --universal --python-version 3.11 --fork-strategy fewest --no-build --no-config --upgrade \
	--generate-hashes --no-emit-index-url --no-emit-find-links --quiet

.PHONY: demo check test test-slow test-matrix bench bench-history docs dist test-dist pins clean

demo: $(READY)
	$(BIN)/opendicke demo

check: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check
	$(BIN)/pytest --numprocesses 2 --dist worksteal

# Every test, statistical ones with ten times the trajectories.
test-slow: $(READY)
	OPENDICKE_TEST_STATISTICS=10 $(BIN)/pytest --numprocesses 2 --dist worksteal -m "slow or not slow" $(ARGS)

# Some entries, some tests: make test-matrix ONLY=haswell,py312 ARGS=tests/test_husimi.py
test-matrix:
	@$(PYTHON) tests/matrix.py $(if $(ONLY),--only=$(ONLY)) -- $(ARGS)

bench: $(READY)
	$(BIN)/python -m benchmarks

# A few numbers, beside those of earlier days: make bench-history HISTORY=history.jsonl
HISTORY ?= history.jsonl
bench-history: $(READY)
	$(BIN)/python -m benchmarks.history $(HISTORY)

# Wheel and source archive, in dist/; with VERSION=1.2.3 refused unless it is that version.
dist: $(READY)
	rm -rf dist
	$(BIN)/python -m hatchling build
	$(if $(VERSION),test -f dist/opendicke-$(VERSION).tar.gz)

# What was built, checked and run in empty environments, one for each extra. Needs an index.
test-dist: dist
	$(BIN)/python tests/wheel.py dist

# The site: build/site/index.html. Its examples run, which takes minutes the first time (CONTRIBUTING.md).
docs: $(DOCS_READY)
	$(DOCS_BIN)/sphinx-build -W --keep-going --quiet --doctree-dir build/doctrees docs build/site

# Pinned and hashed wheels only, then the project itself, built with the pinned backend.
$(READY): constraints.txt
$(DOCS_READY): constraints-docs.txt
$(READY) $(DOCS_READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("opendicke needs Python >= 3.11: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/$(SCRIPTS)/python -m pip install --quiet --require-hashes --only-binary :all: --no-deps -r $(filter constraints%,$^)
	$(@D)/$(SCRIPTS)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	$(@D)/$(SCRIPTS)/python -m pip check
	@touch $@

# One set of pins for every platform. uv resolves them because it reads no pip settings: a mirror leaves no trace.
pins:
	tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT && \
	$(PYTHON) -m venv "$$tools" && \
	"$$tools/bin/python" -m pip install --quiet uv && \
	export UV_CUSTOM_COMPILE_COMMAND="make pins" && \
	"$$tools/bin/uv" $(UV) --extra dev --extra dask --extra qutip --output-file constraints.txt && \
	"$$tools/bin/uv" $(UV) --extra docs --constraints constraints.txt --output-file constraints-docs.txt

clean:
	rm -rf .venv .venv-docs .docs-cache build .matrix dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
