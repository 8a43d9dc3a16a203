#!/usr/bin/env python3
"""A hundred viewers read different ranges of one large object that nothing is stored of.

nginx is the origin, and serves a file whose bytes say where they stand. Each viewer reads a range of its own; the ranges overlap,
and together they cover the file. Every byte that a viewer gets is compared. Told are: the bytes that the origin sent
beside the length of the file, the requests it got, and the most memory the node had. A second round reads the same
again. Standard library only; nginx as Debian has it.
"""

import argparse
import array
import hashlib
import mmap
import os
import socket
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
events {{ worker_connections 2048; }}
http {{
  log_format sent '$status $body_bytes_sent "$http_range"';
  access_log {folder}/access.log sent;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 100000000;
  sendfile on;
  server {{
    listen 127.0.0.1:{port};
    root {folder}/files;
    add_header Cache-Control "max-age=86400";
  }}
}}
"""

SITE = """
node: {{ listen: '127.0.0.1:{listen}', admin: '127.0.0.1:{admin}', {disk}cache_memory: {memory}MiB, log: {{ access: false }} }}
distributions:
  load:
    origins: {{ app: 'http://127.0.0.1:{origin}' }}
"""

MEBIBYTE = 1024 * 1024


def write_file(path, mebibytes):
    """Each MiB is another, and no eight bytes in it are twice."""
    with open(path, "wb") as file:
        for n in range(mebibytes):
            seed = int.from_bytes(hashlib.sha256(n.to_bytes(8, "big")).digest()[:8], "big")
            words = array.array("Q", range(MEBIBYTE // 8))
            block = bytearray(words.tobytes())
            view = memoryview(block).cast("Q")
            for at in range(0, len(view), 512):
                view[at] ^= seed + at
            file.write(block)


def read(port, file, start, end, failures):
    """Reads one range and compares it."""
    try:
        connection = socket.create_connection(("127.0.0.1", port), timeout=120)
        head = f"GET /large.bin HTTP/1.1\r\nHost: a.test\r\nRange: bytes={start}-{end - 1}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        buffer = bytearray(256 * 1024)
        view = memoryview(buffer)
        got = b""
        while b"\r\n\r\n" not in got:
            piece = connection.recv(65536)
            if not piece:
                raise Failure(f"{start}-{end}: closed in the head: {got!r}")
            got += piece
        head, body = got.split(b"\r\n\r\n", 1)
        wanted = f"content-range: bytes {start}-{end - 1}/{len(file)}".encode()
        if b" 206 " not in head or wanted not in head.lower():
            raise Failure(f"{start}-{end}: {head!r}")
        at = start
        if file[at : at + len(body)] != body:
            raise Failure(f"wrong bytes at {at}")
        at += len(body)
        while at < end:
            n = connection.recv_into(buffer)
            if n == 0:
                raise Failure(f"{start}-{end}: closed at {at}")
            if file[at : at + n] != view[:n]:
                raise Failure(f"wrong bytes in {at}-{at + n}")
            at += n
        connection.close()
    except (OSError, Failure) as e:
        failures.append(f"{start}-{end}: {e}")


def sent(log):
    """Bytes of bodies, and requests."""
    lines = [line.split() for line in log.read_text().splitlines()]
    lines = [line for line in lines if line[1] != "5"]
    return sum(int(line[1]) for line in lines), len(lines)


def round_of(readers, node, file):
    failures, most = [], [0.0]
    length = len(file)
    step = length // readers
    # Three times as long as they are apart, at odd places.
    ranges = [(n * step + 17 * n, min(length, n * step + 17 * n + 3 * step)) for n in range(readers)]
    ranges[0] = (0, ranges[0][1])
    threads = [threading.Thread(target=read, args=(node.port, file, *r, failures)) for r in ranges]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        most[0] = max(most[0], node.resident_mib())
        time.sleep(0.02)
    if failures:
        raise Failure("; ".join(failures[:3]))
    return time.monotonic() - began, sum(end - start for start, end in ranges), most[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fourfront", required=True)
    parser.add_argument("--mebibytes", type=int, default=2048)
    parser.add_argument("--readers", type=int, default=100)
    parser.add_argument("--memory", type=int, default=64, help="the memory tier, in MiB")
    parser.add_argument("--no-disk", action="store_true", help="a node without a disk tier; then only what is right is checked")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fourfront-ranges-") as folder:
        folder = Path(folder)
        files = folder / "files"
        files.mkdir()
        os.chmod(folder, 0o755)
        write_file(files / "large.bin", options.mebibytes)
        (files / "small.txt").write_bytes(b"small")
        cores = two_cores()
        origin, listen, admin = free_port(), free_port(), free_port()
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=origin))
        disk = "" if options.no_disk else f"cache_disk: {options.mebibytes * 2}MiB, data_dir: {folder}/data, "
        site = folder / "fourfront.yaml"
        site.write_text(SITE.format(listen=listen, admin=admin, disk=disk, memory=options.memory, origin=origin))
        nginx = Server("nginx", ["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)], origin, cores[1], folder / "origin.log")
        command = [options.fourfront, "serve", "--config", str(site)]
        node = Server("fourfront", command, listen, cores[0], folder / "log")
        try:
            ready = Case("ready", "/small.txt", "both are there", size=5)
            nginx.wait_until_ready(ready)
            node.wait_until_ready(ready)
            with open(files / "large.bin", "rb") as opened:
                file = mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ)
            before = node.resident_mib()
            for name in ("first", "second"):
                seconds, read_bytes, most = round_of(options.readers, node, file)
                total, requests = sent(folder / "access.log")
                print(
                    f"{name} round: {options.readers} viewers read {read_bytes / MEBIBYTE:.0f} MiB in {seconds:.1f} s;"
                    f" origin sent {total / MEBIBYTE:.1f} MiB in {requests} requests, {total / len(file):.3f} of the object;"
                    f" resident {before:.0f} MiB before, {most:.0f} at most"
                )
                if not options.no_disk and most > 512:
                    raise Failure("the node took more than 512 MiB")
            if not options.no_disk and total > len(file) * 1.05:
                raise Failure("more than 1.05 of the object came from the origin")
        finally:
            node.stop()
            nginx.stop()


if __name__ == "__main__":
    try:
        main()
    except Failure as e:
        sys.exit(f"ranges.py: {e}")
