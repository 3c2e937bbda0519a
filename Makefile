# SPDX-License-Identifier: MIT
# The front door: everything is done by meson, ninja and tools/.
PREFIX ?= /usr/local
DESTDIR ?=
BUILD ?= build/release
FUZZ_SECONDS ?= 60
SEED ?= $(shell date +%s)000000
RUNS ?= 100000

.PHONY: all help deps demo check bench fuzz kill sim install clean

all: deps ## builds into build/release (the default)
	@test -f $(BUILD)/build.ninja || meson setup $(BUILD) --buildtype=release --prefix=$(PREFIX)
	@ninja -C $(BUILD)

help: ## this list
	@sed -n 's/^\([a-z]*\):.* ## /  make \1\t/p' Makefile | expand -t 18
	@echo '  PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) BUILD=$(BUILD) FUZZ_SECONDS=$(FUZZ_SECONDS) SEED=$(SEED) RUNS=$(RUNS)'

deps: ## installs the Debian packages that are missing
	@tools/deps

demo: all ## shows what there is in half a minute; KEEP=1 stays up
	@tools/demo

check: deps ## all tests, with two compilers and under the sanitizers
	@tools/check

bench: all ## measures, beside what the machine can do at most
	@$(BUILD)/src/cli/koine bench

kill: deps ## kills at every instruction, for hours; the last result is in docs/kill.md
	@test -f build/kill/build.ninja || meson setup build/kill
	@ninja -C build/kill tests/kill/kill-anywhere
	@build/kill/tests/kill/kill-anywhere --all

fuzz: deps ## runs each fuzz target for FUZZ_SECONDS; TARGETS='a b' chooses
	@tools/fuzz $(FUZZ_SECONDS) $(TARGETS)

sim: deps ## joins both roles of each dialect on the simulated network, RUNS times from SEED on
	@test -f build/sim/build.ninja || meson setup build/sim -Db_sanitize=address,undefined -Db_lundef=false
	@ninja -C build/sim sim
	@for program in $$(find build/sim/src/dialect -maxdepth 1 -type f -name 'test-dialect-generic-*'); do \
	    $$program --seed $(SEED) --runs $(RUNS) || exit 1; done

install: all ## libraries, headers, pkg-config files and programs, below DESTDIR/PREFIX
	@meson introspect $(BUILD) --buildoptions | grep -qF '"name": "prefix", "value": "$(PREFIX)"' || \
	    meson configure $(BUILD) --prefix=$(PREFIX)
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD)
	@test -n "$(DESTDIR)" || test "$$(id -u)" != 0 || ldconfig

clean: ## removes build/
	@rm -rf build
