#!/usr/bin/env bash
# Every test of the workspace: documentation examples first, then the rest, so that the
# last lines are the runner's summary. Fails when a test fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup.sh test

cargo test --locked --workspace --doc --quiet
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --locked --workspace
else
  # Benches are left out: they are compiled by `make lint` and run by `make bench`.
  cargo test --locked --workspace --lib --bins --tests --examples --no-fail-fast
fi
