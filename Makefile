# Everything a developer or a machine runs. `make` prints this list.
SHELL := /bin/bash
BUILD ?= build
BROKER ?= embedded
RATE ?= 2000
SEED ?= 1
FAULTS ?= 100
SECONDS_EACH ?= 60
# The private librdkafka of `make setup`, once it is there; until then the system's.
RDKAFKA := $(if $(wildcard .cache/librdkafka/lib/librdkafka.a),$(CURDIR)/.cache/librdkafka,)

.DEFAULT_GOAL := help
.PHONY: help setup packages build run test test-quick chaos fuzz bench lint images install clean

help:
	@echo "make run          a whole mesh on this machine, with simulated events (BROKER=kafka: on a real Apache Kafka; RATE=n events/s)"
	@echo "make test         set up what the tests need, run all of them"
	@echo "make test-quick   what needs no server, under a minute"
	@echo "make chaos        a campaign of faults on Kafka and MongoDB (SEED=n FAULTS=n), and 100,000 schedules of the protocol"
	@echo "make fuzz         hostile bytes for every parser and decoder, SECONDS_EACH=60, with clang's libFuzzer"
	@echo "make build        the platform, the tools, and the services of domains/"
	@echo "make setup        what 'make test' needs: packages, librdkafka, Apache Kafka, a MongoDB-compatible server"
	@echo "make bench        measure, with ratios against a ceiling in the same run; writes $(BUILD)/bench/results.json"
	@echo "make lint         warnings of gcc and clang as errors; shell scripts"
	@echo "make images       a container image per domain, built and started"
	@echo "make install      libmesh, headers, mesh.pc, meshgen and the tools, in PREFIX (/usr/local; DESTDIR goes before it)"
	@echo "make clean        remove $(BUILD)"

packages:
	@scripts/setup.sh minimal

setup:
	@scripts/setup.sh full

build: packages
	@scripts/build.sh $(BUILD) "$(RDKAFKA)"

run: build
	@exec $(BUILD)/bin/meshctl up --broker $(BROKER) --rate $(RATE) \
	  --show 'top countries=sales_fraud:/sales/daily/by-country:country:total_eur' \
	  --show 'alerts=sales_fraud:/alerts/by-rule:rule:n'

test:
	@scripts/test.sh all

test-quick: build
	@scripts/test.sh quick

chaos: build
	@SEEDS=100000 $(BUILD)/tests/chaos_protocol_test
	@python3 tests/e2e/campaign.py $(BUILD) --seed $(SEED) --faults $(FAULTS)

fuzz: build
	@tests/fuzz/run.sh $(SECONDS_EACH)

bench: build
	@tests/bench/run.sh $(BUILD)

lint:
	@scripts/lint.sh

images: build
	@tests/images/run.sh $(BUILD)

install: build
	@scripts/install.sh $(BUILD)

clean:
	rm -rf $(BUILD)
