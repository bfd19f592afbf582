# Each target sets up all that it needs in .venv; only python3 (3.11 to 3.13, with venv and pip) and make must be there.
#   make lab          open the lectures in JupyterLab
#   make demo         grade an example class on ps4 and open the report      (make demo-all: every assignment)
#   make test         linters, types, every test, every notebook
#   make bench        every published figure, with a peer beside it
# TORCH=cpu in front of any of them installs torch's small build without GPU support.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TORCH ?=

# One thread a process: two test processes share two cores, and no result depends on how sums were split.
TEST_ENV := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 JUPYTER_PLATFORM_DIRS=1

.PHONY: setup lab demo demo-all test lint bench clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; ok = (3, 11) <= v[:2] <= (3, 13); \
	  sys.exit(None if ok else "This course needs Python 3.11, 3.12 or 3.13, and %s is Python %d.%d. Say make PYTHON=python3.12, for example." \
	  % (sys.executable, v[0], v[1]))'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "$(PYTHON) lacks the module venv. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python $(if $(TORCH),--torch-backend $(TORCH)) \
	  --constraint constraints.txt --editable '.[teach,cluster,postgresql,test,bench]'
	@touch $(READY)

lab: setup
	$(BIN)/course lab

demo: setup
	$(BIN)/course demo ps4-variational-autoencoders

demo-all: setup
	$(BIN)/course demo $(notdir $(wildcard solutions/ps*))

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy genlib coursekit

test: lint
	$(TEST_ENV) $(BIN)/python -m pytest --numprocesses 2 --dist loadfile \
	  --nbval --nbval-current-env --nbval-sanitize-with tests/nbval_sanitize.cfg tests lectures solutions

bench: setup
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis
