# A short front for CMake. Every target installs what it needs (Debian, as root) and
# then calls CMake; nothing here builds by itself.

BUILD ?= build
JOBS ?= $(shell nproc)
SECONDS ?=
CAPTURE ?=
TESTS ?= .

.PHONY: help build run demo test test-sanitized test-big-endian deps clean format format-check

help:
	@echo 'sudo make run [SECONDS=20]   build, measure the interfaces that are up, show what flows'
	@echo 'sudo make demo [CAPTURE=FILE]   what happens when a worker is killed, an interface deleted ...'
	@echo 'sudo make test [TESTS=regex] build and run the whole test suite'
	@echo 'make build                   build into $(BUILD)/bin'
	@echo 'sudo make test-sanitized     the suite under address, undefined and thread sanitizers'
	@echo 'sudo make test-big-endian    decoder and records on s390x under qemu'
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

# Longer: everything again under the address, undefined and thread sanitizers.
test-sanitized:
	@$(MAKE) --no-print-directory test BUILD=build-address SANITIZE=address
	@$(MAKE) --no-print-directory test BUILD=build-thread SANITIZE=thread

# The decoder and the records on a big-endian machine, under qemu.
test-big-endian:
	@tests/big-endian $(BUILD)

format:
	@git ls-files '*.c' '*.h' | xargs clang-format-14 -i

format-check:
	@git ls-files '*.c' '*.h' | xargs clang-format-14 --dry-run --Werror

clean:
	@rm -rf $(BUILD)
