# snf-image - make verbs. "make help" lists them.
#
# What a verb needs is installed by it when it runs as root on Debian, and
# named otherwise. Nothing is written outside of bin/, build/ and dist/, except
# by "install".

SHELL   := /bin/bash
VERSION := $(shell cat VERSION)
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null)

PREFIX  ?= /usr
SYSCONF ?= /etc
DESTDIR ?=

FUZZTIME ?= 30s
NODES    ?= 1

# Tests of single packages that need a helper: test-vm runs them, not test-unit.
IN_VM = InVM$$|^TestHelperImageBoots$$

# Packages of tests that need more than a unit test may: a verb of their own runs them.
WHOLE = vm|ganeti|package

export CGO_ENABLED := 0
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin
GOBUILD = go build -trimpath -ldflags "-X main.version=$(VERSION) -X main.commit=$(COMMIT) $(1)"

GOFUMPT     = go run mvdan.cc/gofumpt@v0.9.2
STATICCHECK = go run honnef.co/go/tools/cmd/staticcheck@v0.7.0

# The steps of "test" use the same files and processors.
.NOTPARALLEL:

.PHONY: help build install test test-unit test-vm test-package lint bench fuzz demo clean \
	package package-sources test-ganeti torture deps-%

build: deps-build ## bin/snf-image and bin/snf-image-agent
	$(call GOBUILD,$(STRIP)) -o bin/snf-image ./cmd/snf-image
	$(call GOBUILD,-s -w) -o bin/snf-image-agent ./cmd/snf-image-agent

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | sort | column -t -s $$'\t'

install: build ## lay out what a package holds below $(DESTDIR)
	DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' SYSCONF='$(SYSCONF)' scripts/install.sh

test: deps-test test-unit test-vm test-ganeti test-package ## everything that gates a change; a skipped test fails

test-unit: deps-test ## unit tests with the race detector
	CGO_ENABLED=1 SNF_STRICT=1 scripts/go-test.sh unit -race -timeout 20m -skip '$(IN_VM)' \
	    $$(go list ./... | grep -vE '/tests/($(WHOLE))$$')

test-vm: deps-test build ## blackbox tests: shipped binaries, real helper, disks in and out
	SNF_STRICT=1 SNF_VM=1 scripts/vm-test.sh '$(IN_VM)'

test-ganeti: deps-test build ## the OS definition in a real Ganeti cluster of NODES nodes on this machine; GANETI=3.1
	SNF_STRICT=1 SNF_GANETI=1 SNF_NODES=$(NODES) RUN='$(RUN)' scripts/ganeti-test.sh $(GANETI)

test-package: deps-test ## the packages in a fresh Debian: install, use, upgrade, purge
	SNF_STRICT=1 SNF_PACKAGE=1 scripts/go-test.sh package -timeout 40m ./tests/package/...

lint: deps-lint ## gofumpt, vet, staticcheck, shellcheck, words
	@out=$$($(GOFUMPT) -l cmd internal tests); [ -z "$$out" ] || { echo "not gofumpt'ed:"; echo "$$out"; exit 1; }
	go vet ./...
	$(STATICCHECK) ./...
	go run ./tests/words
	shellcheck .ci/run scripts/*.sh tests/images/*.sh tests/ganeti/*.sh tests/wine/*.sh

bench: deps-bench build ## the numbers of docs/performance.md
	scripts/bench.sh

fuzz: deps-build ## each fuzz target for FUZZTIME
	FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

demo: deps-demo build ## deploy a real Debian image to build/demo/web1.raw
	scripts/demo.sh

package: STRIP := -s -w
package: deps-package build ## .deb and .rpm of host and helper in dist/
	VERSION='$(VERSION)' scripts/package.sh

package-sources: deps-package ## where the sources of the packaged helper are, in dist/
	VERSION='$(VERSION)' scripts/package-sources.sh

clean: ## remove bin/, build/ and dist/
	rm -rf bin build dist

torture: deps-test build ## the long tests: PARTS="boots kills hostile faults systems openrc cloud labels disks corrupt corpora layouts groups cluster windows wine" SEED= LIMIT= BOOTS=500 KILLS=100
	@SEED='$(SEED)' LIMIT='$(LIMIT)' ONLY='$(ONLY)' BOOTS='$(BOOTS)' KILLS='$(KILLS)' HOSTILE='$(HOSTILE)' FAULTS='$(FAULTS)' \
	    DISKS='$(DISKS)' CORRUPT='$(CORRUPT)' LAYOUTS='$(LAYOUTS)' UPDATE='$(UPDATE)' WINDOWS='$(WINDOWS)' \
	    scripts/torture.sh $(PARTS)

deps-%:
	@scripts/install-deps.sh $*
