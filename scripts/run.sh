#!/usr/bin/env bash
# Builds the node and starts the quickstart: a JSON API as the origin, and a node in
# front of it with four hooks. Ctrl-C stops both.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup.sh

config=examples/quickstart/fourfront.yaml
viewer=127.0.0.1:8080
admin=127.0.0.1:9400

cargo build --locked --release -p fourfront --bin fourfront --example quickstart-api
# CARGO_TARGET_DIR, .cargo/config.toml and build.target-dir may each move it: ask cargo.
target=$(cargo metadata --locked --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')

pids=()
stop() {
  trap - INT TERM EXIT
  local pid
  # SIGTERM lets the node finish what it is answering.
  for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || :; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || :; done
}
trap 'stop; exit 0' INT TERM
trap 'stop' EXIT

"$target/release/examples/quickstart-api" &
pids+=($!)
"$target/release/fourfront" serve -c "$config" &
pids+=($!)

# The node says that it is ready on its admin listener (CP-620).
ready() {
  local line
  exec 3<>"/dev/tcp/${admin%:*}/${admin#*:}" || return 1
  printf 'GET /_fourfront/v1/ready HTTP/1.0\r\n\r\n' >&3
  read -r -t 5 line <&3 || line=
  exec 3>&-
  [[ $line == *" 200"* ]]
}
for ((tries = 0; tries < 300; tries++)); do
  if ready 2>/dev/null; then break; fi
  for pid in "${pids[@]}"; do
    kill -0 "$pid" 2>/dev/null || { echo "run: the quickstart could not start; its reason stands above" >&2; exit 1; }
  done
  sleep 0.1
done
[ "$tries" -lt 300 ] || { echo "run: the node was not ready within 30 seconds" >&2; exit 1; }

sed "s/@VIEWER@/$viewer/g" examples/quickstart/try.txt
# Whichever ends first ends the other.
wait -n "${pids[@]}"
