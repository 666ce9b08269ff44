# make demo        train and test PEViT on shuffled Fashion-MNIST
# make test        tests of models, training and the project with OneDL's mm packages; STACK=openmmlab for those with
#                  OpenMMLab's that depend on the packages (without attacks and runs of several processes)
# make test-owner  tests of the owner's commands with the base install alone, and of the attacks with the extra `attacks`
# make audit       attacks on public photographs at many settings: what is recovered, as a table and reports
# make zoo-check   lint the model zoo, and let its weights name test images; ARGS=--no-data accepts rows without data
# make docs        the documentation site, in site/
# Each sets up what it needs by itself, in .venv-*. ARGS="-k grid" goes on to pytest.
STACK ?= onedl
VENV ?= .venv-$(STACK)
PY := $(VENV)/bin/python
PYTEST := -m pytest -n auto --dist worksteal
ifeq ($(wildcard requirements/$(STACK).txt),)
$(error STACK must be onedl or openmmlab, got $(STACK))
endif
ifeq ($(STACK),onedl)
TESTS := tests/mm tests/project hii_mm
else
TESTS := tests/mm --ignore=tests/mm/attacks --ignore=tests/mm/test_frontier.py -m "not dist"
endif

.PHONY: demo test test-owner lint zoo-check docs bench audit lock setup setup-all

.venv-%/.ready: setup.py requirements/%.txt tools/dev/setup_env.sh
	bash tools/dev/setup_env.sh $* .venv-$*

# without bytecode every process compiles torch and the mm packages again, half a minute each
unexport PYTHONDONTWRITEBYTECODE

# one thread a process: tiny models train many times slower with more on a busy machine
test test-owner: export OMP_NUM_THREADS ?= 1

setup: $(VENV)/.ready

setup-all: .venv-onedl/.ready .venv-openmmlab/.ready .venv-owner/.ready .venv-attacks/.ready .venv-docs/.ready

demo: $(VENV)/.ready
	$(PY) tools/dataset_converters/fashion_mnist.py
	$(PY) tools/demo.py

test: $(VENV)/.ready
	$(PY) $(PYTEST) $(TESTS) $(ARGS)

test-owner: .venv-owner/.ready .venv-attacks/.ready
	.venv-owner/bin/python $(PYTEST) tests/owner hii_mm/__init__.py hii_mm/encryption hii_mm/handover $(ARGS)
	.venv-attacks/bin/python $(PYTEST) tests/attacks hii_mm/attacks/__init__.py $(ARGS)

lint: $(VENV)/.ready
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

zoo-check: $(VENV)/.ready
	OMP_NUM_THREADS=1 $(PY) -W ignore tools/zoo.py check $(ARGS)

docs: .venv-docs/.ready
	.venv-docs/bin/python tools/docs/generate.py
	.venv-docs/bin/mkdocs build --strict

audit: $(VENV)/.ready
	$(PY) tools/audit.py

bench: $(VENV)/.ready $(VENV)/.bench
	$(PY) benchmarks/transforms.py
	$(PY) benchmarks/models.py
	$(PY) benchmarks/detectors.py
	$(PY) benchmarks/loading.py
	$(PY) benchmarks/batches.py
	$(PY) benchmarks/annotations.py
	$(PY) benchmarks/busy.py

$(VENV)/.bench: requirements/bench.txt $(VENV)/.ready
	bash tools/dev/setup_env.sh bench $(VENV)

lock:
	bash tools/dev/lock.sh
