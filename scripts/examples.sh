#!/usr/bin/env bash
# Follows the README of each example, and prints a table of which do as they say. Fails when one does not.
#
#   scripts/examples.sh            all
#   scripts/examples.sh ab_test    those whose test's name has this in it
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup.sh test

rows=$(mktemp)
trap 'rm -f "$rows"' EXIT
# The tests write the rows themselves, so that the table does not depend on who runs them.
export FOURFRONT_EXAMPLES_TABLE=$rows

# The whole workspace is named, so that dependencies have the features that they have in `make test`, and are not built again.
# The quickstart's API is an example of Cargo's kind.
cargo build --locked --workspace --example quickstart-api
status=0
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --locked --workspace --test examples "$@" || status=$?
else
  cargo test --locked --workspace --test examples -- "$@" || status=$?
fi

printf '\n%-24s %-6s %7s\n' EXAMPLE RESULT SECONDS
while IFS=$'\t' read -r name result seconds; do
  printf '%-24s %-6s %7s\n' "$name" "$result" "$seconds"
done < <(sort "$rows")
exit "$status"
