#!/usr/bin/env python3
"""An origin group under load: its primary is killed and started again, and no viewer notices (CF-442..448).

Two nginx are the origins, and the node caches nothing, so that each request goes to one of them. Viewers ask at a steady rate, each
over a connection of its own, whether or not the answers come in time. Standard library only.
"""

import argparse
import http.client
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from load import Failure, free_port, nginx_program  # noqa: E402

SITE = """
node: {{ listen: '127.0.0.1:{listen}', admin: '127.0.0.1:{admin}', log: {{ access: false }} }}
distributions:
  load:
    origins: {{ primary: 'http://127.0.0.1:{primary}', secondary: 'http://127.0.0.1:{secondary}' }}
    origin_groups:
      both: {{ members: [primary, secondary], failover_criteria: {{ status_codes: [500, 502, 503, 504] }} }}
    default_cache_behavior: {{ origin: both, cache_policy: Managed-CachingDisabled }}
"""

NGINX = """
daemon off;
worker_processes 1;
pid {folder}/{name}.pid;
error_log {folder}/{name}.log crit;
{user}
events {{ worker_connections 512; }}
http {{
    access_log off;
    server {{ listen 127.0.0.1:{port}; location / {{ default_type text/plain; return 200 '{name}'; }} }}
}}
"""


class Origin:
    def __init__(self, folder, name):
        self.port = free_port()
        self.config = Path(folder) / f"{name}.conf"
        user = "user root;" if os.geteuid() == 0 else ""
        self.config.write_text(NGINX.format(folder=folder, name=name, port=self.port, user=user))
        self.process = None

    def start(self):
        command = [nginx_program(), "-c", str(self.config), "-e", str(self.config) + ".log"]
        self.process = subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL)
        wait_for(self.port)

    def kill(self):
        """The whole of it, in the middle of what it does."""
        os.killpg(self.process.pid, 9)
        self.process.wait()


def wait_for(port, seconds=20):
    end = time.monotonic() + seconds
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/")
            connection.getresponse().read()
            connection.close()
            return
        except OSError:
            if time.monotonic() > end:
                raise Failure(f"nothing answers on port {port}")
            time.sleep(0.02)  # a port that is not open yet gives nothing to wait on


class Viewer(threading.Thread):
    """Asks at a steady rate, and notes when, what came and after how long."""

    def __init__(self, port, begin, end, every, offset):
        super().__init__(daemon=True)
        self.port, self.end, self.every = port, end, every
        self.next = begin + offset
        self.answers = []

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        while self.next < self.end:
            time.sleep(max(0, self.next - time.monotonic()))
            due = self.next
            try:
                connection.request("GET", "/")
                response = connection.getresponse()
                said = (response.status, response.read().decode())
            except (OSError, http.client.HTTPException) as error:
                said = (0, repr(error))
                connection.close()
            self.answers.append((due, said, time.monotonic() - due))
            self.next += self.every
        connection.close()


def main():
    parser = argparse.ArgumentParser(description="An origin group whose primary is killed under load.")
    parser.add_argument("--fourfront", metavar="PROGRAM", required=True, help="the release binary")
    parser.add_argument("--rate", type=int, default=200, help="requests per second (default: 200)")
    parser.add_argument("--seconds", type=float, default=6, help="before, during and after the failure, each (default: 6)")
    options = parser.parse_args()
    viewers = 20
    with tempfile.TemporaryDirectory(prefix="fourfront-failover-") as folder:
        primary, secondary = Origin(folder, "primary"), Origin(folder, "secondary")
        listen, admin = free_port(), free_port()
        site = Path(folder) / "fourfront.yaml"
        site.write_text(SITE.format(listen=listen, admin=admin, primary=primary.port, secondary=secondary.port))
        primary.start()
        secondary.start()
        log = open(Path(folder) / "node.log", "wb")
        node = subprocess.Popen([options.fourfront, "serve", "-c", str(site)], stdout=log, stderr=log)
        try:
            wait_for(listen)
            begin = time.monotonic() + 0.2
            end = begin + 3 * options.seconds
            every = viewers / options.rate
            threads = [Viewer(listen, begin, end, every, every * n / viewers) for n in range(viewers)]
            for thread in threads:
                thread.start()
            time.sleep(begin + options.seconds - time.monotonic())
            primary.kill()
            killed = time.monotonic()
            time.sleep(begin + 2 * options.seconds - time.monotonic())
            primary.start()
            back = time.monotonic()
            for thread in threads:
                thread.join()
        finally:
            node.terminate()
            node.wait(60)
            for origin in (primary, secondary):
                if origin.process and origin.process.poll() is None:
                    origin.kill()
        report([answer for thread in threads for answer in thread.answers], killed, back)


def report(answers, killed, back):
    failed = [said for _, said, _ in answers if said[0] != 200]
    phases = (
        ("before", [a for a in answers if a[0] < killed - 0.5]),
        ("while the primary is gone", [a for a in answers if killed < a[0] < back - 0.5]),
        ("after", [a for a in answers if a[0] > back]),
    )
    print(f"{len(answers)} requests, {len(failed)} without a 200")
    for name, own in phases:
        by = {who: sum(1 for _, said, _ in own if said[1] == who) for who in ("primary", "secondary")}
        times = sorted(time for _, _, time in own)
        p99 = times[int(len(times) * 0.99)] * 1000 if times else 0
        print(f"  {name}: primary {by['primary']}, secondary {by['secondary']}, p99 {p99:.1f} ms, most {times[-1] * 1000:.1f} ms")
    if failed:
        raise Failure(f"viewers got {failed[:5]}")
    for (name, own), who in zip(phases, ("primary", "secondary", "primary")):
        others = [said for _, said, _ in own if said[1] != who]
        if not own or others:
            raise Failure(f"{name}: {len(others)} of {len(own)} answers are not the {who}'s")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"failover: {failure}")
