# Everything a newcomer needs: `make demo` and `make test`. The rest are parts of these two, and `make bench`.

SHELL   := /bin/bash
PYTHON  ?= python3
CARGO   ?= cargo
GO      ?= go
VENV    := $(CURDIR)/.venv
RELEASE := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/release
GOLIB   := go/internal/capi/lib/$(shell $(GO) env GOOS)_$(shell $(GO) env GOARCH)
APACHE  := $(PYTHON) core/tests/apache/server.py

.PHONY: build demo test check bench bench-apache core-lib wheel examples \
        test-rust test-go test-python test-examples test-apache conformance conformance-acl \
        check-rust check-go check-python format bless clean

## Usable in place: target/release/tminus, the C library where go/ and examples/c link it, .venv with the wheel.
build: core-lib wheel

core-lib:
	$(CARGO) build --release --locked -p tminus --features cli --bin tminus
	$(CARGO) build --release --locked -p tminus-ffi
	mkdir -p $(GOLIB)
	cmp -s $(RELEASE)/libtminus.a $(GOLIB)/libtminus.a || cp $(RELEASE)/libtminus.a $(GOLIB)/libtminus.a

## The wheel goes into a virtual environment that is made anew, so that nothing older can be tested by mistake.
wheel: $(VENV)/tools
	rm -f python/dist/*.whl
	PATH="$(VENV)/bin:$$PATH" $(VENV)/bin/maturin build --release --locked --quiet -m python/Cargo.toml --out python/dist
	$(VENV)/bin/pip install --quiet --force-reinstall --no-deps python/dist/*.whl

$(VENV)/tools: python/requirements-dev.txt
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/pip install --quiet -r python/requirements-dev.txt
	touch $@

examples:
	$(CARGO) build --release --locked -p tminus-examples
	$(MAKE) -C examples/c
	cd examples/go && $(GO) build -o bin/ ./...

## The main job: four languages schedule messages ahead and receive them.
demo: build examples
	$(VENV)/bin/python examples/demo.py

test: test-rust build examples test-go test-python test-examples test-apache

test-rust:
	$(CARGO) test --locked --workspace --exclude tminus-python --all-features

test-go: core-lib
	cd go && $(GO) test -count=1 -parallel 4 ./...

test-python: wheel
	$(VENV)/bin/pytest python/tests --ignore python/tests/test_scenarios.py
	$(VENV)/bin/pytest -n 4 python/tests/test_scenarios.py

test-examples: build examples
	$(VENV)/bin/pytest examples

## The same scenarios and the documents' programs against Apache RocketMQ 5.5.0, started and stopped here.
test-apache: build examples
	@if reason=$$($(APACHE) available); then $(APACHE) run -- $(MAKE) conformance && \
	  $(APACHE) run --acl -- $(MAKE) conformance-acl; \
	elif [ "$$CI" = true ]; then echo "$$reason"; exit 1; else echo "skipped, Apache RocketMQ: $$reason"; fi

conformance:
	$(CARGO) test --locked -p tminus --all-features --test scenarios apache
	$(CARGO) test --locked -p tminus --all-features --test broker conformance
	$(CARGO) test --locked -p tminus --all-features --test producer --test consumer grpc_apache
	cd go && $(GO) test -count=1 -parallel 2 -run ScenariosOnApache ./...
	$(VENV)/bin/pytest python/tests/test_scenarios.py -k apache
	$(VENV)/bin/pytest examples -k apache

conformance-acl:
	$(CARGO) test --locked -p tminus --all-features --test apache_acl
	$(CARGO) test --locked -p tminus --all-features --test producer grpc_apache

## Lints and drift.
check: check-rust check-go check-python

check-rust:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets --all-features -- -D warnings

check-go:
	@for module in go examples/go core/tests/interop/go-v2 core/tests/interop/go-v5 core/tests/interop/go-mqhttp; do \
	  unformatted=$$(gofmt -l $$module); [ -z "$$unformatted" ] || { echo "gofmt: $$unformatted"; exit 1; }; \
	  (cd $$module && $(GO) vet ./...) || exit 1; done

check-python: $(VENV)/tools
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy --config-file python/pyproject.toml python/tminus python/rocketmq python/mq_http_sdk

format:
	$(CARGO) fmt --all
	gofmt -w go examples/go core/tests/interop/go-v2 core/tests/interop/go-v5 core/tests/interop/go-mqhttp
	$(VENV)/bin/ruff format .

## Rewrites what is generated and committed: the C header, and the Rust of the .proto files.
bless:
	TMINUS_BLESS=1 $(CARGO) test --locked -p tminus --all-features --test proto
	TMINUS_BLESS=1 $(CARGO) test --locked -p tminus-ffi --test header

## Ours and rocketmq-client-go v2.1.2 in one interleaved run against the loopback broker, or the real server.
bench: build examples
	$(VENV)/bin/python core/benches/compare.py

bench-apache: build examples
	$(APACHE) run -- $(SHELL) -c '$(VENV)/bin/python core/benches/compare.py "$$TMINUS_TEST_APACHE"'

clean:
	rm -rf target .venv python/dist go/internal/capi/lib examples/c/bin examples/go/bin
