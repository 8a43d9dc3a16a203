#!/usr/bin/env bash
# The built-in `sharp` beside the one of npm: the same handlers, the same images, how near the results are and how fast they
# come (conformance/sharp/README.md).
#
#   scripts/sharp.sh                          builds a release node; all images and pipelines, then throughput
#   scripts/sharp.sh --program P [NAME...]    with this program; only pipelines and images of these names, no throughput
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=''
names=()
if [ "${1:-}" = --program ]; then
  program=$2
  shift 2
  for name in "$@"; do names+=(--only "$name"); done
else
  scripts/setup.sh test
  cargo build --locked --release -p fourfront --bin fourfront
  target=$(cargo metadata --locked --no-deps --format-version 1 |
    node -e 'process.stdin.setEncoding("utf8"); let text = ""; process.stdin.on("data", (t) => { text += t; }).on("end", () => console.log(JSON.parse(text).target_directory))')
  program=$target/release/fourfront
fi

# Nothing is written beside the sources, so that two runs do not meet.
folder=$(mktemp -d)
node=''
finish() {
  [ -z "$node" ] || kill "$node" 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT
cp -r conformance/sharp/. "$folder"
cd "$folder"
[ -d node_modules/sharp ] || npm ci --silent --no-audit --no-fund --prefer-offline
rm -rf corpus bundle
node corpus.mjs corpus >/dev/null
node bundle.mjs corpus bundle >/dev/null
node run.mjs corpus peer.jsonl "${names[@]}"

# A free port: the node says which.
"$program" dev . --listen 127.0.0.1:0 >"$folder/node.out" 2>"$folder/node.err" &
node=$!
address=''
for _ in $(seq 600); do
  address=$(sed -n 's,.*developing on \(http://[0-9.:]*\).*,\1,p' "$folder/node.err")
  [ -z "$address" ] || break
  kill -0 "$node" 2>/dev/null || break
  sleep 0.1
done
if [ -z "$address" ]; then
  cat "$folder/node.err" >&2
  echo "sharp: the node did not start" >&2
  exit 1
fi
node run.mjs corpus ours.jsonl --node "$address" "${names[@]}"
node compare.mjs peer.jsonl ours.jsonl
if [ ${#names[@]} -eq 0 ]; then
  node throughput.mjs
  node throughput.mjs --node "$address" --pid "$node"
  printf 'resident memory of the node, at its highest: %s\n' "$(sed -n 's/^VmHWM:[[:space:]]*//p' "/proc/$node/status")"
fi
