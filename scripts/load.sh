#!/usr/bin/env bash
# The release node beside nginx and workerd, driven by wrk, a function beside hostile ones, many functions, a purge, ranges of a large
# object, an origin that is killed, HTTPS beside nginx, a viewer beside a crowd, first deploys, deploys and rollbacks under load, and
# writes of the API that are killed. Arguments go to conformance/load/load.py (`scripts/load.sh --help`), which then runs alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup.sh bench

cargo build --locked --release -p fourfront --bin fourfront
target=$(cargo metadata --locked --no-deps --format-version 1 |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')

# The peer with isolates: from npm, beside what cargo builds.
peers=$target/peers
workerd=$peers/node_modules/.bin/workerd
[ -x "$workerd" ] || npm install --no-audit --no-fund --prefix "$peers" workerd@1.20261117.1
python3 conformance/load/load.py --fourfront "$target/release/fourfront" --workerd "$workerd" "$@"
if [ $# -eq 0 ]; then
  python3 conformance/load/hostile.py --fourfront "$target/release/fourfront"
  python3 conformance/load/many.py --fourfront "$target/release/fourfront"
  python3 conformance/load/purge.py --fourfront "$target/release/fourfront"
  python3 conformance/load/ranges.py --fourfront "$target/release/fourfront"
  python3 conformance/load/failover.py --fourfront "$target/release/fourfront"
  python3 conformance/load/tls.py --fourfront "$target/release/fourfront"
  python3 conformance/load/crowd.py --fourfront "$target/release/fourfront"
  python3 conformance/load/first_deploy.py "$target/release/fourfront"
  python3 conformance/load/deploys.py "$target/release/fourfront"
  python3 conformance/load/writes_killed.py "$target/release/fourfront"
fi
