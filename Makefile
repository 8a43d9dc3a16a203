# What can be done here. The work is in scripts/, so that it can be run without make too.
# Each target installs what it needs, or says which line would.
.PHONY: help run test examples lint bench load conformance cache-tests setup ledger published sharp

help:
	@echo 'make run     build, then start the quickstart: a node in front of an origin, four hooks at work'
	@echo 'make test    every test of the workspace'
	@echo 'make examples  the tests of the examples alone: each README is followed, and a table says which hold and how long they take'
	@echo 'make lint    formatting, clippy, licences, shell scripts'
	@echo 'make bench   the benches of each crate, then make load'
	@echo 'make load    the release node beside nginx'
	@echo 'make conformance  the outside suites: make cache-tests, make sharp'
	@echo 'make sharp  the built-in sharp beside the one of npm: nearness and speed'
	@echo 'make cache-tests  the public tests for HTTP caches, beside nginx and Varnish'
	@echo 'make ledger  refresh conformance/rules/ledger.tsv'
	@echo 'make published  make deploy/openapi.json and deploy/fourfront.schema.json again from the source'
	@echo 'make setup   install what run, test and lint need'

run:
	@scripts/run.sh

test:
	@scripts/test.sh

examples:
	@scripts/examples.sh

lint:
	@scripts/lint.sh

bench:
	@scripts/bench.sh

load:
	@scripts/load.sh

conformance: cache-tests sharp

sharp:
	@scripts/sharp.sh

cache-tests:
	@scripts/cache-tests.sh

setup:
	@scripts/setup.sh test

ledger:
	@cargo run --locked -q -p fourfront-ledger -- --update

published:
	@FOURFRONT_PUBLISH=1 cargo test --locked -q -p fourfront-control --lib that_is_shipped
