#!/usr/bin/env python3
"""Deploys and rollbacks under load (CP-505, CP-513, CP-609): no viewer notices but for the new version.

Viewers ask at a steady rate while versions of a function are deployed and rolled back. After each answer of the API the next request
has to come from the version that was put in force; how long that takes is told, and no request may fail. Standard library only: the
node's admin endpoint lets in whoever reaches it on this machine (`auth: any`).
"""

import argparse
import hashlib
import http.client
import io
import json
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from failover import wait_for  # noqa: E402
from load import Failure, free_port  # noqa: E402

SITE = """
node:
  listen: '127.0.0.1:{listen}'
  admin: {{ listen: '127.0.0.1:{admin}', auth: any }}
  data_dir: {data}
  log: {{ access: false }}
"""

CODE = "exports.handler = async () => ({{ status: '200', body: 'version {version}' }});\n"


def package(version):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("index.js", (2026, 1, 1, 0, 0, 0))
        archive.writestr(entry, CODE.format(version=version))
    return buffer.getvalue()


PLACE = {"file": "load", "line": 1, "column": 1}


def plan():
    origin = {
        "Id": "o",
        "DomainName": "127.0.0.1",
        "CustomOriginConfig": {"HTTPPort": 1, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"},
    }
    association = {
        "EventType": "viewer-request",
        "LambdaFunctionARN": {"$ref": {"kind": "version", "id": "Version", "attribute": "arn"}},
    }
    config = {
        "Comment": "",
        "Enabled": True,
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": {
            "TargetOriginId": "o",
            "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
            "LambdaFunctionAssociations": {"Quantity": 1, "Items": [association]},
        },
    }
    function = {
        "id": "Edge", "place": PLACE, "name": "edge", "runtime": "nodejs22.x", "handler": "index.handler", "edge": True,
        "code": {"type": "zip", "path": "edge.zip"},
    }
    version = {"id": "Version", "place": PLACE, "function": {"$ref": {"kind": "function", "id": "Edge", "attribute": "name"}}}
    return {
        "stack": "load",
        "functions": [function],
        "versions": [version],
        "distributions": [{"id": "Site", "place": PLACE, "config": config}],
    }


class Api:
    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def call(self, method, path, body=b""):
        self.connection.request(method, "/_fourfront/v1/" + path, body)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise Failure(f"{method} {path}: {answer.status} {text[:500]}")
        return json.loads(text)

    def deploy(self, version):
        code = package(version)
        digest = hashlib.sha256(code).hexdigest()
        self.call("PUT", "artifacts/sha256/" + digest, code)
        body = {"plan": plan(), "artifacts": {"function:Edge": digest}, "message": f"version {version}"}
        return self.call("POST", "releases", json.dumps(body))


class Viewers(threading.Thread):
    """Ask at a steady rate over a few connections, and keep what went wrong."""

    def __init__(self, port, host, rate):
        super().__init__(daemon=True)
        self.port, self.host, self.period = port, host, 1 / rate
        self.count, self.failures, self.slowest, self.times = 0, [], 0.0, []
        self.ends = threading.Event()

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        due = time.monotonic()
        while not self.ends.is_set():
            due += self.period
            begun = time.monotonic()
            try:
                connection.request("GET", f"/{self.count}", headers={"Host": self.host})
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != 200 or not body.startswith(b"version "):
                    self.failures.append(f"{answer.status} {body[:80]}")
            except OSError as fault:
                self.failures.append(str(fault))
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            self.times.append(time.monotonic() - begun)
            self.count += 1
            time.sleep(max(0.0, due - time.monotonic()))  # the rate is the load


def served_after(port, host, wanted):
    """Milliseconds until a request is answered by the version, from now."""
    begun = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    while True:
        connection.request("GET", "/asked", headers={"Host": host})
        body = connection.getresponse().read().decode()
        if body == f"version {wanted}":
            return (time.monotonic() - begun) * 1000
        if time.monotonic() - begun > 5:
            raise Failure(f"after 5 s `{body}` and not version {wanted}")


def launch(program, config, log):
    """A node, in a process of its own."""
    with open(log, "wb") as output:
        command = [str(program), "serve", "-c", str(config)]
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("--rounds", type=int, default=100, help="deploys, and as many rollbacks")
    parser.add_argument("--rate", type=int, default=500, help="requests per second")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        listen, admin = free_port(), free_port()
        config = Path(folder) / "fourfront.yaml"
        config.write_text(SITE.format(listen=listen, admin=admin, data=Path(folder) / "data"))
        process = launch(options.program, config, Path(folder) / "node.log")
        try:
            wait_for(admin)
            measure(options, listen, admin)
        finally:
            process.terminate()
            process.wait()


def measure(options, listen, admin):
    api = Api(admin)
    host = api.deploy(0)["hosts"][0]
    releases = [api.deploy(1)["release"]]
    viewers = [Viewers(listen, host, options.rate / 10) for _ in range(10)]
    for viewer in viewers:
        viewer.start()
    deploys, rollbacks, calls = [], [], []
    for number in range(2, options.rounds + 2):
        begun = time.monotonic()
        releases.append(api.deploy(number)["release"])
        calls.append((time.monotonic() - begun) * 1000)
        deploys.append(served_after(listen, host, number))
        begun = time.monotonic()
        api.call("POST", f"releases/{releases[-2]}/activate", b"{}")
        calls.append((time.monotonic() - begun) * 1000)
        rollbacks.append(served_after(listen, host, number - 1))
    for viewer in viewers:
        viewer.ends.set()
    for viewer in viewers:
        viewer.join()
    asked = sum(viewer.count for viewer in viewers)
    failures = [failure for viewer in viewers for failure in viewer.failures]
    times = [t * 1000 for viewer in viewers for t in viewer.times]
    print(f"{options.rounds} deploys and {options.rounds} rollbacks, {asked} requests meanwhile, {len(failures)} failed")
    for name, values in (("deploy to new version", deploys), ("rollback to old version", rollbacks), ("the call itself", calls), ("a request", times)):
        print(f"  {name:24} p50 {percentile(values, 0.5):7.1f} ms, p99 {percentile(values, 0.99):7.1f} ms, slowest {max(values):7.1f} ms")
    if failures:
        raise Failure("; ".join(failures[:5]))
    if percentile(deploys + rollbacks, 0.99) > 250:
        raise Failure("the p99 is above 250 ms")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"deploys.py: {failure}")
