# Two commands do all the set-up: `make demo` to try Sightline, `make test` to check it. Both are quick the second time.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# The demo's own pictures and library, or PHOTOS=~/Pictures with the user's library and the default model.
DEMO_PHOTOS  := demo-photos
DEMO_LIBRARY := demo-library
PORT         ?= 8501

.DEFAULT_GOAL := help
.PHONY: help install install-test install-dev demo demo-index test test-fast test-nightly test-lowest coverage check audit image wheel docs attack soak \
  bench bench-scale bench-search bench-page bench-cold bench-cluster lock clean

help:  ## say what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

install: $(VENV)/.installed  ## make the environment in .venv

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Sightline needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Say: make PYTHON=python3.12 ..."; exit 2; }
	@echo "Making the environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.python pyproject.toml constraints.txt
	@echo "Installing Sightline and what it needs (about 6 GB with torch; some minutes the first time)"
	@$(PIP) --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	@echo "Installing what the tests need"
	@$(PIP) --editable '.[test]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed-test
	@echo "Installing what the checks need"
	@$(PIP) --editable '.[test,dev]'
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	@echo "Installing what makes the documentation site"
	@$(PIP) --editable '.[docs]'
	@touch $@

install-test: $(VENV)/.installed-test
	@$(BIN)/python tests/helpers/install_browser.py

install-dev: $(VENV)/.installed-dev

demo-index: install  ## draw the demo pictures and index them; with PHOTOS=FOLDER index that folder
ifdef PHOTOS
	@echo "Indexing $(PHOTOS)"
	@$(BIN)/python -m indexer "$(PHOTOS)"; code=$$?; [ $$code -le 1 ] || exit $$code
else
	@echo "Drawing the demo pictures in $(DEMO_PHOTOS)"
	@$(BIN)/python -m indexer.demo $(DEMO_PHOTOS)
	@echo "Indexing them into $(DEMO_LIBRARY)"
	@$(BIN)/python -m indexer $(DEMO_PHOTOS) --library $(DEMO_LIBRARY) --space demo
endif

demo: demo-index  ## the same, then open the search page on http://127.0.0.1:8501
	@echo "Opening the page on port $(PORT); the address below lets a browser in"
ifdef PHOTOS
	@$(BIN)/python -m search_ui --port $(PORT)
else
	@$(BIN)/python -m search_ui --port $(PORT) --library $(DEMO_LIBRARY)
endif

# Two at a time: much of the suite waits for browsers and for other processes. Each needs about 3 GB. Neighbours in a
# file mostly stay together, so that they share its fixtures; who is done first takes half of what the other has left.
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal

test: install-test  ## run the whole test suite
	@$(PYTEST) --hypothesis-profile=ci

test-fast: $(VENV)/.installed-test  ## the same without browsers and slow tests, and a quarter of the examples of property tests
	@$(PYTEST) -m "not browser and not slow" --hypothesis-profile=dev

test-nightly: install-test  ## every architecture, then the whole suite with ten times the examples of property tests
	@$(PYTEST) -m nightly
	@$(PYTEST) --hypothesis-profile=nightly --timeout=7200

# In an environment of its own. uv chooses the versions: pip can't. torchcodec is left out, since each of its versions is
# made for one of torch; what needs it is skipped.
LOWEST := .venv-lowest
$(LOWEST)/.installed: $(VENV)/.installed-dev pyproject.toml
	@echo "Making an environment in $(LOWEST) of the lowest versions that pyproject.toml names"
	@$(BIN)/python -m venv --clear $(LOWEST)
	@$(BIN)/uv pip compile --quiet --resolution lowest-direct --python $(LOWEST)/bin/python --extra test pyproject.toml \
	  --no-emit-package torchcodec --output-file $(LOWEST)/lowest.txt
	@$(BIN)/uv pip install --quiet --python $(LOWEST)/bin/python --requirement $(LOWEST)/lowest.txt
	@$(BIN)/uv pip install --quiet --python $(LOWEST)/bin/python --no-deps --editable .
	@touch $@

test-lowest: $(LOWEST)/.installed  ## the suite without a browser, on the lowest versions that pyproject.toml names
	@$(LOWEST)/bin/python -m pytest -n 2 --dist worksteal -m "not browser" --hypothesis-profile=dev

coverage: install-test  ## the whole suite, and say which lines it does not reach; takes a quarter longer
	@$(PYTEST) --hypothesis-profile=ci --cov --cov-report=term:skip-covered

check: install-dev  ## lint, spelling, types, risky calls, and which package may import which
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/codespell $$(git ls-files '*.py' '*.md' '*.js' '*.css' '*.toml' '*.yml' '*.yaml' Makefile)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tests/helpers/audit.py code

# Asks a database of vulnerabilities, over the network; where it can't be asked about every pin, this fails.
audit: install-dev  ## look up known vulnerabilities of every pin, and look for risky calls in the code
	@$(BIN)/python tests/helpers/audit.py pins
	@$(BIN)/python tests/helpers/audit.py code

# A minimal Debian stands in for the official image, and namespaces for the engine. Needs root, debootstrap and 12 GB.
image: install-test  ## build the container's recipe without an engine, and run both programs in it
	@$(BIN)/python tests/helpers/try_image.py

# FULL=1 installs the dependencies too (about 6 GB); without it those of this environment are read.
wheel: install-dev  ## build the wheel, the sdist and the bill of materials in dist/, and try the wheel
	@$(BIN)/python tests/helpers/try_wheel.py $(if $(FULL),--full)

docs: $(VENV)/.installed-docs  ## write the documentation site to site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Both write what they print to docs/reliability.md; nothing is written when a bound is broken.
RELIABILITY := $(BIN)/python benchmarks/tables.py --document docs/reliability.md
attack: install-test  ## try all attacks again that were tried on Sightline
	@$(RELIABILITY) attack -- $(BIN)/python benchmarks/attack.py

MINUTES ?= 30
soak: install-test  ## mixed work on one server for MINUTES=30: whether memory, handles and answers stay as they were
	@$(RELIABILITY) soak -- $(BIN)/python benchmarks/soak.py --minutes $(MINUTES)

# Each runs a script and writes what it prints between its markers in docs/benchmarks.md.
WRITE := $(BIN)/python benchmarks/tables.py

bench-photos:
	@echo "Drawing pictures to measure with in bench-photos (say PHOTOS=FOLDER for your own)"
	@$(BIN)/python -m indexer.demo bench-photos --count 120

# PHOTOS: pictures to index; drawn ones without it. CAMERA: a second set, of large ones. PEERS: where to install rclip.
BENCH_PHOTOS = $(or $(PHOTOS),bench-photos)
bench: install $(if $(PHOTOS),,bench-photos)  ## measure everything at small sizes; PHOTOS=, CAMERA=FOLDER, PEERS=FOLDER for rclip
	@$(WRITE) index -- $(BIN)/python benchmarks/index.py "$(BENCH_PHOTOS)" --rounds 3
	@$(WRITE) running -- $(BIN)/python benchmarks/running.py --files 10000 --rounds 5
	@$(WRITE) peers -- $(BIN)/python benchmarks/peers.py "$(BENCH_PHOTOS)" --rounds 2 $(if $(PEERS),--install "$(PEERS)")
ifdef CAMERA
	@$(WRITE) index-camera -- $(BIN)/python benchmarks/index.py "$(CAMERA)" --rounds 3
	@$(WRITE) peers-camera -- $(BIN)/python benchmarks/peers.py "$(CAMERA)" --rounds 2 --times 2 $(if $(PEERS),--install "$(PEERS)")
endif
	@$(WRITE) search -- $(BIN)/python benchmarks/search.py --sizes 10000,100000 --dims 512
	@$(WRITE) whole -- $(BIN)/python benchmarks/search.py --sizes 10000,100000 --dims 512 --repeat 21 --searcher
	@$(WRITE) together -- $(BIN)/python benchmarks/together.py
	@$(WRITE) catalog -- $(BIN)/python benchmarks/catalog.py --rows 100000
	@$(WRITE) writing -- $(BIN)/python benchmarks/writing.py
	@$(WRITE) growth -- $(BIN)/python benchmarks/growth.py --size 60000 --change 300 --rounds 3
	@$(WRITE) views -- $(BIN)/python benchmarks/views.py --rounds 1
	@$(WRITE) scale-100000 -- $(BIN)/python benchmarks/scale.py --sizes 100000 --rounds 2 --seconds 3 --record

# 10000000 needs 12 GB of disk for the vectors alone; SCRATCH=FOLDER keeps what was built.
SIZES ?= 1000000
bench-scale: install  ## measure searching at SIZES="1000000 10000000"; SCRATCH=FOLDER keeps vectors and indexes
	@for size in $(SIZES); do \
	  $(WRITE) scale-$$size -- $(BIN)/python benchmarks/scale.py --sizes $$size --record \
	    $(if $(SCRATCH),--scratch "$(SCRATCH)") || exit; done

bench-search: install  ## measure searching, maps and duplicates at large sizes, and how right the threshold is
	@$(BIN)/python benchmarks/relevance.py
	@$(WRITE) search-1000000 -- $(BIN)/python benchmarks/search.py --sizes 1000000
	@$(WRITE) whole-1000000 -- $(BIN)/python benchmarks/search.py --sizes 1000000 --dims 512 --repeat 21 --searcher
	@$(WRITE) growth-200000 -- $(BIN)/python benchmarks/growth.py
	@$(WRITE) catalog-1000000 -- $(BIN)/python benchmarks/catalog.py
	@$(WRITE) views-large -- $(BIN)/python benchmarks/views.py --sizes 50000,300000 --rounds 1

bench-page: install-test  ## measure the page in a browser: against Streamlit's own widgets, and 100,000 pictures by date
	@$(WRITE) page -- $(BIN)/python benchmarks/page.py
	@$(WRITE) timeline -- $(BIN)/python benchmarks/timeline.py

# BASE: a checkout of another commit, such as `git worktree add BASE COMMIT` makes. PEERS: where to install rclip.
bench-cold: install-test $(if $(PHOTOS),,bench-photos)  ## measure cold starts and the page against BASE=CHECKOUT; PHOTOS=, PEERS=FOLDER
	@$(WRITE) cold -- $(BIN)/python benchmarks/cold.py "$(BENCH_PHOTOS)" --base "$(BASE)" --leave page $(if $(PEERS),--rclip "$(PEERS)")
	@$(WRITE) tokens -- $(BIN)/python benchmarks/tokens.py
	@$(WRITE) cold-page -- $(BIN)/python benchmarks/cold.py "$(BENCH_PHOTOS)" --base "$(BASE)" --only page

bench-cluster: install-test  ## measure Qdrant's engine beside Sightline's own at SIZES, and encoding on Ray
	@for size in $(SIZES); do \
	  $(WRITE) cluster-vectors-$$size -- $(BIN)/python benchmarks/cluster.py vectors --sizes $$size --queries 100 --rounds 1 \
	    $(if $(SCRATCH),--scratch "$(SCRATCH)") || exit; done
	@$(WRITE) cluster-encode -- $(BIN)/python benchmarks/cluster.py encode

lock: install-dev $(VENV)/.installed-docs  ## write constraints.txt from what is installed
	@{ head -1 constraints.txt; $(BIN)/python -m pip freeze --exclude-editable | grep -E '^[A-Za-z0-9_.-]+==' | sort -f; } > constraints.new
	@mv constraints.new constraints.txt

clean:  ## remove the environment, the demo and caches
	rm -rf $(VENV) $(LOWEST) $(DEMO_PHOTOS) $(DEMO_LIBRARY) bench-photos site test-results build dist *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .grimp_cache .hypothesis .coverage
