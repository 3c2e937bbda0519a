# SPDX-License-Identifier: MIT
PREFIX ?= /usr/local
DESTDIR ?=

.PHONY: all deps demo check install clean

all: deps
	@test -f build/release/build.ninja || meson setup build/release --buildtype=release --prefix=$(PREFIX)
	@ninja -C build/release

deps:
	@tools/deps

demo: all
	@tools/demo

check: deps
	@tools/check

install: all
	@meson configure build/release --prefix=$(PREFIX)
	@DESTDIR=$(DESTDIR) meson install -C build/release

clean:
	@rm -rf build
