#!/usr/bin/env bash
# Everything that judges without running the product. Fails on the first complaint.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup.sh

say() { printf '== %s\n' "$*"; }

say "cargo fmt"
cargo fmt --all --check

say "the V8 archive is the one that was checked in"
(cd deploy/v8 && sha256sum --quiet -c SHA256SUMS)

if command -v shellcheck >/dev/null 2>&1; then
  say "shellcheck"
  mapfile -t shell < <(find . \( -name target -o -name node_modules -o -name .git \) -prune -o -name '*.sh' -print)
  shellcheck -x .ci/run "${shell[@]}"
else
  say "shellcheck is not installed: shell scripts not checked (Debian package shellcheck)"
fi

if cargo deny --version >/dev/null 2>&1; then
  # Advisories need a database from outside; `cargo deny check advisories` asks for it.
  say "cargo deny"
  cargo deny --locked --offline --log-level error check bans licenses sources
else
  say "cargo-deny is not installed: licences and sources not checked (cargo install cargo-deny)"
fi

say "cargo clippy"
cargo clippy --locked --workspace --all-targets -- -D warnings
say "lint passed"
