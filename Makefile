# make run    everything on this machine, after installing what it needs (ARGS="--port 9000" for options of `up`)
# make test   the test suite on the embedded PostgreSQL; says at the end what it could not run
# make lint   ruff, pyright, import-linter
# make faults kill -9 and worse at random moments, of everything together and of each part, 20 rounds (FAULT_ROUNDS=n)
# make year   a simulated year of 100 schedules: each occurrence exactly once (YEAR=n for other dice)
# make readme the README's commands, as printed
# make bench  the measurements of benchmarks/
# make topics the schemas of docs/topics, anew from the code
# make schema docs/openapi.json, anew from the code
# make client a Python client made from docs/openapi.json and used on a live server
# make fuzz   generated requests against a live server: FUZZ_CASES=n of them at least, from FUZZ_SEED on

VENV ?= .venv
ARGS ?=
TESTS ?= tests
# One more than there are processors, as every test waits now and then for another process.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
FAULT_ROUNDS ?= 20
YEAR ?= 1
FUZZ_CASES ?= 10000
FUZZ_SEED ?= $(shell date +%s)
FUZZ ?= --examples 50 --scenarios 60 --every-link
# Tools that meet the API as strangers do; their pins fight those of the development environment.
TOOLS ?= .venv-schema

.PHONY: run test lint faults year readme bench topics schema client fuzz install install-dev schema-tools

run: install
	@exec $(VENV)/bin/replay-vision up $(ARGS)

test: install-dev
	REPLAY_VISION_TEST_REPORT=1 $(VENV)/bin/python -m pytest -q -n $(WORKERS) --maxprocesses 8 --dist worksteal --ignore tests/faults $(TESTS)

lint: install-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/python -m pyright
	$(VENV)/bin/lint-imports

faults: install-dev
	REPLAY_VISION_FAULT_ROUNDS=$(FAULT_ROUNDS) $(VENV)/bin/python -m pytest -q -n 2 --dist loadfile --timeout 3600 tests/faults

year: install-dev
	REPLAY_VISION_YEAR=$(YEAR) $(VENV)/bin/python -m pytest -q --durations 1 tests/actions/test_year.py

readme: install-dev
	$(VENV)/bin/python tests/readme/execute.py

bench: install-dev
	for script in append projection transport accept digest selection large_recording scanning; do \
		echo "== benchmarks/$$script.py"; \
		PYTHONPATH=. $(VENV)/bin/python -m api.embedded_postgres $(VENV)/bin/python benchmarks/$$script.py "{url}" || exit 1; \
	done

topics: install-dev
	PYTHONPATH=. $(VENV)/bin/python tests/topics/generate.py

schema: install-dev
	PYTHONPATH=. $(VENV)/bin/python tests/schema/generate.py

client: install-dev schema-tools
	$(VENV)/bin/python tests/client/run.py $(TOOLS)/bin/python

fuzz: install-dev schema-tools
	$(VENV)/bin/python tests/fuzz/run.py $(TOOLS)/bin/python --cases $(FUZZ_CASES) --seed $(FUZZ_SEED) $(FUZZ)

install: $(VENV)/installed.stamp

install-dev: $(VENV)/installed-dev.stamp

$(VENV)/installed.stamp: requirements.lock .ci/install
	@.ci/install $(VENV) requirements.lock
	@touch $@

schema-tools: $(TOOLS)/installed.stamp

$(TOOLS)/installed.stamp: requirements-schema.lock .ci/install
	@.ci/install $(TOOLS) requirements-schema.lock
	@touch $@

# The development lock holds everything of the other one too.
$(VENV)/installed-dev.stamp: requirements-dev.lock .ci/install
	@.ci/install $(VENV) requirements-dev.lock
	@touch $@ $(VENV)/installed.stamp
