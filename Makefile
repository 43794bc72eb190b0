# `make demo` and `make test` each do everything by themselves: a virtual environment, the install, then the job.
# `make held-out` takes the default model as it was before it learned from all documents out of the history, at the settings of
# today, which it chose: figures on annotated documents are of that one.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
HELD_OUT := runs/held-out
HELD_OUT_COMMIT := 7c0e03d

.PHONY: demo test lint docs audit held-out clean

demo: $(VENV)/installed
	$(BIN)/detector annotate seeds/why-asian-nato-finds-no-support.txt

test: $(VENV)/installed-test lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

docs: $(VENV)/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

audit: $(VENV)/installed-audit
	$(BIN)/python .ci/audit.py

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

held-out: $(HELD_OUT)/model.json

$(HELD_OUT)/model.json: detector/models/default/settings.json
	@git cat-file -e $(HELD_OUT_COMMIT) || { echo "the history is not here: git fetch --unshallow, then make held-out"; exit 1; }
	rm -rf $(HELD_OUT).part && mkdir -p $(HELD_OUT).part
	git archive --output=$(HELD_OUT).part/it.tar $(HELD_OUT_COMMIT) detector/models/default
	tar -x -m --strip-components=3 -C $(HELD_OUT).part -f $(HELD_OUT).part/it.tar && rm $(HELD_OUT).part/it.tar
	cp detector/models/default/settings.json $(HELD_OUT).part/settings.json
	rm -rf $(HELD_OUT) && mv $(HELD_OUT).part $(HELD_OUT)

$(VENV)/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; say make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

$(VENV)/installed-docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	touch $@

$(VENV)/installed-audit: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[audit]'
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
