# A short front for CMake. Every target installs what it needs (Debian, as root) and
# then calls CMake; nothing here builds by itself.

BUILD ?= build
JOBS ?= $(shell nproc)
SECONDS ?=
CAPTURE ?=
TESTS ?= .
MINUTES ?= 30
FUZZER ?=

.PHONY: help build run demo test test-long test-sanitized test-big-endian fuzz soak deps clean format format-check

help:
	@echo 'sudo make run [SECONDS=20]   build, measure the interfaces that are up, show what flows'
	@echo 'sudo make demo [CAPTURE=FILE]   what happens when a worker is killed, an interface deleted ...'
	@echo 'sudo make test [TESTS=regex] build and run the whole test suite'
	@echo 'make build                   build into $(BUILD)/bin'
	@echo 'sudo make test-long          tests that break something, hundreds of times'
	@echo 'sudo make test-sanitized     the suite under address, undefined and thread sanitizers'
	@echo 'sudo make test-big-endian    decoder and records on s390x under qemu'
	@echo 'make fuzz [MINUTES=30] [FUZZER=name]   every fuzzer, or one, for so long'
	@echo 'sudo make soak [MINUTES=30]  traffic, rotations and kills; no packet lost without a name'
	@echo 'make format-check            fail when a file is not formatted'

deps:
	@packaging/install-dependencies build

build: deps
	@cmake -S . -B $(BUILD) -G Ninja -DWEIR_WERROR=$(or $(WERROR),OFF) \
		-DWEIR_SANITIZE=$(SANITIZE) >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@mkdir -p $(BUILD) && mv $(BUILD).log $(BUILD)/cmake.log
	@cmake --build $(BUILD) -j $(JOBS)

run: build
	@packaging/run-here $(BUILD) $(SECONDS)

demo: build
	@packaging/install-dependencies test
	@packaging/demo $(BUILD) $(CAPTURE)

# nng 1.5.2 may hang when a socket is closed while a message arrives (its issues 1543 and
# 1813); the daemon avoids that, but tests that end processes at any moment can meet it.
# So what ran out of time, and only that, gets a second try.
test: WERROR = ON
test:
	@packaging/install-dependencies build test
	@$(MAKE) --no-print-directory build WERROR=ON
	@$(MAKE) --no-print-directory format-check
	@ctest --test-dir $(BUILD) --output-on-failure --repeat after-timeout:2 -R '$(TESTS)'

# What `make test` does a few times: 1000 ends of the daemon, each with its last rotation in
# the store, 300 kills of a worker under traffic, 10,000 sockets that are closed with a receive
# pending, and everything that hostile workers and clients do, for longer.
test-long:
	@packaging/install-dependencies build test
	@$(MAKE) --no-print-directory build WERROR=ON
	@cd tests/system && export WEIR_BIN=$(abspath $(BUILD))/bin WEIR_RUNS=1000 WEIR_KILLS=300 && \
		/usr/bin/python3 rotation_test.py \
			Rotation.test_the_last_rotation_at_sigterm_is_in_the_store && \
		/usr/bin/python3 faults_worker_test.py
	@WEIR_TEST_LONG=1 $(BUILD)/tests/supervisor_child_close_test
	@cd tests/system && export WEIR_BIN=$(abspath $(BUILD))/bin WEIR_TEST_LONG=1 && \
		/usr/bin/python3 hostile_worker_test.py && \
		/usr/bin/python3 hostile_control_test.py && \
		/usr/bin/python3 hostile_flood_test.py

# Longer: everything again under the address, undefined and thread sanitizers.
test-sanitized:
	@$(MAKE) --no-print-directory test BUILD=build-address SANITIZE=address
	@$(MAKE) --no-print-directory test BUILD=build-thread SANITIZE=thread

# The decoder and the records on a big-endian machine, under qemu.
test-big-endian:
	@tests/big-endian $(BUILD)

# Every fuzzer, or one (`make fuzz FUZZER=worker_decode_fuzz`), for so many minutes; what it
# finds stays in build-fuzz/findings. tests/fuzz/keep.py then chooses what the tree keeps.
fuzz:
	@packaging/install-dependencies build fuzz
	@cmake -S . -B build-fuzz -G Ninja -DCMAKE_C_COMPILER=clang -DWEIR_FUZZ=ON \
		-DWEIR_TESTS=OFF -DWEIR_WERROR=ON >/dev/null
	@cmake --build build-fuzz -j $(JOBS) --target fuzzers
	@tests/fuzz/run build-fuzz $(MINUTES) $(FUZZER)

# What was sent against what is stored, and the size of every process, over a long time.
soak: build
	@packaging/install-dependencies test
	@WEIR_BIN=$(BUILD)/bin PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 tests/system/soak.py $(MINUTES)

format:
	@git ls-files '*.c' '*.h' | xargs clang-format-14 -i

format-check:
	@git ls-files '*.c' '*.h' | xargs clang-format-14 --dry-run --Werror

clean:
	@rm -rf $(BUILD)
