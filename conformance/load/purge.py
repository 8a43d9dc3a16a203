#!/usr/bin/env python3
"""A purge by tag of 100,000 of 1,000,000 cached objects, under load.

nginx is the origin: every path has a small answer, those under /hot/ with a tag. wrk fills the cache, then hits
random objects that the purge does not name; another wrk hits some that it does. In the middle the node is told to
purge the tag. Told are: how long until the call is answered and the first purged object is a miss, and the p99 of
hits before, during and after. Objects that are purged are misses then, which the origin answers, so they are
measured apart. Standard library only; nginx and wrk as Debian has them.
"""

import argparse
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from load import Case, Failure, Server, free_port, two_cores

NGINX = """
worker_processes 1;
daemon off;
error_log stderr crit;
pid {folder}/nginx.pid;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 100000000;
  server {{
    listen 127.0.0.1:{port};
    default_type text/plain;
    location /hot/ {{ add_header Cache-Control "max-age=86400"; add_header Cache-Tag "all, hot"; return 200 "hot\\n"; }}
    location / {{ add_header Cache-Control "max-age=86400"; add_header Cache-Tag "all"; return 200 "cold\\n"; }}
  }}
}}
"""

SITE = """
node: {{ listen: '127.0.0.1:{listen}', admin: '127.0.0.1:{admin}', threads: 1, cache_memory: {memory}GiB, data_dir: {folder}/data, log: {{ access: false }} }}
distributions:
  load:
    cache_tag_config: {{ header_name: Cache-Tag }}
    origins: {{ app: 'http://127.0.0.1:{origin}' }}
"""

# Asks for one path after the other. wrk asks for a first request that it does not send.
FILL = """
function init(args) stem, n, last = args[1], tonumber(args[2]) - 1, tonumber(args[3]) end
function request()
  local at = math.max(n, 0)
  if n < last - 1 then n = n + 1 end
  return wrk.format("GET", stem .. at)
end
"""

HITS = """
function init(args) stem, last = args[1], tonumber(args[2]); math.randomseed(7) end
function request() return wrk.format("GET", stem .. math.random(0, last - 1)) end
function done(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %d\\n", summary.requests, latency:percentile(50), latency:percentile(99), latency.max))
end
"""


def wrk(script, port, seconds, connections, arguments, core):
    command = ["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script)]
    command += [f"http://127.0.0.1:{port}/", "--", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def result(process):
    text = process.communicate(timeout=120)[0]
    found = re.search(r"^RESULT (\d+) (\d+) (\d+) (\d+)$", text, re.M)
    if not found or re.search(r"Non-2xx|Socket errors", text):
        raise Failure(f"wrk: {text}")
    requests, p50, p99, most = map(int, found.groups())
    return requests, p50, p99, most


def metrics(admin):
    connection = http.client.HTTPConnection("127.0.0.1", admin, timeout=60)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def objects(admin):
    return int(re.search(r"^fourfront_cached_objects (\d+)$", metrics(admin), re.M)[1])


def fill(node, script, stem, count, core):
    """Asks for every path, from the first on, until all are there."""
    before = objects(node.admin)
    end = time.monotonic() + 900
    while (filled := objects(node.admin) - before) < count:
        if time.monotonic() > end:
            raise Failure(f"{filled} of {count} objects after 15 minutes")
        # What was on its way at the end of a round is asked for again.
        wrk(script, node.port, 5, 32, [stem, max(0, filled - 100), count], core).communicate()


def verdict(connection, path):
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    return answer.getheader("X-Cache", "").split()[0]


def purge(node, path, told):
    """Purges the tag, and watches one of its objects all the while."""
    watcher = http.client.HTTPConnection("127.0.0.1", node.port, timeout=60)
    if verdict(watcher, path) != "Hit":
        raise Failure(f"{path} is not cached")
    caller = http.client.HTTPConnection("127.0.0.1", node.admin, timeout=60)
    caller.connect()
    began = time.perf_counter()

    def call():
        body = json.dumps({"tags": ["hot"]})
        caller.request("POST", "/_fourfront/v1/purge", body, {"Content-Type": "application/json"})
        answer = caller.getresponse()
        document = json.loads(answer.read())
        if answer.status != 201:
            raise Failure(document)
        told["answered"] = time.perf_counter() - began

    thread = threading.Thread(target=call)
    thread.start()
    while verdict(watcher, path) == "Hit":
        if time.perf_counter() - began > 30:
            raise Failure("it still answers after 30 s")
    told["effect"] = time.perf_counter() - began
    thread.join()


def measure(arguments, folder, cores):
    hot, cold = arguments.objects // 10, arguments.objects - arguments.objects // 10
    origin_port, listen, admin = free_port(), free_port(), free_port()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=origin_port))
    (folder / "fill.lua").write_text(FILL)
    (folder / "hits.lua").write_text(HITS)
    memory = max(1, arguments.objects * 3 // 1_000_000 + 1)
    config = folder / "fourfront.yaml"
    config.write_text(SITE.format(listen=listen, admin=admin, memory=memory, origin=origin_port, folder=folder))
    origin = Server("nginx", ["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)], origin_port, cores[1], folder / "origin.log")
    node = None
    try:
        origin.wait_until_ready(Case("origin", "/hot/0", "the origin", size=4), seconds=30)
        command = [arguments.fourfront, "serve", "-c", str(config)]
        node = Server("fourfront", command, listen, cores[0], folder / "log")
        node.admin = admin
        node.wait_until_ready(Case("first", "/first", "the first object", size=5), seconds=60)
        began = time.monotonic()
        fill(node, folder / "fill.lua", "/hot/", hot, cores[1])
        fill(node, folder / "fill.lua", "/cold/", cold, cores[1])
        print(f"{objects(admin)} objects cached in {time.monotonic() - began:.0f} s, {node.resident_mib():.0f} MiB resident")

        rounds = {}
        told = {}
        for name in ("warm", "before", "during", "after"):
            cold_hits = wrk(folder / "hits.lua", listen, arguments.seconds, 16, ["/cold/", cold], cores[1])
            hot_hits = wrk(folder / "hits.lua", listen, arguments.seconds, 2, ["/hot/", hot], cores[1])
            if name == "during":
                time.sleep(arguments.seconds / 4)
                purge(node, f"/hot/{hot // 2}", told)
            rounds[name] = result(cold_hits), result(hot_hits)
        print(f"purge by tag of {hot} of {arguments.objects}: answered after {told['answered'] * 1000:.1f} ms, a purged object is a miss after {told['effect'] * 1000:.1f} ms")
        for name in ("before", "during", "after"):
            (requests, p50, p99, most), (_, _, hot_p99, _) = rounds[name]
            print(f"{name:>6}: {requests / arguments.seconds:.0f} hits/s, p50 {p50} us, p99 {p99} us, most {most} us; purged objects p99 {hot_p99} us")
        ratio = max(rounds["during"][0][2], rounds["after"][0][2]) / rounds["before"][0][2]
        print(f"p99 during and after is at most {ratio:.2f} times that before")
        if told["answered"] > 0.1 or ratio > 2:
            raise Failure("a promise is not kept")
    finally:
        if node:
            node.stop()
        origin.stop()


def main():
    parser = argparse.ArgumentParser(description="A purge by tag under load.")
    parser.add_argument("--fourfront", metavar="PROGRAM", required=True, help="the release binary")
    parser.add_argument("--objects", type=int, default=1_000_000, help="how many are cached (default: 1000000)")
    parser.add_argument("--seconds", type=int, default=8, help="of each round (default: 8)")
    arguments = parser.parse_args()
    cores = two_cores()
    os.sched_setaffinity(0, {cores[1]})
    with tempfile.TemporaryDirectory(prefix="fourfront-purge-") as temporary:
        measure(arguments, Path(temporary), cores)


if __name__ == "__main__":
    try:
        main()
    except (Failure, subprocess.SubprocessError) as failure:
        sys.exit(f"purge: {failure}")
