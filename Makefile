# Two commands set up everything: `make demo` and `make test`. Both make and use .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q

SOURCES := Cargo.toml Cargo.lock pyproject.toml $(shell find src -name '*.rs')

.PHONY: help demo test test-rust test-python derived docs fuzz sanitize lint format bench instructions lock clean

help: ## Say what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

SHELL := bash

# The extension in release mode, and what the demo needs: packages are fetched while it is compiled.
define SETUP
set -euo pipefail
say() { printf '[%3d s] %s\n' $$SECONDS "$$1"; }
last() { tail -qn 1 "$$1" | tr -s ' ' | cut -c 1-70; }
[ -x $(BIN)/python ] || { say "making $(VENV) with $$($(PYTHON) --version)"; $(PYTHON) -m venv $(VENV); }
say "installing maturin, which compiles the extension"
$(PIP) install $$(grep ^maturin requirements-demo.txt)
say "compiling the extension (Rust) and installing Optuna, Keras, JAX and scikit-learn side by side: some two minutes"
$(BIN)/maturin develop --release --locked --skip-install > $(VENV)/compile.log 2>&1 & compile=$$!
trap 'kill $$compile 2> /dev/null || true' EXIT
{ $(BIN)/python -m pip --disable-pip-version-check install --no-compile --progress-bar off -r requirements-demo.txt && \
	echo "compiling what the demo imports" && KERAS_BACKEND=jax $(BIN)/python -c "$$WARM_UP"; \
} > $(VENV)/install.log 2>&1 & install=$$!
next=10
while kill -0 $$compile 2> /dev/null || kill -0 $$install 2> /dev/null; do
	sleep 0.5
	[ $$SECONDS -ge $$next ] || continue
	next=$$((SECONDS + 10))
	if kill -0 $$install 2> /dev/null; then say "packages: $$(last $(VENV)/install.log)"; fi
	if kill -0 $$compile 2> /dev/null; then say "extension: $$(last $(VENV)/compile.log)"; fi
done
wait $$install || { cat $(VENV)/install.log; exit 1; }
wait $$compile || { cat $(VENV)/compile.log; exit 1; }
say "installing archbudget itself"
$(BIN)/maturin develop --release --locked > $(VENV)/compile.log 2>&1 || { cat $(VENV)/compile.log; exit 1; }
$(BIN)/python -m compileall -q python
say "set up"
endef
export SETUP

# The first import of a module compiles it, and this happens while Rust is compiled.
define WARM_UP
import keras, numpy, optuna, sklearn.datasets, sklearn.model_selection, sqlalchemy, yaml, pydantic, typer, rich.progress
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
model.compile("adam", "mse")
model.fit(numpy.zeros((4, 4)), numpy.zeros((4, 2)), verbose=0)
model.predict(numpy.zeros((4, 4)), verbose=0)
endef
export WARM_UP

$(VENV)/.demo: requirements-demo.txt $(SOURCES)
	@bash -c "$$SETUP"
	@touch $@

# What tests, linters and the other targets need, too.
$(VENV)/.installed: $(VENV)/.demo requirements.txt
	@echo "installing what tests and linters need"
	@$(PIP) install -r requirements.txt
	@touch $@

DEMO ?= --trials 24

demo: $(VENV)/.demo ## Search for the best digit classifier of at most 5,000 parameters
	@echo "archbudget search --out out $(DEMO)"
	@$(BIN)/archbudget search --out out $(DEMO)

test: test-rust test-python ## Run every test

test-rust: ## Run the Rust tests, without Python
	cargo test --locked --quiet

test-python: $(VENV)/.installed ## Run the Python tests
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist worksteal

SCHEMA := python/archbudget/space.schema.json

derived: $(VENV)/.installed ## Write what follows from the layers: the schema of space files, tables in docs
	$(BIN)/archbudget schema > $(SCHEMA).new
	mv $(SCHEMA).new $(SCHEMA)
	$(BIN)/python tests/support/layer_table.py
	$(BIN)/python tests/support/module_table.py
	$(BIN)/python tests/support/reference_pages.py
	$(BIN)/python tests/support/layer_reference.py
	$(BIN)/python tests/support/diagram_figures.py

$(VENV)/.docs: $(VENV)/.installed requirements-docs.txt
	@echo "installing what builds the documentation"
	@$(PIP) install -r requirements-docs.txt
	@touch $@

docs: $(VENV)/.docs ## Build the site of the documentation in target/docs/site, and look for broken links in it
	PYTHONPATH=tests $(BIN)/python docs/site/build.py

# What cargo-fuzz would say, without a sanitizer: so it needs no nightly compiler, but a C++ one for libFuzzer.
COVERAGE := -Ccodegen-units=1 -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=3 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
	-Cllvm-args=-sanitizer-coverage-trace-compares
FUZZ_BUILD := cargo build --locked --quiet --release --manifest-path fuzz/Cargo.toml

fuzz: $(VENV)/.installed ## Draw random cases for 10 minutes; FUZZ="--seconds 60 --seed 7" for other ones
	$(FUZZ_BUILD) --bin random
	if command -v c++ > /dev/null; then RUSTFLAGS="$(COVERAGE)" $(FUZZ_BUILD) --features guided --bin guided \
		--target $$(rustc -vV | sed -n 's/host: //p') --target-dir fuzz/target/guided; fi
	PYTHONPATH=tests $(BIN)/python -m fuzzing $(FUZZ)

# Rust's own sanitizer, which asks for a nightly compiler or for this variable; it comes with the toolchain on Linux.
SANITIZE := RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address
HOST := $$(rustc -vV | sed -n 's/host: //p')

sanitize: ## Run the tests of the unsafe code under AddressSanitizer
	@if [ -e "$$(rustc --print target-libdir)/librustc-stable_rt.asan.a" ]; then \
		$(SANITIZE) cargo test --locked --quiet --target $(HOST) --target-dir target/sanitize --lib input && \
		$(SANITIZE) PROPTEST_CASES=100 cargo test --locked --quiet --target $(HOST) --target-dir target/sanitize \
			--test properties candidates_cost; \
	else echo "this toolchain has no AddressSanitizer; nothing was run"; fi

lint: $(VENV)/.installed ## Check format, lints and types of both languages
	cargo fmt --check
	cargo clippy --locked --all-targets --quiet -- -D warnings
	cargo clippy --locked --all-targets --features python --quiet -- -D warnings
	cargo fmt --check --manifest-path fuzz/Cargo.toml
	cargo clippy --locked --all-targets --all-features --quiet --manifest-path fuzz/Cargo.toml -- -D warnings
	$(BIN)/ruff format --check python tests benches docs .ci
	$(BIN)/ruff check python tests benches docs .ci
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest archbudget._core

format: $(VENV)/.installed ## Format both languages
	cargo fmt
	cargo fmt --manifest-path fuzz/Cargo.toml
	$(BIN)/ruff format python tests benches docs .ci
	$(BIN)/ruff check --fix python tests benches docs .ci

# NNI is no longer maintained, and asks for old versions of what is here: without its requirements it may work or not.
NNI := nni==3.0 astor json-tricks prettytable pytorch-lightning lightning-utilities PythonWebHDFS responses schema simplejson \
	torchmetrics typeguard==4.1.2 wcwidth websockets colorama nvidia-ml-py

bench: $(VENV)/.installed ## Write docs/benchmarks.md: throughput, sets, memory and threads, beside peers that it installs
	$(PIP) install -r requirements-bench.txt
	$(PIP) install --no-deps $(NNI) || echo "NNI cannot be installed here; the page says so"
	$(BIN)/python benches/page.py

instructions: ## Count the instructions of the kernels with valgrind; WRITE=--write keeps the new numbers
	$(PYTHON) benches/instructions.py $(WRITE)

lock: $(VENV)/.demo ## Pin the newest versions of everything that is installed here
	$(PIP) install uv
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.10 --no-annotate \
		--extra digits --extra pandas --group build --group test --group lint pyproject.toml \
		--custom-compile-command "make lock" -o requirements.txt
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.10 --no-annotate \
		--extra digits --group build -c requirements.txt pyproject.toml \
		--custom-compile-command "make lock" -o requirements-demo.txt
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.10 --no-annotate \
		--group bench -c requirements.txt --custom-compile-command "make lock" -o requirements-bench.txt
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --no-annotate \
		--group docs -c requirements.txt --custom-compile-command "make lock" -o requirements-docs.txt

clean: ## Remove what was built
	rm -rf target fuzz/target $(VENV) out
