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
both_run() {
  local pid
  for pid in "${pids[@]}"; do kill -0 "$pid" 2>/dev/null || return 1; done
}

for ((tries = 0; tries < 300; tries++)); do
  both_run || { echo "run: the quickstart could not start; the reason stands above" >&2; exit 1; }
  if ready 2>/dev/null; then break; fi
  sleep 0.1
done
[ "$tries" -lt 300 ] || { echo "run: the node was not ready within 30 seconds" >&2; exit 1; }
both_run || { echo "run: the quickstart could not start; the reason stands above" >&2; exit 1; }

cat <<END

The node is ready. Try these in another terminal:

  curl -i http://$viewer/                    # Set-Cookie puts you into variant a or b; X-Cache: a Miss for each, then Hit
  curl -s -b variant=a http://$viewer/       # the A/B test of viewer-request: two pages
  curl -s -b variant=b http://$viewer/       #   under one address, each cached by itself
  curl -i http://$viewer/about               # origin-request makes it /about.html
  curl -i http://$viewer/nothing-here        # origin-response puts a page in place of the origin's 404
  curl -i http://$viewer/api/products.json   # origin-request sends it to the JSON API; the number stays while cached
  curl -i http://$viewer/api/echo            # what the node sends to that origin
  curl -s http://$admin/_fourfront/v1/metrics

Answers below 400 carry the security headers of viewer-response. Ctrl-C stops the node and the API.

END

# Whichever ends first ends the other.
wait -n "${pids[@]}"
