# Needs only Python >= 3.11, git and make; everything else is installed into .venv from hashed locks.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup-stamp
OUT ?= out/demo
BENCH ?= out/bench/figures.json
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true
# Without compiled bytecode every process compiles us anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast test-slow lint bench bench-results notebooks bundle lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

setup: $(STAMP)  ## make .venv and install the locked versions

$(STAMP): requirements/lock.txt requirements/bootstrap.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "riskmodel needs Python >= 3.11, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/bootstrap.txt
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip sync --quiet --compile-bytecode --require-hashes requirements/lock.txt
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP)  ## run the main job on a simulated county into out/demo
	$(BIN)/riskmodel demo --out $(OUT)

test: $(STAMP)  ## all tests but the slow ones
	$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

# Cheap tests of most packages and all doctests; what trains, simulates at length or opens a browser is left to make test.
FAST := tests/i18n tests/io tests/data tests/evaluation tests/explanation tests/rules tests/scoring src \
  tests/test_layers.py tests/test_public_names.py tests/test_structure.py tests/test_targets.py
NOT_FAST := tests/data/test_fuzz.py tests/rules/test_engine.py tests/scoring/test_worklist.py

test-fast: $(STAMP)  ## an inner loop: under a minute on two quiet cores
	$(BIN)/python -m pytest -q -n 2 --dist loadfile $(FAST) $(addprefix --ignore ,$(NOT_FAST)) $(PYTEST_ARGS)

test-slow: $(STAMP)  ## the long simulations and scale runs
	$(BIN)/python -m pytest -m slow -x $(PYTEST_ARGS)

lint: $(STAMP)  ## ruff, formatting, types, structure, names
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python benchmarks/structure.py --check
	$(BIN)/python benchmarks/wording.py

bench: $(STAMP)  ## speed and memory as ratios to a reference in the same run
	@mkdir -p $(dir $(BENCH))
	$(BIN)/python benchmarks/run.py --growth --plot $(BENCH:.json=.svg) --json $(BENCH) $(BENCH_ARGS)

bench-results: $(STAMP)  ## run riskmodel bench whole, write its results into docs/bench.md and README.md (EPH=FILE TEEN=FILE)
	$(BIN)/python benchmarks/results.py $(if $(EPH),--eph $(EPH)) $(if $(TEEN),--teen-poverty $(TEEN)) $(RESULTS_ARGS)

notebooks: $(STAMP)  ## run the notebooks in place
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.record_timing=False notebooks/*.ipynb

bundle: $(STAMP)  ## the office's offline kit for Windows and Linux into out/kit (downloads wheels by the lock, then checks)
	$(BIN)/python kit/build.py $(BUNDLE_ARGS)

lock: $(STAMP)  ## resolve the versions anew
	cd requirements && echo 'uv>=0.9' | ../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --no-annotate - -o bootstrap.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --extra dev pyproject.toml -o requirements/lock.txt
	cd requirements && echo 'pyspark>=4.1,<5' | ../$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links --no-annotate - -o spark.txt

clean:  ## remove what was made (not .venv)
	rm -rf out dist build .pytest_cache .ruff_cache .mypy_cache .hypothesis
