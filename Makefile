# make demo    a search engine for Python's own documentation, from nothing, in minutes
# make test    the tests, JOBS files at a time (2)
# make check   formatting, lint and types
# make bench   the comparisons in benchmarks/ (slow; see benchmarks/RESULTS.md)

PYTHON ?= python3
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test check bench clean

demo: $(INSTALLED)
	@$(BIN)/bertpipe run pipelines/quickstart.toml
	@printf '%s\n' \
		"split a string at every separator" \
		"remove and return the last item" \
		"wait until all threads have finished" \
		| $(BIN)/bertpipe search -p pipelines/quickstart.toml -k 3 -
	@printf '%s\n' "Try next:" \
		"  $(BIN)/bertpipe search \"read a file line by line\"" \
		"  $(BIN)/bertpipe init FOLDER     # your own text; then: $(BIN)/bertpipe run" \
		"  $(BIN)/bertpipe status          # what is fresh, and why the rest is not"

test: $(INSTALLED)
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

check: $(INSTALLED)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

bench: $(INSTALLED)
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	@$(BIN)/python benchmarks/lexical_engines.py --passages 100000 --folder runs/bench/lexical
	@$(BIN)/python benchmarks/ablation.py --folder runs/bench/ablation

$(INSTALLED): pyproject.toml constraints.txt
	@echo "installing into $(VENV) (once, a few minutes)"
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info[:2] <= (3, 13) else "bertpipe needs Python 3.11, 3.12 or 3.13; set PYTHON=python3.12, say")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) runs
