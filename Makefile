# Needs Python >= 3.11 with pip, and nothing else.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test test-matrix bench pins clean

demo: $(READY)
	$(BIN)/opendicke demo

test: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --numprocesses 2 --dist worksteal

# Some entries, some tests: make test-matrix ONLY=haswell,py312 ARGS=tests/test_husimi.py
test-matrix:
	@$(PYTHON) tests/matrix.py $(if $(ONLY),--only=$(ONLY)) -- $(ARGS)

bench: $(READY)
	$(BIN)/python -m benchmarks

# Pinned and hashed wheels only, then the project itself, built with the pinned backend.
$(READY): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("opendicke needs Python >= 3.11: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: --no-deps -r constraints.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	$(BIN)/python -m pip check
	@touch $@

# One set of pins for every platform. uv resolves them because it reads no pip settings: a mirror leaves no trace.
pins:
	tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT && \
	$(PYTHON) -m venv "$$tools" && \
	"$$tools/bin/python" -m pip install --quiet uv && \
	UV_CUSTOM_COMPILE_COMMAND="make pins" "$$tools/bin/uv" pip compile pyproject.toml --extra dev --extra dask --extra qutip \
		--universal --python-version 3.11 --fork-strategy fewest --no-build --no-config --upgrade \
		--generate-hashes --no-emit-index-url --no-emit-find-links --quiet --output-file constraints.txt

clean:
	rm -rf .venv .matrix .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
