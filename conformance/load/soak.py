#!/usr/bin/env python3
"""Mixed load while versions are swapped: no request may be lost, and memory must stay flat.

A release node serves hits, misses, generated answers and awaiting functions to a few viewers, while every few seconds
all functions are given a new version and the node is told to reload (SIGHUP). Every answer must be whole, and by the
version that was current when it was asked for or by a later one. Resident memory is sampled with each swap; the first
tenth is left out of the judgement, for pools and caches fill in it. Standard library only.
"""

import argparse
import http.client
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from load import Case, Failure, Origin, Server, free_port

FUNCTIONS = {
    "request": "exports.handler = async (event) => { const { request } = event.Records[0].cf; request.headers['x-seen'] = [{ value: '@V@' }]; return request; };",
    "response": "exports.handler = (event, context, done) => { const { response } = event.Records[0].cf; response.headers['x-version'] = [{ value: '@V@' }]; done(null, response); };",
    "made": "const { createHash } = require('crypto'); exports.handler = async () => ({ status: '200', headers: { 'x-version': [{ value: '@V@' }] }, body: createHash('sha256').update('@V@').digest('hex') });",
    "waits": "exports.handler = async (event) => { await new Promise((done) => setTimeout(done, 2)); return { status: '200', headers: { 'x-version': [{ value: '@V@' }] }, body: 'x'.repeat(2000) }; };",
    "throws": "exports.handler = async () => { throw new Error('@V@'); };",
}

SITE = """
node: {{ listen: '127.0.0.1:{listen}', admin: '127.0.0.1:{admin}', cache_memory: 16MiB, hooks: {{ idle_timeout: 5 }}, log: {{ access: false, level: error }} }}
functions: {{ {functions} }}
distributions:
  soak:
    origins: {{ origin: 'http://127.0.0.1:{origin}' }}
    cache_behaviors:
      - {{ path: /made, on: {{ viewer-request: made }} }}
      - {{ path: /waits, on: {{ viewer-request: waits }} }}
      - {{ path: /throws, on: {{ viewer-request: throws }} }}
      - {{ path: /plain*, cache_policy: Managed-CachingOptimized }}
    default_cache_behavior:
      cache_policy: Managed-CachingOptimized
      on: {{ viewer-request: request, viewer-response: response }}
"""


class Viewers:
    """Threads that ask in turn for everything there is."""

    def __init__(self, port, count):
        self.port = port
        self.version = 0
        self.asked = 0
        self.lost = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(n,)) for n in range(count)]
        for thread in self.threads:
            thread.start()

    def run(self, number):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        turn = 0
        while not self.stopping.is_set():
            turn += 1
            # A path of its own now and then, so that the cache is filled and emptied too.
            path = ("/hit", "/made", "/plain", "/waits", f"/miss{number}-{turn}", "/throws")[turn % 6]
            oldest = self.version
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                body = answer.read()
                self.judge(path, oldest, answer, body)
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(f"{path}: {error!r}")
                connection.close()
            self.asked += 1
            self.stopping.wait(0.004)
        connection.close()

    def judge(self, path, oldest, answer, body):
        expected = 503 if path == "/throws" else 200
        if answer.status != expected or not body:
            self.lost.append(f"{path}: {answer.status} with {len(body)} bytes")
        version = answer.getheader("x-version")
        if path.startswith(("/plain", "/throws")):
            return
        # One swap may be under way: what was current when the request was sent, or newer.
        if version is None or int(version) < oldest - 1:
            self.lost.append(f"{path}: by version {version}, and {oldest} was current")

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()


def write_versions(folder, version):
    for name, code in FUNCTIONS.items():
        part = folder / f"{name}.js.part"
        part.write_text(code.replace("@V@", str(version)) + "\n")
        part.replace(folder / f"{name}.js")


def plot(samples, width=64, height=12):
    """Resident MiB over time, drawn with characters."""
    low, high = min(samples), max(samples)
    span = max(high - low, 1)
    columns = [samples[i * len(samples) // width] for i in range(min(width, len(samples)))]
    for row in range(height, -1, -1):
        label = f"{low + span * row / height:7.0f} |"
        print(label + "".join("*" if round((c - low) / span * height) == row else " " for c in columns))


def main():
    parser = argparse.ArgumentParser(description="Mixed load while versions are swapped.")
    parser.add_argument("--fourfront", metavar="PROGRAM", required=True, help="the release binary")
    parser.add_argument("--minutes", type=float, default=60, help="how long (default: 60)")
    parser.add_argument("--swap", type=float, default=10, help="seconds between versions (default: 10)")
    parser.add_argument("--viewers", type=int, default=4, help="connections that ask (default: 4)")
    arguments = parser.parse_args()
    origin = Origin()
    with tempfile.TemporaryDirectory(prefix="fourfront-soak-") as temporary:
        folder = Path(temporary)
        listen, admin = free_port(), free_port()
        write_versions(folder, 0)
        functions = ", ".join(f"{name}: {{ file: ./{name}.js }}" for name in FUNCTIONS)
        config = folder / "fourfront.yaml"
        config.write_text(SITE.format(listen=listen, admin=admin, functions=functions, origin=origin.port))
        server = Server("fourfront", [arguments.fourfront, "serve", "-c", str(config)], listen, 0, folder / "log")
        os.sched_setaffinity(server.process.pid, os.sched_getaffinity(0))
        server.wait_until_ready(Case("made", "/made", "generated", size=64))
        viewers = Viewers(listen, arguments.viewers)
        samples, end, version = [], time.monotonic() + arguments.minutes * 60, 0
        try:
            while time.monotonic() < end:
                time.sleep(arguments.swap)
                version += 1
                write_versions(folder, version)
                server.process.send_signal(signal.SIGHUP)
                # Reloading takes a moment: until the next swap the version before is still right.
                viewers.version = version - 1
                samples.append(server.resident_mib())
                if server.process.poll() is not None:
                    raise Failure(f"the node ended: {server.tail()}")
        finally:
            viewers.stop()
            server.stop()
            origin.stop()
    settled = samples[len(samples) // 10 :]
    third = max(len(settled) // 3, 1)
    first, last = sum(settled[:third]) / third, sum(settled[-third:]) / third
    plot(samples)
    print(
        f"{arguments.minutes:g} minutes, {version} versions, {viewers.asked} requests, {len(viewers.lost)} lost; resident MiB: "
        f"{first:.0f} in the first third, {last:.0f} in the last, {max(samples):.0f} at most"
    )
    for line in viewers.lost[:10]:
        print(f"  lost: {line}")
    if viewers.lost:
        raise Failure("requests were lost")
    if last > first * 1.1 + 10:
        raise Failure("resident memory grows")


if __name__ == "__main__":
    try:
        main()
    except (Failure, subprocess.SubprocessError) as failure:
        sys.exit(f"soak: {failure}")
