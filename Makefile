# Everything happens in .venv; nothing outside this folder is written but pip's own cache.

VENV ?= .venv
# The first of these that is new enough. (make drops the output of a command that ends in "not found".)
PYTHON ?= $(firstword $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p; done; true))
TEST_JOBS ?= 2

BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
NEEDS := $(VENV)/pyvenv.cfg pyproject.toml constraints.txt
# One thread for each worker: two workers with two threads each would share two cores. Bytecode is
# kept whatever the user's environment says: pytest makes it of 300 files, and so does each start.
TEST_ENV := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=
# make test COVER=--cov prints at its end which branches of the package the quick tests reach.
COVER ?=
PYTEST := $(TEST_ENV) $(BIN)/python -m pytest -n $(TEST_JOBS) --dist worksteal -rsfE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo board-demo test check bench bench-check lint format docs wheel clean distclean

help:
	@echo 'make demo       set up .venv, train the digits network on an emulated Cortex-M4F, write a report'
	@echo 'make board-demo  train over the UART of an emulated board, cutting its power (needs QEMU)'
	@echo 'make test       set up what is missing, run every test'
	@echo 'make check      run the quick tests'
	@echo 'make bench      instructions, RAM and flash on each emulated core: docs/results/device.json'
	@echo 'make bench-check  fails where a count of the digits example grew by more than 3 %'
	@echo 'make lint       ruff, mypy, clang-format'
	@echo 'make docs       the documentation site, build/site'
	@echo 'make format     let ruff and clang-format rewrite the sources'
	@echo 'make wheel      build dist/*.whl'
	@echo 'make clean      remove what was built; make distclean: .venv as well'

demo: $(VENV)/.demo
	$(BIN)/tpsgd-edge report examples/digits.toml

board-demo: $(VENV)/.link
	$(BIN)/python tools/board_demo.py

test: $(VENV)/.test
	$(PYTEST) $(COVER)

check: $(VENV)/.test
	$(PYTEST) -m 'not slow'

bench: $(VENV)/.test
	$(BIN)/python tools/bench_device.py docs/results/device.json

bench-check: $(VENV)/.test
	$(BIN)/python tools/check_counts.py

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	find firmware -name '*.[ch]' -exec $(BIN)/clang-format --dry-run -Werror {} +

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	find firmware -name '*.[ch]' -exec $(BIN)/clang-format -i {} +

docs: $(VENV)/.docs
	PYTHONPATH=tools NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

wheel: $(VENV)/.demo
	rm -rf dist
	$(BIN)/python -m pip --disable-pip-version-check wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

clean:
	rm -rf build dist out digits-*.html .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find tpsgd_edge tests tools -name __pycache__ -type d -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV)

$(VENV)/pyvenv.cfg:
	@test -n '$(PYTHON)' || { echo 'error: no Python 3.11 or newer found' >&2; \
		echo '  help:  install one, or name it: make PYTHON=/path/to/python3.12' >&2; exit 3; }
	$(PYTHON) -m venv $(VENV)

# The build backend is installed under the constraints too, which build isolation would not heed.
$(VENV)/.demo: $(NEEDS)
	$(PIP_INSTALL) hatchling editables
	$(PIP_INSTALL) --no-build-isolation --editable '.[emulator]'
	@touch $@

$(VENV)/.link: $(VENV)/.demo
	$(PIP_INSTALL) --no-build-isolation --editable '.[emulator,link]'
	@touch $@

# torch comes with the exact version of constraints.txt; an open range would fetch gigabytes of CUDA.
# cobs is built from its sources, which brings what that needs only under build isolation.
$(VENV)/.test: $(VENV)/.demo | $(VENV)/.node
	$(PIP_INSTALL) cobs
	$(PIP_INSTALL) --no-build-isolation --editable '.[emulator,dev,ecosystems,fleet,link,notebook,onnx,search,sklearn,torch]'
	@touch $@

# Emulators of boards from npm. Where that is missing or fails, tests that need them skip.
$(VENV)/.node: $(VENV)/pyvenv.cfg tests/node/package.json tests/node/package-lock.json
	@mkdir -p $(VENV)/node && cp tests/node/*.json $(VENV)/node
	@if npm ci --prefix $(VENV)/node --no-audit --no-fund --ignore-scripts; then touch $@; \
		else echo 'no packages of npm: tests that run boards in node skip'; fi

$(VENV)/.docs: $(VENV)/.demo
	$(PIP_INSTALL) --no-build-isolation --editable '.[docs]'
	@touch $@
