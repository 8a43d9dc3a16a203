"""Nothing of the admin endpoint is reached without a key, and with one that may only read nothing that changes something.

Operations and routes come on standard input, as the node's own tables have them; requests are those that botocore was seen
to send (proxy/control/aws/tests/vectors).
"""

import http.client
import json
import pathlib
import sys

import boto3
import botocore
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import support
from support import fault, native, refused, run, same

known = json.load(sys.stdin)
VECTORS = pathlib.Path(__file__).parents[3] / "proxy" / "control" / "aws" / "tests" / "vectors" / "requests.jsonl"
vectors = [json.loads(line) for line in VECTORS.read_text().splitlines()]
# The last one of an operation has its required members and no others.
requests = {(v["service"], v["operation"]): v for v in vectors if not v["raw"]}


def send(method, url, service=None, key=None, headers=None, body=""):
    """Status, headers and body; signed if there is a key."""
    request = AWSRequest(method, f"http://{support.ADMIN}{url}", headers=headers, data=body.encode())
    if key:
        SigV4Auth(key, service, "us-east-1").add_auth(request)
    # One connection each: whoever is refused is not read to the end.
    connection = http.client.HTTPConnection(support.ADMIN, timeout=60)
    connection.request(method, url, body.encode() or None, dict(request.headers))
    answer = connection.getresponse()
    told = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()
    connection.close()
    return told


def aws(service, name, key=None):
    vector = requests[(service, name)]
    url = vector["path"] + (f"?{vector['query']}" if vector["query"] else "")
    return send(vector["method"], url, service, key, vector["headers"], vector["body"])


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


def every_operation_unsigned():
    # CP-016's table, CP-206, CP-400
    for service, name, _ in known["operations"]:
        status, headers, body = aws(service, name)
        if status != 403 or "MissingAuthenticationToken" not in body + headers.get("x-amzn-errortype", ""):
            fault(f"{service}:{name} without a key: {status} {body}")
        if service == "cloudfront-keyvaluestore" and "crt" not in body:
            fault(f"{name}: it is not said what its clients need: {body}")


def every_operation_with_a_key_that_reads():
    # CP-432
    key, denied = made("key"), 0
    for service, name, changes in known["operations"]:
        status, headers, body = aws(service, name, key)
        is_denied = "AccessDenied" in body + headers.get("x-amzn-errortype", "")
        if changes and not (status == 403 and is_denied):
            fault(f"{service}:{name} with a key that may read: {status} {body}")
        # Logs have a role of their own.
        if not changes and is_denied != (service == "logs"):
            fault(f"{service}:{name} is kept from a key that may read: {body}")
        denied += is_denied
    assert denied > 60, denied


def every_operation_by_boto3_with_a_key_for_logs():
    # CP-432, CP-700: refused in the words of each service, before anything of it is read
    key = made("key", "logs")
    session = boto3.session.Session(key.access_key, key.secret_key, region_name="us-east-1")
    codes = {
        "cloudfront": "AccessDenied",
        "lambda": "AccessDeniedException",
        "cloudfront-keyvaluestore": "AccessDeniedException",
    }
    clients = {name: support.client(name, session=session, parameter_validation=False) for name in codes}
    for service, name, _ in known["operations"]:
        if service in codes:
            aws = clients[service]
            method = getattr(aws, botocore.xform_name(name))
            with refused(codes[service], 403):
                method(**least(aws.meta.service_model.operation_model(name).input_shape))
    # Who one is may be asked by anybody with a key.
    same(support.client("sts", session=session).get_caller_identity()["UserId"], key.access_key)


def least(shape):
    """A value of a shape with its required members and no others."""
    if shape is None:
        return {}
    if shape.type_name == "structure":
        return {name: least(shape.members[name]) for name in shape.required_members}
    if shape.name == "KvsARN":
        return f"arn:aws:cloudfront::{support.ACCOUNT}:key-value-store/00000000-0000-4000-8000-000000000000"
    return {"list": [], "map": {}, "blob": b"", "boolean": True, "integer": 1, "long": 1}.get(shape.type_name, "x")


def who_is_not_read_is_told():
    # CP-011, CP-700: on a connection with a body that nobody reads there is no next request, and clients keep connections
    body = json.dumps({"FunctionName": "nobody", "Role": "arn:aws:iam::000000000000:role/edge", "Code": {}})
    json_type = {"Content-Type": "application/json"}
    first = support._session.get_credentials()
    for key, reads, wanted in [(None, False, 403), (made("key", "logs"), False, 403), (first, True, 400)]:
        code, headers, told = send("POST", "/2015-03-31/functions", "lambda", key, json_type, body)
        same((code, headers.get("connection")), (wanted, None if reads else "close"), told)
    code, headers, told = send("GET", "/2015-03-31/functions", "lambda")
    same((code, headers.get("connection")), (403, None), told)


def who_guesses_waits():
    # CP-420, table 1.5: in the words of each service; whoever comes from elsewhere goes on
    first = support._session.get_credentials()
    forged = boto3.session.Session(first.access_key, "guessed", region_name="us-east-1")
    for _ in range(20):
        with refused("InvalidSignatureException", 403):
            support.client("lambda", session=forged).list_functions()
    for name, code, ask in [
        ("lambda", "TooManyRequestsException", "list_functions"),
        ("cloudfront", "Throttling", "list_functions"),
        ("cloudfront-keyvaluestore", "ThrottlingException", "describe_key_value_store"),
    ]:
        aws = support.client(name, session=forged, parameter_validation=False)
        shape = aws.meta.service_model.operation_model("".join(w.title() for w in ask.split("_"))).input_shape
        with refused(code, 429):
            getattr(aws, ask)(**least(shape))


def every_route():
    # CP-402, CP-432, CP-620, CP-621
    token = made("token")
    # Not in the table: these are for administrators.
    more = [
        ("GET", "keys", True),
        ("POST", "keys", True),
        ("DELETE", "keys/FF1", True),
        ("GET", "backup", True),
        ("PUT", "nothing", True),
    ]
    for number, (method, path, changes) in enumerate(known["routes"] + more):
        path = (
            path.replace("{..}", "a")
            .replace("{hex}", 64 * "0")
            .replace("{kind}", "distribution")
            .replace("{", "")
            .replace("}", "")
        )
        open_to_all = path in ["health", "ready", "metrics"]
        status, body = native(method, path)
        if (status == 200) != open_to_all or status not in [200, 403]:
            fault(f"{method} {path} without a key: {status} {body}")
        status, body = native(method, path, token="ff_no_thing", source=f"127.0.0.{number + 2}")
        # From an address each: who guesses is told to wait (CP-420).
        if (status == 200) != open_to_all or status not in [200, 403]:
            fault(f"{method} {path} with a made-up token: {status} {body}")
        if path == "logs":
            continue  # It goes on for as long as somebody listens.
        status, body = native(method, path, {}, token)
        if changes != (status == 403):
            fault(f"{method} {path} with a token that may read: {status} {body}")
        if status >= 400 and method != "HEAD" and "code" not in json.loads(body):
            fault(f"{method} {path}: no problem document: {body}")


run(
    every_operation_unsigned,
    every_operation_with_a_key_that_reads,
    every_operation_by_boto3_with_a_key_for_logs,
    every_route,
    who_is_not_read_is_told,
    # The last one: it is this address that has to wait.
    who_guesses_waits,
)
