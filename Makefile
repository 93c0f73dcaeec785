# Two commands do everything: `make demo` and `make test`.

SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))
PYTHON ?= $(shell for python in python3.12 python3.11 python3; do \
	$$python -c '$(SUPPORTED)' 2>/dev/null && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check bench picture clean print-python

# The screen where there is a terminal, plain lines where there is none.
demo: $(READY)
	@if [ -t 0 ] && [ -t 1 ]; then $(BIN)/loom-bench sample_flows/orders.py --broker embedded; \
	else $(BIN)/loom-bench run sample_flows/orders.py --broker embedded --until-idle 2; fi

# Ends with the names of skipped tests and why, and pytest's closing line. Half of the time is
# waiting for brokers and processes, so two files run side by side. Hundreds of processes are
# started: each would compile the project anew where no byte code may be kept.
test: $(READY)
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

check: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	for name in throughput durability startup reload flood envelopes timetravel bisect; do \
		$(BIN)/python -m benchmarks.$$name || exit 1; done

# The pictures in docs, taken of the demo at work; TOURS="envelopes" takes only those.
picture: $(READY)
	$(BIN)/python -m tests.tui.docs_pictures docs $(TOURS)

clean:
	rm -rf $(VENV)

print-python:
	@echo $(PYTHON)

# pip learnt to read dependency groups in 25.1.
$(READY): pyproject.toml
	@test -n "$(PYTHON)" && $(PYTHON) -c '$(SUPPORTED)' || { echo "loom-bench needs Python 3.11 or \
	3.12: Bytewax 0.21.1, its engine, has no wheels for others. Install one, or name it: \
	make PYTHON=/path/to/python3.12" | tr -s ' \t' ' ' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable '.[trio,uvloop]' --group dev
	touch $(READY)
