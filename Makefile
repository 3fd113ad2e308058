# One command each does all the set-up and then the job.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo-faces

.PHONY: run demo test check faults format clean
run: $(VENV)/.app
	$(BIN)/python run_tui.py

demo: $(VENV)/.app
	$(BIN)/python -m benchmarks.demo $(DEMO)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadfile

# What must be survived, at length: kill -9, hostile servers and pictures, terminals that hang or shrink.
faults: $(VENV)/.dev
	$(BIN)/python -m benchmarks.resume
	$(BIN)/python -m benchmarks.classify --only servers,mutations,escape
	$(BIN)/python -m benchmarks.screen --only stall,sizes

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.app: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet -e .
	touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet -e ".[dev]"
	touch $@ $(VENV)/.app

clean:
	rm -rf $(VENV) $(DEMO) build *.egg-info
