#!/usr/bin/env python3
"""The release node beside nginx, Varnish and workerd: requests per second and CPU per request.

Both servers get one worker on one core; wrk drives them with keep-alive connections from
another. The runs alternate (fourfront, nginx, fourfront, nginx, ...), because a machine
changes its speed in the course of minutes, and the medians are compared. CPU time is what
/proc says that the server's processes used during the run, divided by the requests that
wrk counted; it is steadier than requests per second.

README.md in this folder says how each server is set up, and why. Standard library only.
"""

import argparse
import http.client
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).resolve().parent
TICKS = os.sysconf("SC_CLK_TCK")
BODY = b"x" * 1023 + b"\n"
LARGE = b"x" * (100 * 1024)
NJS_MODULE = Path("/usr/lib/nginx/modules/ngx_http_js_module.so")


class Case:
    """One comparison: the same path on both servers.

    `header` must be in the answer, as proof that the hook ran; `size` is the body's, in bytes.
    """

    def paths(self):
        return [f"{self.path}{n}" for n in range(self.many)] if self.many else [self.path]

    def __init__(self, name, path, title, header=None, size=len(BODY), many=0):
        self.name = name
        self.path = path
        # How many objects are asked for in turn, as `path` and a number; 0 for the one at `path`.
        self.many = many
        self.title = title
        self.header = header
        self.size = size


CASES = [
    Case("hit", "/hit", "1 KB memory hit"),
    Case("large", "/large", "100 KB memory hit", size=len(LARGE)),
    # Eight times what the memory tier holds; nginx reads its files from the page cache as well.
    Case("disk", "/disk/", "100 KB disk hit", size=len(LARGE), many=5000),
    Case("hook", "/hook", "1 KB memory hit with a viewer-response hook", header="x-hook"),
    Case("generated", "/generated", "response generated at viewer-request", header="x-hook", size=12),
]


# What a function adds to a request: two paths whose answers have the same fields and length, one without and one
# with a function, over one connection, so that each request waits for the one before.
PLAIN = Case("plain", "/plain", "the answer of /hook from the cache alone", header="x-hook")


class Failure(Exception):
    """What cannot be measured, and why."""


class Origin:
    """Fills both caches. Counts, so that a run that was no run of hits is noticed."""

    def __init__(self):
        origin = self
        self.requests = 0

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                origin.requests += 1
                body = LARGE if self.path.startswith(("/large", "/disk/")) else BODY
                self.send_response(200)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "public, max-age=86400")
                if self.path == PLAIN.path:
                    self.send_header("X-Hook", "viewer-response")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()


class Server:
    """A server under test, in a process (with children) of its own, pinned to one core."""

    def __init__(self, name, command, port, core, log, env=None):
        self.name = name
        self.port = port
        self.log = log
        # The names of the cases that it takes part in; all of them.
        self.cases = None
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                ["taskset", "-c", str(core)] + command,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **(env or {})},
            )

    def url(self, case):
        return f"http://127.0.0.1:{self.port}{case.paths()[0]}"

    def fill(self, case):
        """Asks for every object once, over one connection."""
        viewer = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        for path in case.paths():
            viewer.request("GET", path)
            viewer.getresponse().read()
        viewer.close()

    def wait_until_ready(self, case, seconds=30):
        """Asks until the case is answered; a server that exits is reported with its log."""
        end = time.monotonic() + seconds
        reason = "no answer"
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise Failure(f"{self.name} exited with {self.process.returncode}:\n{self.tail()}")
            try:
                return self.get(case)
            except (OSError, urllib.error.URLError) as error:
                reason = error
                time.sleep(0.05)  # a port that is not open yet gives nothing to wait on
        raise Failure(f"{self.name} did not answer {case.path} in {seconds} s ({reason}):\n{self.tail()}")

    def get(self, case):
        with urllib.request.urlopen(self.url(case), timeout=5) as response:
            headers = {name.lower() for name in response.headers.keys()}
            return response.status, headers, response.read()

    def check(self, case):
        """The answer is the one that the case is about."""
        status, headers, body = self.get(case)
        if status != 200 or len(body) != case.size:
            raise Failure(f"{self.name} answers {case.path} with {status} and {len(body)} bytes, not 200 and {case.size}")
        if case.header and case.header not in headers:
            raise Failure(f"{self.name} answers {case.path} without {case.header}: the hook did not run")

    def processes(self):
        """The process and all its descendants."""
        children = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                fields = stat_fields(entry)
                if fields:
                    children.setdefault(int(fields[1]), []).append(int(entry.name))
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            todo += children.get(pid, [])
        return found

    def cpu_seconds(self):
        """User and system time of all its processes so far."""
        ticks = 0
        for pid in self.processes():
            fields = stat_fields(Path("/proc") / str(pid))
            if fields:
                ticks += int(fields[11]) + int(fields[12])
        return ticks / TICKS

    def resident_mib(self):
        pages = 0
        for pid in self.processes():
            try:
                pages += int((Path("/proc") / str(pid) / "statm").read_text().split()[1])
            except (OSError, IndexError):
                pass
        return pages * os.sysconf("SC_PAGE_SIZE") / 1048576

    def tail(self):
        return Path(self.log).read_text(errors="replace")[-2000:]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                for pid in self.processes():
                    try:
                        os.kill(pid, 9)
                    except ProcessLookupError:
                        pass
                self.process.wait()


def stat_fields(process):
    """Fields of /proc/PID/stat from the third (state) on; the name before may hold spaces."""
    try:
        return (process / "stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def nginx_program():
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if not program:
        raise Failure("nginx is not installed (Debian package nginx-light)")
    return program


def start_nginx(folder, core, origin_port, handles):
    """nginx, with the handles of its cache files kept open (`open_file_cache`) or not, as by default."""
    name = "nginx" if handles else "nginx-plain"
    folder = folder / name
    folder.mkdir()
    port = free_port()
    njs = NJS_MODULE.exists()
    # A file system in memory, as operators who want memory hits mount it.
    cache = tempfile.mkdtemp(prefix="fourfront-load-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else folder)
    text = (HERE / "nginx.conf").read_text()
    replacements = {
        "@MODULES@": f"load_module {NJS_MODULE};" if njs else "",
        "@USER@": "user root;" if os.geteuid() == 0 else "",
        "@JS@": f"js_import load from {HERE / 'nginx.js'};" if njs else "",
        "@HOOK@": "js_header_filter load.hook;" if njs else "add_header X-Hook nginx;",
        "@GENERATED@": "js_content load.generated;" if njs else "add_header X-Hook nginx; return 200 'hello, edge\\n';",
        "@CACHE@": cache,
        "@HANDLES@": "open_file_cache max=10000 inactive=1d; open_file_cache_valid 1h;" if handles else "",
        "@FOLDER@": str(folder),
        "@PORT@": str(port),
        "@ORIGIN@": str(origin_port),
    }
    for mark, value in replacements.items():
        text = text.replace(mark, value)
    config = folder / "nginx.conf"
    config.write_text(text)
    command = [nginx_program(), "-c", str(config), "-p", str(folder), "-e", str(folder / "nginx-error.log")]
    server = Server(name, command, port, core, folder / "nginx.log")
    server.cache = cache
    return server


def start_fourfront(program, folder, core, origin_port):
    port, admin = free_port(), free_port()
    data = folder / "fourfront-data"
    data.mkdir()
    env = {"PORT": str(port), "ADMIN": str(admin), "ORIGIN": str(origin_port), "DATA": str(data)}
    command = [program, "serve", "-c", str(HERE / "fourfront.yaml")]
    return Server("fourfront", command, port, core, folder / "fourfront.log", env)


def start_varnish(folder, core, origin_port):
    """Varnish, which has no functions in JavaScript: it takes part in the hits."""
    program = shutil.which("varnishd", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if not program:
        return None
    port = free_port()
    folder = folder / "varnish"
    command = [program, "-F", "-n", str(folder), "-a", f"127.0.0.1:{port}", "-b", f"127.0.0.1:{origin_port}"]
    # One pool of threads is what one core has use for.
    command += ["-s", "malloc,64m", "-p", "thread_pools=1", "-p", "thread_pool_min=60"]
    server = Server("varnish", command, port, core, folder.parent / "varnish.log")
    server.cases = {"hit", "large"}
    return server


def start_workerd(program, folder, core):
    """workerd, which has isolates and no cache: it takes part in what needs none."""
    port = free_port()
    folder = folder / "workerd"
    folder.mkdir()
    shutil.copy(HERE / "workerd.js", folder / "workerd.js")
    text = (HERE / "workerd.capnp").read_text()
    config = folder / "workerd.capnp"
    config.write_text(text.replace("@PORT@", str(port)).replace("@SCRIPT@", "workerd.js"))
    server = Server("workerd", [program, "serve", str(config)], port, core, folder / "workerd.log")
    server.cases = {"generated"}
    return server


def run_wrk(server, case, core, connections, seconds):
    """One run. Its numbers, with the CPU time that the server used meanwhile."""
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", server.url(case)]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        if case.many:
            # A step that has no divisor in common with the number takes all of them in turn, and not in the order stored.
            script.write(f"local n = 0\nrequest = function() n = (n + 1237) % {case.many}; ")
            script.write(f"return wrk.format('GET', '{case.path}' .. n) end\n")
            script.flush()
            command += ["-s", script.name]
        before = server.cpu_seconds()
        finished = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
    cpu = server.cpu_seconds() - before
    if finished.returncode != 0:
        raise Failure(f"wrk failed: {finished.stderr.strip() or finished.stdout.strip()}")
    out = finished.stdout
    for bad in ("Non-2xx", "Socket errors"):
        if bad in out:
            line = next(line for line in out.splitlines() if bad in line).strip()
            raise Failure(f"{server.name} {case.path}: {line}")
    requests = int(re.search(r"(\d+) requests in", out).group(1))
    return {
        "requests_per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)),
        "cpu_us_per_request": cpu * 1e6 / requests,
        "p99_ms": milliseconds(re.search(r"99%\s+([\d.]+)(us|ms|s)", out)),
        "requests": requests,
    }


def milliseconds(match):
    return float(match.group(1)) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[match.group(2)]


def two_cores():
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        print("only one core here: server and wrk share it, so requests per second mean little", file=sys.stderr)
    return cores[0], cores[-1]


def measure(servers, cases, origin, cores, arguments):
    """{case: {server: [run, ...]}}, the servers taking turns."""
    results = {}
    every = servers
    for case in cases:
        servers = [server for server in every if server.cases is None or case.name in server.cases]
        for server in servers:
            server.wait_until_ready(case)
            server.check(case)
            if case.many:
                server.fill(case)
            run_wrk(server, case, cores[1], arguments.connections, 1)
        filled = origin.requests
        runs = {server.name: [] for server in servers}
        for _ in range(arguments.rounds):
            for server in servers:
                runs[server.name].append(run_wrk(server, case, cores[1], arguments.connections, arguments.seconds))
        if origin.requests != filled:
            raise Failure(f"{case.title}: the origin was asked {origin.requests - filled} times, so these were no hits")
        for server in servers:
            server.check(case)
        results[case.name] = runs
        print_case(case, runs)
    return results


def measure_call(server, hook, cores, arguments):
    """Time and CPU that a warm call adds to a request: medians of pairs of runs, in microseconds."""
    for case in (PLAIN, hook):
        server.check(case)
        run_wrk(server, case, cores[1], 1, 1)
    added = {"time": [], "cpu": []}
    for _ in range(arguments.rounds):
        plain, hooked = (run_wrk(server, case, cores[1], 1, arguments.seconds) for case in (PLAIN, hook))
        added["time"].append(1e6 / hooked["requests_per_second"] - 1e6 / plain["requests_per_second"])
        added["cpu"].append(hooked["cpu_us_per_request"] - plain["cpu_us_per_request"])
    print("\na warm viewer-response call, added to a request over one connection")
    for name, runs in added.items():
        print(f"  {name:<6}{statistics.median(runs):6.1f} us   ({min(runs):.1f}..{max(runs):.1f})")
    return added


def median(runs, key):
    return statistics.median(run[key] for run in runs)


def print_case(case, runs):
    print(f"\n{case.title} ({case.path})")
    print(f"  {'':<14}{'requests/s':>10}{'CPU us/request':>16}{'lowest..highest':>18}{'p99 ms':>9}")
    for name, own in runs.items():
        cpu = [run["cpu_us_per_request"] for run in own]
        spread = f"{min(cpu):.2f}..{max(cpu):.2f}"
        print(
            f"  {name:<12}{median(own, 'requests_per_second'):>12.0f}{median(own, 'cpu_us_per_request'):>16.2f}"
            f"{spread:>18}{median(own, 'p99_ms'):>9.2f}"
        )
    ours = runs.get("fourfront")
    for name, theirs in runs.items() if ours else ():
        if theirs is not ours:
            speed = median(ours, "requests_per_second") / median(theirs, "requests_per_second")
            cpu = median(ours, "cpu_us_per_request") / median(theirs, "cpu_us_per_request")
            print(f"  {'to ' + name:<16}{speed:>8.2f}{cpu:>16.2f}")
    sys.stdout.flush()


def parse_arguments():
    parser = argparse.ArgumentParser(description="The release node beside nginx.")
    parser.add_argument("--fourfront", metavar="PROGRAM", help="the release binary; without it nginx runs alone")
    parser.add_argument("--workerd", metavar="PROGRAM", help="workerd, to run beside the others where no cache is needed")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each server and case (default: 5)")
    parser.add_argument("--seconds", type=int, default=4, help="length of a run (default: 4)")
    parser.add_argument("--connections", type=int, default=50, help="keep-alive connections (default: 50)")
    parser.add_argument("--only", choices=[case.name for case in CASES], help="one case")
    parser.add_argument("--json", metavar="FILE", help="write every run to FILE")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    for tool in ("wrk", "taskset"):
        if not shutil.which(tool):
            raise Failure(f"{tool} is not installed (scripts/setup.sh bench)")
    cases = [case for case in CASES if arguments.only in (None, case.name)]
    cores = two_cores()
    # Everything but the servers stays off the servers' core.
    os.sched_setaffinity(0, {cores[1]})
    origin = Origin()
    servers = []
    with tempfile.TemporaryDirectory(prefix="fourfront-load-") as temporary:
        folder = Path(temporary)
        try:
            if arguments.fourfront:
                servers.append(start_fourfront(arguments.fourfront, folder, cores[0], origin.port))
            servers += [start_nginx(folder, cores[0], origin.port, handles) for handles in (True, False)]
            varnish = start_varnish(folder, cores[0], origin.port)
            if varnish:
                servers.append(varnish)
            else:
                print("without Varnish (package varnish)")
            if arguments.workerd:
                servers.append(start_workerd(arguments.workerd, folder, cores[0]))
            version = subprocess.run([nginx_program(), "-v"], capture_output=True, text=True, check=True).stderr.strip()
            with_njs = "with njs" if NJS_MODULE.exists() else "without njs (libnginx-mod-http-js): plain directives instead"
            print(f"{version}, {with_njs}")
            print(
                f"{arguments.rounds} rounds of {arguments.seconds} s, {arguments.connections} connections, "
                f"servers on core {cores[0]}, wrk on core {cores[1]}"
            )
            results = measure(servers, cases, origin, cores, arguments)
            hook = next((case for case in cases if case.name == "hook"), None)
            if arguments.fourfront and hook:
                results["call"] = measure_call(servers[0], hook, cores, arguments)
            print("\nresident MiB: " + ", ".join(f"{s.name} {s.resident_mib():.0f}" for s in servers))
            if arguments.json:
                Path(arguments.json).write_text(json.dumps(results, indent=1) + "\n")
        finally:
            for server in servers:
                server.stop()
                if hasattr(server, "cache"):
                    shutil.rmtree(server.cache, ignore_errors=True)
            origin.stop()


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"load: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)
