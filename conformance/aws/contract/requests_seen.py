"""Requests of every operation, as botocore was seen to send them, signed in any way; and the tables of a node, which come on
standard input."""

import json
import pathlib
import sys

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import support
from support import same

known = json.load(sys.stdin)
VECTORS = pathlib.Path(__file__).parents[3] / "proxy" / "control" / "aws" / "tests" / "vectors" / "requests.jsonl"
vectors = [json.loads(line) for line in VECTORS.read_text().splitlines()]
# The last one of an operation has its required members and no others.
requests = {(v["service"], v["operation"]): v for v in vectors if not v["raw"]}


def send(method, url, service=None, key=None, headers=None, body="", link=False, source=None):
    """Status, headers and body; signed if there is a key, in the query where a link is wanted, which has no body."""
    if link and service in ["sts", "iam"]:
        url, body = f"{url}?{body}", ""
    body = "" if link else body
    request = AWSRequest(method, f"{support.SCHEME}://{support.ADMIN}{url}", headers=headers, data=body.encode())
    if key and link:
        SigV4QueryAuth(key, service, "us-east-1").add_auth(request)
        url = request.url.split(support.ADMIN, 1)[1]
    elif key:
        SigV4Auth(key, service, "us-east-1").add_auth(request)
    # One connection each: whoever is refused is not read to the end.
    connection = support.connection(source)
    connection.request(method, url, body.encode() or None, dict(request.headers))
    answer = connection.getresponse()
    told = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode(errors="replace")
    connection.close()
    return told


def url_of(service, name):
    vector = requests[(service, name)]
    return vector["path"] + (f"?{vector['query']}" if vector["query"] else "")


def aws(service, name, key=None, **more):
    vector = requests[(service, name)]
    return send(vector["method"], url_of(service, name), service, key, vector["headers"], vector["body"], **more)


def path_of(template):
    """A path of a route, which names nothing that there is."""
    path = template.replace("{..}", "a").replace("{hex}", 64 * "0").replace("{kind}", "distribution")
    return path.replace("{", "").replace("}", "")


def made(kind, role="read"):
    """A key of a role, made with the first one."""
    first = support._session.get_credentials()
    body = json.dumps({"kind": kind, "roles": [role]})
    status, _, told = send(
        "POST", "/_fourfront/v1/keys", "fourfront", first, {"Content-Type": "application/json"}, body
    )
    same(status, 201, told)
    told = json.loads(told)
    return told["token"] if kind == "token" else Credentials(told["id"], told["secret"])


def raw(lines, body=b"", source=None):
    """What is answered to a request that is sent as it is written, byte for byte: status and all that follows."""
    connection = support.connection(source)
    connection.connect()
    connection.sock.sendall("\r\n".join([*lines, "", ""]).encode() + body)
    told = b""
    while chunk := connection.sock.recv(65536):
        told += chunk
    connection.close()
    head, _, rest = told.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1]) if head else 0
    return status, rest.decode(errors="replace")
