# make run    everything on this machine, after installing what it needs (ARGS="--port 9000" for options of `up`)
# make test   the test suite on the embedded PostgreSQL; says at the end what it could not run
# make lint   ruff, pyright, import-linter
# make faults kill -9 and worse at random moments, of everything together and of each part, 20 rounds (FAULT_ROUNDS=n)
# make readme the README's commands, as printed
# make bench  the measurements of benchmarks/
# make topics the schemas of docs/topics, anew from the code

VENV ?= .venv
ARGS ?=
TESTS ?= tests
WORKERS ?= auto
FAULT_ROUNDS ?= 20

.PHONY: run test lint faults readme bench topics install install-dev

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

readme: install-dev
	$(VENV)/bin/python tests/readme/execute.py

bench: install-dev
	for script in append projection transport; do \
		echo "== benchmarks/$$script.py"; \
		PYTHONPATH=. $(VENV)/bin/python -m api.embedded_postgres $(VENV)/bin/python benchmarks/$$script.py "{url}" || exit 1; \
	done

topics: install-dev
	PYTHONPATH=. $(VENV)/bin/python tests/topics/generate.py

install: $(VENV)/installed.stamp

install-dev: $(VENV)/installed-dev.stamp

$(VENV)/installed.stamp: requirements.lock .ci/install
	@.ci/install $(VENV) requirements.lock
	@touch $@

# The development lock holds everything of the other one too.
$(VENV)/installed-dev.stamp: requirements-dev.lock .ci/install
	@.ci/install $(VENV) requirements-dev.lock
	@touch $@ $(VENV)/installed.stamp
