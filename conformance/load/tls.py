#!/usr/bin/env python3
"""HTTPS hits on HTTP/1.1 and HTTP/2: the release node beside nginx, with one suite and one kind of certificate.

As in load.py, each server has one worker on one core and h2load runs on another; the runs alternate and the medians are
compared. Both serve TLS 1.3 with TLS_AES_128_GCM_SHA256 and a certificate on P-256, over 50 connections that stay, on HTTP/2 with ten
requests at a time on each. Needs h2load (Debian package nghttp2-client) and openssl.
"""

import argparse
import os
import re
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from load import (  # noqa: E402
    BODY, LARGE, Case, Failure, Origin, Server, free_port, nginx_program, print_case, two_cores,
)

SUITE = "TLS_AES_128_GCM_SHA256"

CASES = [
    (Case("h1", "/hit", "1 KB memory hit, HTTPS, HTTP/1.1"), True),
    (Case("h2", "/hit", "1 KB memory hit, HTTPS, HTTP/2"), False),
    (Case("h1-large", "/large", "100 KB memory hit, HTTPS, HTTP/1.1", size=len(LARGE)), True),
    (Case("h2-large", "/large", "100 KB memory hit, HTTPS, HTTP/2", size=len(LARGE)), False),
]

SITE = """
node:
  listen: 127.0.0.1:{plain}
  listen_https: 127.0.0.1:{port}
  admin: 127.0.0.1:{admin}
  threads: 1
  cache_memory: 64MiB
  hooks: {{ threads: 1 }}
  log: {{ access: false }}
  certificates: {{ load: {{ cert: {folder}/load.pem, key: {folder}/load.key }} }}
distributions:
  load: {{ origins: {{ filling: 'http://127.0.0.1:{origin}' }} }}
"""

NGINX = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 100000000;
    http2_max_requests 100000000;
    default_type text/plain;
    proxy_temp_path {folder}/proxy;
    client_body_temp_path {folder}/body;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    proxy_cache_path {cache} levels=1:2 keys_zone=objects:10m max_size=64m inactive=1d use_temp_path=off;
    open_file_cache max=1000 inactive=1d;
    open_file_cache_valid 1h;
    upstream origin {{ server 127.0.0.1:{origin}; keepalive 8; }}
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate {folder}/load.pem;
        ssl_certificate_key {folder}/load.key;
        ssl_protocols TLSv1.3;
        ssl_conf_command Ciphersuites {suite};
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_cache objects;
        location / {{ add_header X-Cache $upstream_cache_status; tcp_nopush off; proxy_pass http://origin; }}
    }}
}}
"""


class Secure(Server):
    def url(self, case):
        return f"https://127.0.0.1:{self.port}{case.paths()[0]}"

    def get(self, case):
        anyone = ssl.create_default_context()
        anyone.check_hostname = False
        anyone.verify_mode = ssl.CERT_NONE
        with urllib.request.urlopen(self.url(case), timeout=5, context=anyone) as response:
            headers = {name.lower() for name in response.headers.keys()}
            return response.status, headers, response.read()


def certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=load.test", "-addext", "subjectAltName=DNS:load.test,IP:127.0.0.1",
         "-keyout", folder / "load.key", "-out", folder / "load.pem"],
        check=True, capture_output=True,
    )


def start(program, folder, core, origin):
    port, plain, admin = free_port(), free_port(), free_port()
    file = folder / "fourfront.yaml"
    file.write_text(SITE.format(port=port, plain=plain, admin=admin, origin=origin, folder=folder))
    ours = Secure("fourfront", [program, "serve", "-c", str(file)], port, core, folder / "fourfront.log")
    port = free_port()
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else folder
    cache = tempfile.mkdtemp(prefix="fourfront-load-", dir=memory)
    user = "user root;" if os.geteuid() == 0 else ""
    file = folder / "nginx.conf"
    file.write_text(NGINX.format(port=port, origin=origin, folder=folder, cache=cache, user=user, suite=SUITE))
    command = [nginx_program(), "-c", str(file), "-p", str(folder), "-e", str(folder / "nginx-error.log")]
    theirs = Secure("nginx", command, port, core, folder / "nginx.log")
    return [ours, theirs]


def run(server, case, http1, core, options, seconds):
    command = ["taskset", "-c", str(core), "h2load", "-t1", f"-c{options.connections}", f"-D{seconds}"]
    command += [f"--tls13-ciphers={SUITE}", "--groups=X25519"]
    command += ["--h1"] if http1 else ["-m10"]
    before = server.cpu_seconds()
    done = subprocess.run(command + [server.url(case)], capture_output=True, text=True, timeout=seconds + 60, check=False)
    cpu = server.cpu_seconds() - before
    out = done.stdout
    counts = re.search(r"requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed", out)
    if done.returncode != 0 or not counts or counts.group(3) != "0":
        raise Failure(f"h2load: {done.stderr}{out[-1500:]}")
    spoken = "http/1.1" if http1 else "h2"
    if f"Application protocol: {spoken}" not in out or f"Cipher: {SUITE}" not in out:
        raise Failure(f"{server.name} speaks something else:\n{out[:1500]}")
    requests = int(counts.group(2))
    most = re.search(r"time for request:\s+\S+\s+(\S+)", out)
    return {
        "requests_per_second": float(re.search(r"finished in \S+, ([\d.]+) req/s", out).group(1)),
        "cpu_us_per_request": cpu * 1e6 / requests,
        # h2load gives no percentiles: the longest.
        "p99_ms": in_ms(most.group(1)) if most else 0.0,
        "requests": requests,
    }


def in_ms(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def main():
    parser = argparse.ArgumentParser(description="HTTPS hits, HTTP/1.1 and HTTP/2, beside nginx.")
    parser.add_argument("--fourfront", metavar="PROGRAM", required=True, help="the release binary")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each server and case (default: 5)")
    parser.add_argument("--seconds", type=int, default=4, help="length of a run (default: 4)")
    parser.add_argument("--connections", type=int, default=50, help="connections that stay (default: 50)")
    parser.add_argument("--only", choices=[case.name for case, _ in CASES], help="one case")
    options = parser.parse_args()
    cores = two_cores()
    origin = Origin()
    print(f"{SUITE}, certificate on P-256, {options.connections} connections; the last column is the longest request, not p99")
    with tempfile.TemporaryDirectory(prefix="fourfront-tls-") as temporary:
        folder = Path(temporary)
        certificate(folder)
        servers = start(options.fourfront, folder, cores[0], origin.port)
        try:
            for case, http1 in CASES:
                if options.only in (None, case.name):
                    measure(servers, case, http1, origin, cores, options)
        finally:
            for server in servers:
                server.stop()
            origin.stop()


def measure(servers, case, http1, origin, cores, options):
    for server in servers:
        server.wait_until_ready(case)
        server.check(case)
        run(server, case, http1, cores[1], options, 1)
    filled = origin.requests
    runs = {server.name: [] for server in servers}
    for _ in range(options.rounds):
        for server in servers:
            runs[server.name].append(run(server, case, http1, cores[1], options, options.seconds))
    if origin.requests != filled:
        raise Failure(f"{case.title}: the origin was asked, so these were no hits")
    print_case(case, runs)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"tls: {failure}")
