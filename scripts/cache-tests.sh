#!/usr/bin/env bash
# The public suite of tests for HTTP caches, through the release node and beside nginx and Varnish. Arguments go to
# conformance/cache-tests/run.mjs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup.sh caches

cargo build --locked --release -p fourfront --bin fourfront
target=$(cargo metadata --locked --no-deps --format-version 1 |
  node -e 'process.stdin.setEncoding("utf8"); let text = ""; process.stdin.on("data", (t) => { text += t; }).on("end", () => console.log(JSON.parse(text).target_directory))')
node conformance/cache-tests/run.mjs --fourfront "$target/release/fourfront" --peers --modules "$target/peers" "$@"
