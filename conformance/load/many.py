#!/usr/bin/env python3
"""Many functions on one node, and cold ones.

First, so many functions at once: how long the node takes to start with them, what one of them takes in memory, all
called once. Then the first request of a function that has no isolate: one without modules, and one with five of
Node's. `idle_timeout` is short there, so that isolates go between two rounds; what is timed is a whole request over
a kept connection. Standard library only.
"""

import argparse
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from load import Case, Failure, Server, free_port, two_cores

ANSWER = "exports.handler = async () => ({ status: '200', body: 'made' });\n"
FIVE = "".join(f"const {name} = require('{name}');\n" for name in ("crypto", "https", "zlib", "querystring", "fs"))
KINDS = {"without modules": ANSWER, "with five modules": FIVE + ANSWER}


def site(folder, code, functions, listen, admin, idle):
    """A site file of so many functions, each at a path of its own."""
    lines = [
        f"node: {{ listen: '127.0.0.1:{listen}', admin: '127.0.0.1:{admin}', threads: 1, hooks: {{ threads: 1, idle_timeout: {idle} }}, log: {{ access: false }} }}",
        "functions:",
    ]
    for n in range(functions):
        # The code differs, as that of different functions does.
        (folder / f"f{n}.js").write_text(f"// function {n}\n{code}")
        lines.append(f"  f{n}: {{ file: ./f{n}.js }}")
    lines += ["distributions:", "  many:", "    origins: { none: 'http://127.0.0.1:1' }", "    cache_behaviors:"]
    for n in range(functions):
        lines.append(f"      - {{ path: /f{n}, on: {{ viewer-request: f{n} }} }}")
    lines += ["    default_cache_behavior: {}"]
    config = folder / "fourfront.yaml"
    config.write_text("\n".join(lines) + "\n")
    return config


def start(program, folder, code, functions, core, idle):
    listen, admin = free_port(), free_port()
    config = site(folder, code, functions, listen, admin, idle)
    began = time.monotonic()
    server = Server("fourfront", [program, "serve", "-c", str(config)], listen, core, folder / "log")
    server.admin = admin
    server.wait_until_ready(Case("first", "/f0", "the first function", size=4), seconds=120)
    return server, time.monotonic() - began


def isolates(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.admin, timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("fourfront_isolates"))


def ask_all(server, functions):
    """One request to each function, in milliseconds."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    took = []
    for n in range(functions):
        began = time.perf_counter()
        connection.request("GET", f"/f{n}")
        answer = connection.getresponse()
        body = answer.read()
        took.append((time.perf_counter() - began) * 1000)
        if (answer.status, body) != (200, b"made"):
            raise Failure(f"/f{n} is answered with {answer.status} {body[:80]}")
    connection.close()
    return took


def many(program, functions, core):
    with tempfile.TemporaryDirectory(prefix="fourfront-many-") as temporary:
        server, seconds = start(program, Path(temporary), ANSWER, functions, core, 600)
        try:
            ask_all(server, functions)
            resident = server.resident_mib()
            print(
                f"{functions} functions: {seconds:.1f} s from start to the first answer; each called once: "
                f"{isolates(server):.0f} isolates, {resident:.0f} MiB resident, {resident / functions:.2f} MiB each"
            )
        finally:
            server.stop()


def cold(program, kind, code, functions, core):
    with tempfile.TemporaryDirectory(prefix="fourfront-cold-") as temporary:
        server, _ = start(program, Path(temporary), code, functions, core, 0.5)
        try:
            took = []
            for _ in range(3):
                end = time.monotonic() + 60
                while isolates(server) > 0:
                    if time.monotonic() > end:
                        raise Failure(f"isolates stay: {isolates(server):.0f}")
                    time.sleep(0.1)  # isolates go by the node's own clock
                took += ask_all(server, functions)
            took.sort()
            print(
                f"cold first request, {kind}: p50 {statistics.median(took):.1f} ms, "
                f"p99 {took[int(len(took) * 0.99)]:.1f} ms, of {len(took)}"
            )
        finally:
            server.stop()


def main():
    parser = argparse.ArgumentParser(description="Many functions on one node, and cold ones.")
    parser.add_argument("--fourfront", metavar="PROGRAM", required=True, help="the release binary")
    parser.add_argument("--functions", type=int, default=1000, help="how many at once (default: 1000)")
    arguments = parser.parse_args()
    cores = two_cores()
    os.sched_setaffinity(0, {cores[1]})
    many(arguments.fourfront, arguments.functions, cores[0])
    for kind, code in KINDS.items():
        cold(arguments.fourfront, kind, code, 50, cores[0])


if __name__ == "__main__":
    try:
        main()
    except (Failure, subprocess.SubprocessError) as failure:
        sys.exit(f"many: {failure}")
