PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
FLOORS := .venv-floors
FLOORS_READY := $(FLOORS)/.ready
DOCS := .venv-docs
DOCS_READY := $(DOCS)/.ready

PYTEST := -m pytest -q -n auto --dist worksteal
unexport PYTHONDONTWRITEBYTECODE  # tests start many processes: none needs to compile it all

.PHONY: help install demo test check coverage floors lint types imports format docs reference dist corpora soak fuzz bench check-gpu check-browser clean
help: ## Show what there is to make
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 15

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --group dev
	@touch $@

install: $(READY) ## Make .venv with charrnn and its development tools

demo: $(READY) ## Train for a minute, sample, evaluate
	rm -rf runs/demo
	$(BIN)/charrnn train corpora/garden.txt --minutes 1 --out runs/demo
	$(BIN)/charrnn sample --model runs/demo --seed "CAPTAIN SORREL: " --length 300 --temperature 0.7 --random-seed 1
	@echo
	$(BIN)/charrnn eval --model runs/demo

test: $(READY) ## Run the tests
	$(BIN)/python $(PYTEST)

check: lint types imports coverage ## All that must hold before a commit

coverage: $(READY) ## Run the tests, and see that they run nearly every line and branch
	$(BIN)/coverage erase
	$(BIN)/coverage run $(PYTEST)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage json --quiet -o - | $(BIN)/python tests/coverage_floors.py

# NumPy 2.0 has no wheels beyond Python 3.12: give an older one there, make floors PYTHON=...
$(FLOORS_READY): pyproject.toml tests/floors.py
	rm -rf $(FLOORS)
	$(PYTHON) -m venv $(FLOORS)
	$(FLOORS)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	requirements="$$($(FLOORS)/bin/python tests/floors.py)" && \
	$(FLOORS)/bin/python -m pip install --quiet --disable-pip-version-check --editable . $$requirements
	@touch $@

# What depends on no version is left out: processes, crashes, other platforms, pages, what is learned,
# and what only puts together what is tested here: layers, optimizers, steps, checkpoints, commands.
# Of a test whose parameters are combined, each value of each parameter is in one case or more.
floors: $(FLOORS_READY) ## Run the tests with the lowest promised version of each dependency
	$(FLOORS)/bin/python tests/floors.py --check
	$(FLOORS)/bin/python $(PYTEST) -p no:cacheprovider -p tests.first_cases \
		--ignore tests/cuda $(foreach name,adapting adapting_runs api_scores cache \
			cli_process console_blocks context copied counting_runs counts crash devices directions \
			docs_runs drawn_items dynamic evaluation export_engine export_page fitting \
			gpu_bench gradients item_runs items labelled_runs locating losses members nouns \
			option_pairs own_text platforms rank_parts ranks recording reference report sample_rules saving \
			score_command score_lines score_process score_texts scoring skips small_texts \
			tag_layouts timetable tracing training whole_characters, \
			--ignore tests/test_$(name).py)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

imports: $(READY)
	$(BIN)/lint-imports --no-logo

format: $(READY) ## Bring the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(DOCS_READY): pyproject.toml
	rm -rf $(DOCS)
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check --group docs
	@touch $@

docs: $(DOCS_READY) ## Build the documentation as a site: build/site/index.html
	$(DOCS)/bin/sphinx-build --fail-on-warning --keep-going --quiet --fresh-env \
		-c docs/site -d build/doctrees . build/site
	@echo "the site is build/site/index.html"

reference: $(READY) ## Write docs/api.md from the docstrings and docs/cli.md from the help
	$(BIN)/python -m docs.scripts.reference

dist: $(READY) ## Build the wheel and the source archive: dist/
	rm -rf dist
	$(BIN)/hatchling build

corpora: $(READY) ## Write Python's own documentation to corpora/pydoc.txt
	$(BIN)/python -c "from pydoc_data.topics import topics; print('\n'.join(topics[t] for t in sorted(topics)))" > corpora/pydoc.txt
	@wc -c corpora/pydoc.txt

soak: $(READY) ## Kill training 300 times, train at every limit for half an hour, and on short texts
	$(BIN)/python -m tests.soak.crash --kills 200
	$(BIN)/python -m tests.soak.ranks --sums
	$(BIN)/python -m tests.soak.ranks --kills 100
	for minutes in 0.1 1; do $(BIN)/python -m tests.soak.small --only compare --minutes $$minutes; done
	$(BIN)/python -m tests.soak.small
	$(BIN)/python -m tests.soak.limits --minutes 30
	$(if $(TINYSHAKESPEARE),$(BIN)/python -m tests.soak.baselines $(TINYSHAKESPEARE))

fuzz: $(READY) ## Damage checkpoints in 20,000 ways, and learn from hostile labels
	$(BIN)/python -m tests.fuzz.checkpoints --mutations 20000
	$(BIN)/python -m tests.fuzz.labels --files 500

bench: $(READY) ## Compare the speed with PyTorch's: make bench TORCH_PYTHON=env/bin/python
	$(BIN)/python -m tests.bench.ratios --torch-python $(TORCH_PYTHON)
	$(BIN)/python -m tests.bench.gpu --optional

# CuPy must be in .venv: .venv/bin/python -m pip install -e '.[cuda12]', or '.[cuda13]'
check-gpu: $(READY) ## Run the tests that need an NVIDIA GPU
	@$(BIN)/python -c "import sys; from charrnn.cuda.device import usable; gpu = usable(); \
		sys.exit(f'check-gpu needs a GPU: {gpu}' if isinstance(gpu, str) else None)"
	$(BIN)/python -m pytest -q tests/gpu

# Chromium and its chromedriver must be on the PATH.
check-browser: $(READY) ## Run the tests that need a browser
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group browser
	$(BIN)/python -m pytest -q tests/browser

clean: ## Remove what was made here, but no run
	rm -rf $(VENV) $(FLOORS) $(DOCS) build dist .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis corpora/pydoc.txt
