#!/usr/bin/env bash
# The benches of each crate, then the whole node beside nginx.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup.sh bench

cargo bench --locked --workspace --bench '*'
scripts/load.sh
