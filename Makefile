# make demo   train and test PEViT on shuffled Fashion-MNIST
# make test   the tests, with OneDL's mm packages; STACK=openmmlab for OpenMMLab's last releases
# make audit  attacks on public photographs at four settings: what is recovered, as a table and reports
# Each sets up what it needs by itself, in .venv-$(STACK). ARGS="-k grid" goes on to pytest.
STACK ?= onedl
VENV ?= .venv-$(STACK)
PY := $(VENV)/bin/python
ifeq ($(wildcard requirements/$(STACK).txt),)
$(error STACK must be onedl or openmmlab, got $(STACK))
endif
READY := $(VENV)/.ready

.PHONY: demo test lint bench audit lock setup

$(READY): setup.py requirements/$(STACK).txt tools/dev/setup_env.sh
	bash tools/dev/setup_env.sh $(STACK) $(VENV)

setup: $(READY)

demo: $(READY)
	$(PY) tools/dataset_converters/fashion_mnist.py
	$(PY) tools/demo.py

test: $(READY)
	$(PY) -m pytest $(ARGS)

lint: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

audit: $(READY)
	$(PY) tools/audit.py

bench: $(READY) $(VENV)/.bench
	$(PY) benchmarks/transforms.py
	$(PY) benchmarks/models.py
	$(PY) benchmarks/detectors.py
	$(PY) benchmarks/loading.py

$(VENV)/.bench: requirements/bench.txt $(READY)
	bash tools/dev/setup_env.sh bench $(VENV)

lock:
	bash tools/dev/lock.sh
