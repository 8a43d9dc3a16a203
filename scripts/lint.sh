#!/usr/bin/env bash
# Everything that judges without running the product. Fails on the first complaint.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup.sh lint

say() { printf '== %s\n' "$*"; }

say "cargo fmt"
cargo fmt --all --check

say "the V8 archive is the one that was checked in"
(cd deploy/v8 && sha256sum --quiet -c SHA256SUMS)

say "shellcheck"
mapfile -t shell < <(find . \( -name target -o -name node_modules -o -name .git \) -prune -o -name '*.sh' -print)
shellcheck -x .ci/run "${shell[@]}"

skipped=
if cargo deny --version >/dev/null 2>&1; then
  # Advisories need a database from outside; `cargo deny check advisories` asks for it.
  say "cargo deny"
  cargo deny --locked --offline --log-level error check bans licenses sources
else
  # Built from source in minutes, so it is not installed unasked.
  skipped="; skipped: licences and sources (cargo install cargo-deny)"
fi

say "cargo clippy"
cargo clippy --locked --workspace --all-targets -- -D warnings
say "lint passed$skipped"
