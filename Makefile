# make run | test | bench | lint, on a fresh machine with Python 3.11 or later and make.
# The first call makes .venv and installs into it; later calls install only when pyproject.toml changed.

CANDIDATES := python3.13 python3.12 python3.11 python3 python
RECENT := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for name in $(CANDIDATES); do $$name -c "$(RECENT)" 2>/dev/null && echo $$name && break; done)
CPU_INDEX := https://download.pytorch.org/whl/cpu
REACHABLE := import urllib.request; urllib.request.urlopen('$(CPU_INDEX)/torch/', timeout=10)
BIN := .venv/bin

.PHONY: run test bench lint
.DELETE_ON_ERROR:

run: .venv/installed-app
	@$(BIN)/streamlit run Home.py

test: .venv/installed-test
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

bench: .venv/installed-bench
	@command -v npm >/dev/null && npm ci --silent --prefix benchmarks/tfjs \
		|| echo "npm did not install TensorFlow.js: that peer is left out of the tables."
	$(BIN)/python -m benchmarks

lint: .venv/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

.venv/installed-app: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --editable .
	@touch $@

.venv/installed-%: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --editable ".[$*]"
	@touch $@ .venv/installed-app

# Without an NVIDIA card, PyTorch's own index has a build a tenth of the size; where that index cannot
# be reached, the installs above take the default build.
$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed: none of $(CANDIDATES) is."; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
		echo "$(PYTHON) cannot make a virtual environment; on Debian: apt install python3-venv."; exit 1; }
	@if test "$$(uname)" = Linux && ! command -v nvidia-smi >/dev/null && $@ -c "$(REACHABLE)" 2>/dev/null; \
		then $(BIN)/pip install --index-url $(CPU_INDEX) torch torchvision; fi
