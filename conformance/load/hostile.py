#!/usr/bin/env python3
"""What hostile functions do to a function beside them: its p99 quiet, and under attack.

One release node on all cores. A client asks for the victim over one connection; meanwhile each attacker is
called without a pause, and each of its answers must be the error that the contract gives it. Quiet and attacked runs
alternate, and the medians are compared. Standard library only.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path

from load import Failure, Origin, free_port

# name, handler's body, status, X-Cache token (LE-250, LE-264, LE-271, LE-285, LE-317)
ATTACKERS = [
    ("loop", "for (;;) {}", 503, "LambdaExecutionError"),
    ("memory", "const all = []; for (;;) all.push(new Array(10000).fill(all.length));", 503, "LambdaExecutionError"),
    (
        "promises",
        "const flood = () => Promise.resolve().then(flood).then(flood); await flood(); await new Promise(() => {});",
        503,
        "LambdaExecutionError",
    ),
    ("huge", "request.uri = '/' + 'u'.repeat(7 * 1024 * 1024); return request;", 502, "LambdaValidationError"),
    ("throws", "throw new Error('now');", 503, "LambdaExecutionError"),
    (
        "rejection",
        "Promise.reject(new Error('nobody listens')); await new Promise((done) => setTimeout(done, 50)); return request;",
        503,
        "LambdaExecutionError",
    ),
]
VICTIM = "return { status: '200', statusDescription: 'OK', body: 'well' };"


def site(folder, origin_port):
    """A site with the victim at / and each attacker at its own path."""
    functions, behaviors = [], []
    for name, body, _, _ in [("victim", VICTIM, 200, "")] + ATTACKERS:
        (folder / f"{name}.js").write_text(
            f"exports.handler = async (event) => {{ const {{ request }} = event.Records[0].cf; {body} }};\n"
        )
        functions.append(f"  {name}: {{ file: ./{name}.js, timeout: 1, memory: 128 }}\n")
        if name != "victim":
            behaviors.append(f"      - {{ path: /{name}, on: {{ viewer-request: {name} }} }}\n")
    port, admin = free_port(), free_port()
    file = folder / "fourfront.yaml"
    file.write_text(
        f"node: {{ listen: '127.0.0.1:{port}', admin: '127.0.0.1:{admin}', log: {{ access: false, level: error }} }}\n"
        f"functions:\n{''.join(functions)}"
        "distributions:\n  attacked:\n"
        f"    origins: {{ never: 'http://127.0.0.1:{origin_port}' }}\n"
        f"    cache_behaviors:\n{''.join(behaviors)}"
        "    default_cache_behavior: { on: { viewer-request: victim } }\n"
    )
    return file, port


def ask(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return answer.status, answer.headers.get("x-cache", "")
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("x-cache", "")


class Client:
    """One keep-alive connection, one request at a time. It stands for a viewer on another machine, which does not
    wait for this one's cores: it goes first where that is allowed."""

    CODE = """
import gc, os, socket, sys, time
try:
    os.setpriority(os.PRIO_PROCESS, 0, -15)
except OSError:
    pass
gc.disable()
port, seconds = int(sys.argv[1]), float(sys.argv[2])
viewer = socket.create_connection(("127.0.0.1", port))
viewer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
clock, times = time.perf_counter_ns, []
end = clock() + int(seconds * 1e9)
while clock() < end:
    began = clock()
    viewer.sendall(b"GET / HTTP/1.1\\r\\nHost: a.test\\r\\n\\r\\n")
    answer = viewer.recv(65536)
    while not answer.endswith(b"\\r\\n\\r\\nwell"):
        more = viewer.recv(65536)
        if not more:
            sys.exit("the connection was closed")
        answer += more
    times.append(clock() - began)
    if not answer.startswith(b"HTTP/1.1 200"):
        sys.exit(f"not 200: {answer[:300]}")
times.sort()
print(len(times), *(times[min(len(times) - 1, int(len(times) * share))] / 1e6 for share in (0.5, 0.99, 0.999)))
"""

    def __init__(self, port, seconds):
        command = [sys.executable, "-c", self.CODE, str(port), str(seconds)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=False)
        if done.returncode != 0:
            raise Failure(f"the victim failed: {done.stderr}")
        self.requests, self.p50, self.p99, self.p999 = map(float, done.stdout.split())

    def __str__(self):
        return f"{self.p50:.2f} / {self.p99:.2f} / {self.p999:.2f}"


class Attack:
    """Calls every attacker again and again until it is told to stop."""

    def __init__(self, port):
        self.port = port
        self.over = threading.Event()
        self.calls = {name: 0 for name, *_ in ATTACKERS}
        self.wrong = []
        self.threads = [threading.Thread(target=self.run, args=row) for row in ATTACKERS]
        for thread in self.threads:
            thread.start()

    def run(self, name, _, status, token):
        # It stands for clients on other machines: the cores are for the node and its viewer.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        while not self.over.is_set():
            answer = ask(self.port, f"/{name}")
            self.calls[name] += 1
            if answer[0] != status or not answer[1].startswith(token):
                self.wrong.append((name, answer))

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


def measure(program, folder, arguments):
    origin = Origin()
    file, port = site(folder, origin.port)
    log = folder / "node.log"
    with open(log, "wb") as output:
        node = subprocess.Popen([program, "serve", "-c", str(file)], stdout=output, stderr=output, stdin=subprocess.DEVNULL)
    try:
        for _ in range(300):
            if node.poll() is not None:
                raise Failure(f"the node exited:\n{log.read_text(errors='replace')[-2000:]}")
            try:
                if ask(port, "/")[0] == 200:
                    break
            except OSError:
                threading.Event().wait(0.1)  # a port that is not open yet gives nothing to wait on
        Client(port, 3)
        quiet, attacked, calls = [], [], {name: 0 for name, *_ in ATTACKERS}
        for _ in range(arguments.rounds):
            quiet.append(Client(port, arguments.seconds))
            attack = Attack(port)
            attacked.append(Client(port, arguments.seconds))
            attack.stop()
            if attack.wrong:
                raise Failure(f"wrong answers: {attack.wrong[:5]}")
            for name, n in attack.calls.items():
                calls[name] += n
        print("attackers' calls, each answered as the contract says: " + ", ".join(f"{k} {v}" for k, v in calls.items()))
        print("victim, milliseconds, p50 / p99 / p99.9")
        print("  quiet:    " + ", ".join(map(str, quiet)))
        print("  attacked: " + ", ".join(map(str, attacked)))
        ratio = statistics.median(c.p99 for c in attacked) / statistics.median(c.p99 for c in quiet)
        print(f"ratio of the medians of p99: {ratio:.2f}")
    finally:
        node.terminate()
        node.wait(30)
        origin.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fourfront", metavar="PROGRAM", required=True, help="the release binary")
    parser.add_argument("--rounds", type=int, default=5, help="quiet and attacked runs (default: 5)")
    parser.add_argument("--seconds", type=int, default=4, help="length of a run (default: 4)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fourfront-hostile-") as temporary:
        measure(arguments.fourfront, Path(temporary), arguments)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"hostile: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
