# SPDX-License-Identifier: GPL-2.0-only

# What `make demo` runs on: the example filesystem, or TREE=/path/to/linux FILES="fs/quota …".
ifdef TREE
ifndef FILES
ifneq ($(filter demo,$(MAKECMDGOALS)),)
$(error make demo TREE=… also needs FILES=…, the paths in that tree to convert: FILES=fs/quota)
endif
endif
else
TREE := fixtures/demo
FILES ?= fs/demofs
endif

.PHONY: help build demo test lint typecheck kernel tools clean

help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

node_modules/.package-lock.json: package.json package-lock.json
	npm ci
	@touch $@

build: node_modules/.package-lock.json ## Install the dependencies and compile to dist/
	npm run --silent build

demo: build ## Show the diff for an example filesystem (or TREE=/path/to/linux FILES=fs/quota)
	bin/gfp-scope diff --tree $(TREE) $(FILES)

lint: node_modules/.package-lock.json ## Check style with biome
	npm run --silent lint

typecheck: node_modules/.package-lock.json ## Check the types of sources and tests
	npm run --silent typecheck

kernel: ## Fetch and unpack the two kernel trees that the tests read
	scripts/fetch-kernels.sh

tools: ## Install what the kernel tests compile with (as root)
	scripts/install-test-tools.sh

# Without a terminal the summary is to be read as plain text, also where CI=true asks for colours.
test: build lint typecheck ## Build, lint, type-check and run every test
	scripts/install-test-tools.sh --optional
	scripts/fetch-kernels.sh --optional
	@[ -t 1 ] || export NO_COLOR=1; npx --no-install vitest run

clean: ## Remove what was built
	rm -rf dist coverage demo-out
