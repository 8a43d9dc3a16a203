"""What the contract tests have in common: clients of a node, an origin behind it, a viewer before it.

The environment says where the node is: FOURFRONT_ADMIN and FOURFRONT_VIEWER are addresses as it printed them,
FOURFRONT_DIR is the folder of its site file, FOURFRONT_PROGRAM the program itself, and AWS_SHARED_CREDENTIALS_FILE the file
of its first key. FOURFRONT_ADMIN_CA is the certificate of its admin listener, where that takes TLS. What came of every call
goes to the file FOURFRONT_SEEN (`witness.py`).
"""

import contextlib
import http.client
import http.server
import io
import json
import os
import ssl
import sys
import threading
import time
import traceback
import zipfile

import boto3
import botocore.config
import botocore.exceptions
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

import witness

ADMIN = os.environ["FOURFRONT_ADMIN"]
VIEWER = os.environ["FOURFRONT_VIEWER"]
ADMIN_CA = os.environ.get("FOURFRONT_ADMIN_CA")
SCHEME = "https" if ADMIN_CA else "http"
ACCOUNT = "000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/edge"
DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
OPTIMIZED_UNCOMPRESSED = "b2884449-e4de-46a7-ac36-70bc7f1ddd6d"

# Of a key pair whose private half nobody has kept.
KEY = """-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAomxd0SQokoFweYsWsI6Z
9zmrlxrDdTl+bsMYCClPlt3R/ZKWxX8re8EgGphgMxeKx6lUZTClXoCKYdY4I0ve
HCM0fmEzr1MYHqfhnHNwQhslSEFx5ka2B59EiRA3PZcsyoocTrR5XDl8LhdLdP2v
GCdqA1mdFusQ7nPTVIynQcB7v4coZAEqV5x1wmmvKeJV2KbXA+azhE0cy+8sSPdz
+deok+2BbcbrmAdr2q40Ah0JG686bEShWW2fZDAFleUsj+VdQUCtRUMPT7pE4iFs
7mlXzPooTIEny+yVvmA+kcjr6sXC6jamq/b3tkcfNCXH71H41BK7XgAlknY/DnzT
MQIDAQAB
-----END PUBLIC KEY-----
"""

_session = boto3.session.Session(region_name="us-east-1")


def client(name, signature=None, session=_session, **more):
    """A client that does not try again: what a node says first is what is looked at. `more` are settings of botocore's."""
    # Data of key-value stores is asked for at a name below the host, so that has to be one (CP-205).
    host = "localhost:" + ADMIN.rsplit(":", 1)[1] if name == "cloudfront-keyvaluestore" else ADMIN
    config = botocore.config.Config(retries={"total_max_attempts": 1}, signature_version=signature, **more)
    made = session.client(name, endpoint_url=f"{SCHEME}://{host}", config=config, verify=ADMIN_CA)
    # Others' answers are others' affair.
    if name in witness.OWN:
        witness.watch(made.meta.events)
    return made


_faults = []


def fault(message):
    """Keeps what is wrong, with the line of the test that says so; the test goes on, to tell the rest as well."""
    here = os.path.basename(sys.argv[0])
    frames = [f for f in traceback.extract_stack() if os.path.basename(f.filename) == here]
    _faults.append(f"{here}:{frames[-1].lineno}: {message}")


@contextlib.contextmanager
def refused(code, status, says=""):
    """The call in the block is refused with this code and status, in these words."""
    try:
        yield
    except botocore.exceptions.ClientError as e:
        error, got = e.response["Error"], e.response["ResponseMetadata"]["HTTPStatusCode"]
        if (error["Code"], got) != (code, status):
            fault(f"{code} {status} is wanted, and it is {got}: {e}")
        elif says not in error["Message"]:
            fault(f"{says!r} is not in {error['Message']!r}")
    else:
        fault(f"{code} {status} is wanted, and it went well")


def same(found, wanted, what=""):
    if found != wanted:
        fault(f"{what}\n   found {found!r}\n  wanted {wanted!r}")


def run(*checks):
    """Runs the checks in their order, and ends with what they found."""
    for check in checks:
        began, before = time.monotonic(), len(_faults)
        try:
            check()
        except Exception:
            _faults.append(traceback.format_exc())
        verdict = "well" if len(_faults) == before else "NOT WELL"
        print(f"{verdict}: {check.__name__}, {time.monotonic() - began:.1f} s", flush=True)
    print("\n".join(_faults), file=sys.stderr)
    sys.exit(1 if _faults else 0)


def status(answer):
    return answer["ResponseMetadata"]["HTTPStatusCode"]


def headers(answer):
    return answer["ResponseMetadata"]["HTTPHeaders"]


def zipped(**files):
    """A zip of these files; a double underscore stands for the dot in a name."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            # The same files make the same bytes.
            archive.writestr(zipfile.ZipInfo(name.replace("__", ".")), text)
    return out.getvalue()


def handler(body):
    return f"exports.handler = async (event) => {{ const {{ request, response }} = event.Records[0].cf; {body} }};"


def answering(text):
    return zipped(index__js=handler(f"return {{ status: '200', body: '{text}' }};"))


def at_once(waiter, **arguments):
    """A waiter that is content with what it is told first (CP-064, CP-114, CP-143)."""
    began = time.monotonic()
    waiter.wait(**arguments)
    took = time.monotonic() - began
    if took >= 2:
        fault(f"it waits for {took:.1f} s")


def get(path, host, method="GET", send=None):
    """A viewer's request: status, headers and body."""
    connection = http.client.HTTPConnection(VIEWER, timeout=30)
    connection.request(method, path, headers={"Host": host, **(send or {})})
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body


class Origin:
    """Answers every request with its number, so that what comes from a cache is known by it."""

    def __init__(self):
        origin = self
        self.count = 0
        self.tags = {}

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                origin.count += 1
                body = f"{origin.count} {self.path}".encode()
                self.send_response(200)
                self.send_header("Cache-Control", "max-age=3600")
                for path, tags in origin.tags.items():
                    if self.path.startswith(path):
                        self.send_header("Cache-Tag", tags)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()


def distribution(reference, port=9, **more):
    """The least that CloudFront takes, with an origin on this machine."""
    return {
        "CallerReference": reference,
        "Comment": "",
        "Enabled": True,
        "Origins": {
            "Quantity": 1,
            "Items": [
                {
                    "Id": "app",
                    "DomainName": "127.0.0.1",
                    "CustomOriginConfig": {"HTTPPort": port, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"},
                }
            ],
        },
        "DefaultCacheBehavior": {
            "TargetOriginId": "app",
            "ViewerProtocolPolicy": "allow-all",
            "CachePolicyId": OPTIMIZED_UNCOMPRESSED,
        },
        **more,
    }


def signed(method, path, body=b"", send=None):
    """A request to CloudFront's API that no client of AWS's makes, signed as theirs are: status, headers and body."""
    request = AWSRequest(method, f"{SCHEME}://{ADMIN}{path}", headers=send, data=body)
    SigV4Auth(_session.get_credentials(), "cloudfront", "us-east-1").add_auth(request)
    connected = connection()
    connected.request(method, path, body or None, dict(request.headers))
    answer = connected.getresponse()
    told = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    connected.close()
    return told


def connection(source=None):
    """To the admin listener, from an address of this machine."""
    source = source and (source, 0)
    if not ADMIN_CA:
        return http.client.HTTPConnection(ADMIN, timeout=60, source_address=source)
    context = ssl.create_default_context(cafile=ADMIN_CA)
    return http.client.HTTPSConnection(ADMIN, timeout=60, source_address=source, context=context)


def native(method, path, body=None, token=None, source=None):
    """A request of the native API, from an address of this machine: status and document."""
    talk = connection(source)
    send = {"Authorization": f"Bearer {token}"} if token else {}
    talk.request(method, f"/_fourfront/v1/{path}", None if body is None else json.dumps(body), send)
    answer = talk.getresponse()
    text = answer.read().decode()
    talk.close()
    return answer.status, text
