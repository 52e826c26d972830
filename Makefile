# SPDX-License-Identifier: BSD-2-Clause-Patent
# Two commands matter: `make run` and `make check`. Everything else is meson and ninja in build/.
BUILD    ?= build
ENGINES  ?= 1
JOBS     ?= $(shell nproc)
PREFIX   ?= /usr
export BUILD ENGINES JOBS PREFIX

.PHONY: run stop check bench install format build deps soak
run: build
	@scripts/run
stop:
	@scripts/stop
check:
	@scripts/check
bench: build
	@bench/run
install: build
	@meson install -C $(BUILD) --no-rebuild
format:
	@git ls-files '*.c' '*.h' | xargs clang-format -i
deps:
	@scripts/deps
build: deps
	@scripts/build $(BUILD)
soak: build
	@scripts/soak
