# Two commands for everybody: make demo, make test. One for developers: make check.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
DEMO ?= demo

.PHONY: demo test check bench soak clean help

help:
	@echo "make demo   install, run the whole pipeline on simulated imagery, print the report's path"
	@echo "make test   install, run the tests"
	@echo "make check  format, lint, types, import rules, tests, doc tests"
	@echo "make soak   the fault suite in full: every kill point, every error, 100,000 broken files (hours)"
	@echo "make bench  speed and memory, as ratios against peers and the I/O floor"

$(READY): pyproject.toml constraints.txt .ci/venv.sh
	@sh .ci/venv.sh "$(PYTHON)" "$(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(READY)
	@$(BIN)/sitewatch demo --out $(DEMO)

test: $(READY)
	$(BIN)/python -m pytest -n auto --dist worksteal

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n auto --dist worksteal

bench: $(READY)
	$(BIN)/python -m tests.benchmarks.run

soak: $(READY)
	SITEWATCH_SOAK=1 SITEWATCH_SOAK_ROUNDS=20 $(BIN)/python -m pytest -s tests/faults tests/pipelines/test_review.py tests/pipelines/test_cron.py tests/pipelines/test_determinism.py tests/pipelines/detect

clean:
	rm -rf $(VENV) demo
