#!/usr/bin/env python3
"""kill -9 while the API writes (CP-564): what was answered is there after the next start, and every start succeeds.

Several writers change documents of every sort through the AWS-shaped and the native API and note what was answered; the node is
killed at a random moment, started again, and asked for all of it. Standard library only (`auth: any`).
"""

import argparse
import base64
import http.client
import json
import random
import re
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from deploys import SITE, launch, package  # noqa: E402
from load import Failure, free_port  # noqa: E402

KVS = "http://cloudfront.amazonaws.com/doc/2020-05-31/"


class Client:
    def __init__(self, port):
        self.port = port
        self.connection = None

    def ask(self, method, path, body=b"", headers=None):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            self.connection.request(method, path, body, headers or {})
            answer = self.connection.getresponse()
            return answer.status, answer.read(), answer.headers
        except (OSError, http.client.HTTPException):
            self.connection = None
            raise


class Writer(threading.Thread):
    """Writes until the node is gone; `done` are the writes that were answered."""

    def __init__(self, port, number, book):
        super().__init__(daemon=True)
        self.client, self.number, self.book = Client(port), number, book
        self.fault = None

    def run(self):
        try:
            while True:
                self.step()
        except (OSError, http.client.HTTPException):
            pass
        except Failure as fault:
            self.fault = fault

    def expect(self, answer, what):
        status, body, headers = answer
        if status >= 300:
            raise Failure(f"{what}: {status} {body[:300]}")
        return body, headers

    def step(self):
        kind = self.number % 3
        serial = self.book.next(self.number)
        if kind == 0:
            key, value = f"k{self.number}-{serial % 50}", f"v{serial}"
            self.book.begins("kv", key, value)
            self.expect(self.client.ask("PUT", f"/_fourfront/v1/kv/routes/{key}", value.encode()), "kv")
            self.book.answered("kv", key, value)
        elif kind == 1:
            name = f"policy-{self.number}-{serial}"
            xml = (
                f'<CachePolicyConfig xmlns="{KVS}"><Name>{name}</Name><MinTTL>{serial}</MinTTL>'
                "<ParametersInCacheKeyAndForwardedToOrigin><EnableAcceptEncodingGzip>false</EnableAcceptEncodingGzip>"
                "<HeadersConfig><HeaderBehavior>none</HeaderBehavior></HeadersConfig>"
                "<CookiesConfig><CookieBehavior>none</CookieBehavior></CookiesConfig>"
                "<QueryStringsConfig><QueryStringBehavior>none</QueryStringBehavior></QueryStringsConfig>"
                "</ParametersInCacheKeyAndForwardedToOrigin></CachePolicyConfig>"
            )
            body, _ = self.expect(self.client.ask("POST", "/2020-05-31/cache-policy", xml.encode()), "cache policy")
            identity = re.search(rb"<Id>([^<]+)</Id>", body)[1].decode()
            self.book.answered("policy", identity, name)
        else:
            name = f"fn{self.number}"
            code = package(f"{self.number}-{serial}")
            code = base64.b64encode(code).decode()
            path = "/2015-03-31/functions"
            if serial == 0:
                call = {"FunctionName": name, "Runtime": "nodejs22.x", "Role": "arn:aws:iam::000000000000:role/x", "Handler": "index.handler", "Code": {"ZipFile": code}, "Publish": True}
                answer = self.client.ask("POST", path, json.dumps(call).encode())
            else:
                call = {"ZipFile": code, "Publish": True}
                answer = self.client.ask("PUT", f"{path}/{name}/code", json.dumps(call).encode())
            body, _ = self.expect(answer, "function")
            told = json.loads(body)
            self.book.answered("version", f"{name}:{told['Version']}", told["CodeSha256"])


class Book:
    """What was asked for, and what was answered."""

    def __init__(self):
        self.lock = threading.Lock()
        self.serials, self.last, self.pending = {}, {}, {}

    def next(self, number):
        with self.lock:
            serial = self.serials.get(number, -1) + 1
            self.serials[number] = serial
            return serial

    def begins(self, kind, key, value):
        with self.lock:
            self.pending[(kind, key)] = value

    def answered(self, kind, key, value):
        with self.lock:
            self.last[(kind, key)] = value
            self.pending.pop((kind, key), None)


def check(port, book, sample):
    client = Client(port)
    items = list(book.last.items())
    # The newest, and some of the others: what is older was asked for before.
    chosen = items[-60:] + random.sample(items, min(sample, len(items)))
    for (kind, key), value in chosen:
        if kind == "kv":
            status, body, _ = client.ask("GET", f"/_fourfront/v1/kv/routes/{key}")
            found = json.loads(body).get("value") if status == 200 else None
            allowed = {value, book.pending.get((kind, key))}
            if found not in allowed:
                raise Failure(f"{key} is {found}, and {value} was acknowledged")
        elif kind == "policy":
            status, body, _ = client.ask("GET", f"/2020-05-31/cache-policy/{key}/config")
            if status != 200 or f"<Name>{value}</Name>".encode() not in body:
                raise Failure(f"policy {key}: {status}, and {value} was acknowledged")
        else:
            name, version = key.split(":")
            status, body, _ = client.ask("GET", f"/2015-03-31/functions/{name}/configuration?Qualifier={version}")
            if status != 200 or json.loads(body)["CodeSha256"] != value:
                raise Failure(f"function {key}: {status} {body[:200]}")
    return len(chosen)


def start(program, config, admin, log):
    begun = time.monotonic()
    process = launch(program, config, log)
    client = Client(admin)
    while True:
        if process.poll() is not None:
            raise Failure(f"the node did not start: {log.read_text()[-2000:]}")
        try:
            status, _, _ = client.ask("GET", "/health")
            if status == 200:
                return process, time.monotonic() - begun
        except (OSError, http.client.HTTPException):
            pass
        if time.monotonic() - begun > 30:
            raise Failure("the node does not answer")
        time.sleep(0.005)  # a port that is not open yet gives nothing to wait on


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("--cycles", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random.seed(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        listen, admin = free_port(), free_port()
        config = folder / "fourfront.yaml"
        config.write_text(SITE.format(listen=listen, admin=admin, data=folder / "data"))
        book, slowest, checked, wrote = Book(), 0.0, 0, 0
        for cycle in range(options.cycles):
            process, took = start(options.program, config, admin, folder / "node.log")
            slowest = max(slowest, took)
            try:
                if cycle == 0:
                    xml = f'<CreateKeyValueStoreRequest xmlns="{KVS}"><Name>routes</Name></CreateKeyValueStoreRequest>'
                    status, body, _ = Client(admin).ask("POST", "/2020-05-31/key-value-store", xml.encode())
                    if status != 201:
                        raise Failure(f"the store: {status} {body[:300]}")
                else:
                    checked += check(admin, book, 20)
                before = len(book.last)
                writers = [Writer(admin, number, book) for number in range(6)]
                for writer in writers:
                    writer.start()
                time.sleep(random.uniform(0.0, 0.25))  # the moment of the kill
            finally:
                # In the middle of what it does.
                process.kill()
                process.wait()
            for writer in writers:
                writer.join()
                if writer.fault:
                    raise writer.fault
            wrote += len(book.last) - before
            # A function whose first write was cut short may be there or not.
            for number in (2, 5):
                if ("version", f"fn{number}:1") not in book.last and book.serials.get(number, -1) >= 0:
                    book.serials.pop(number)
        print(f"{options.cycles} kills, {wrote} new documents and {checked} checks of acknowledged writes, nothing lost, slowest start {slowest * 1000:.0f} ms")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"writes_killed.py: {failure}")
