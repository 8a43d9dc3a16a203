#!/usr/bin/env python3
"""From `fourfront deploy serverless.yml` on a fresh node to the first request through its function (CP-300, CP-710).

Each round starts a node without state, deploys a project with one function and its `cloudFront` event, asks until the function has answered,
changes the handler, deploys again and asks until the new code has. Times are from the start of the command. Standard library only.
"""

import argparse
import http.client
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent))
from deploys import SITE, launch, percentile  # noqa: E402
from failover import wait_for  # noqa: E402
from load import Failure, free_port  # noqa: E402

SERVICE = """
service: edgesvc
provider:
  name: aws
  runtime: nodejs22.x
functions:
  edge:
    handler: handler.edge
    events:
      - cloudFront:
          eventType: viewer-request
          origin: https://www.example.org/app
"""
HANDLER = "'use strict';\nexports.edge = async (event) => ({{ status: '200', body: `{text} ${{event.Records[0].cf.request.uri}}` }});\n"


def deploy(program, project, admin):
    """Deploys as a person would; the host that it is reached by."""
    command = [str(program), "deploy", str(project / "serverless.yml"), "-o", "json", "--node", f"http://127.0.0.1:{admin}"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    if ended.returncode != 0:
        raise Failure(f"deploy: {ended.stderr}")
    return urlsplit(json.loads(ended.stdout)["urls"][0]).netloc


def asked_until(port, host, wanted):
    deadline = time.monotonic() + 30
    body = ""
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/page", headers={"Host": host})
        body = connection.getresponse().read().decode()
        connection.close()
        if body == wanted:
            return
    raise Failure(f"`{body}` and not `{wanted}`")


def round_of(program, folder):
    listen, admin = free_port(), free_port()
    config = folder / "fourfront.yaml"
    config.write_text(SITE.format(listen=listen, admin=admin, data=folder / "data"))
    project = folder / "project"
    project.mkdir()
    (project / "serverless.yml").write_text(SERVICE)
    process = launch(program, config, folder / "node.log")
    try:
        wait_for(admin)
        times = []
        for text in ("first", "second"):
            (project / "handler.js").write_text(HANDLER.format(text=text))
            begun = time.monotonic()
            host = deploy(program, project, admin)
            asked_until(listen, host, f"{text} /page")
            times.append((time.monotonic() - begun) * 1000)
        return times
    finally:
        process.terminate()
        process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=Path)
    parser.add_argument("--rounds", type=int, default=10, help="fresh nodes")
    options = parser.parse_args()
    rounds = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            rounds.append(round_of(options.program, Path(folder)))
    first, second = zip(*rounds)
    print(f"{options.rounds} fresh nodes, from the command to the first request through the function")
    for name, values, bound in (("first deploy", first, 5000), ("second deploy", second, 1000)):
        print(f"  {name:14} p50 {percentile(values, 0.5):6.0f} ms, slowest {max(values):6.0f} ms (at most {bound})")
        if max(values) > bound:
            raise Failure(f"the {name} takes longer than {bound} ms")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"first_deploy.py: {failure}")
