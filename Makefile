# `make demo` and `make test` need Python 3.11 or later and make; they set up .venv by themselves.

SHELL := /bin/sh
PYTHON := .venv/bin/python
INSTALLED := .venv/.installed
UV ?= uv

.DEFAULT_GOAL := help
.PHONY: help install demo test bench formats formats-heavy lint lock

help:
	@echo 'make demo      run everything; make demo ARGS="--port 9000 --fresh" for its options'
	@echo 'make test      all tests, linting included; make test ARGS="tests/cases -x" for some'
	@echo 'make bench     measure claims per second beside bare SQL'
	@echo 'make formats   read each export format with the tool that it is for, in environments of their own'
	@echo 'make formats-heavy   the same, with the tools that bring PyTorch along'
	@echo 'make lint      ruff and the import contracts'
	@echo 'make install   set up .venv from requirements.lock'
	@echo 'make lock      make requirements.lock anew from pyproject.toml (needs uv)'

install: $(INSTALLED)

# The newest Python that really runs: a version manager's shim may be there and lead nowhere.
$(INSTALLED): requirements.lock
	@rm -f $@; \
	found=; for python in python3.13 python3.12 python3.11 python3; do \
		if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
			found=$$python; break; \
		fi; \
	done; \
	if [ -z "$$found" ]; then \
		echo 'Python 3.11 or later, with its venv module, is needed and none was found: install it, then run make again.' >&2; \
		exit 1; \
	fi; \
	if ! $(PYTHON) -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
		echo "Creating .venv with $$($$found --version) ..."; \
		$$found -m venv --clear .venv || exit 1; \
	fi; \
	echo 'Installing requirements.lock ...'; \
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock || exit 1; \
	touch $@

# exec: Ctrl-C and signals reach the supervisor itself.
demo: $(INSTALLED)
	@exec $(PYTHON) manage.py demo $(ARGS)

test: $(INSTALLED)
	@exec $(PYTHON) -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

bench: $(INSTALLED)
	@exec $(PYTHON) -m tests.bench $(ARGS)

formats: $(INSTALLED)
	@exec $(PYTHON) -m tests.formats $(ARGS)

formats-heavy: $(INSTALLED)
	@exec $(PYTHON) -m tests.formats --heavy $(ARGS)

lint: $(INSTALLED)
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/lint-imports

lock:
	$(UV) pip compile pyproject.toml --universal --python-version 3.11 --all-extras --generate-hashes \
		--no-emit-index-url --no-header --quiet --output-file requirements.lock
