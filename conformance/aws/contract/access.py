"""Nothing of the admin endpoint is reached without a key, and with one that may only read nothing that changes something.

Operations and routes come on standard input, as the node's own tables have them; requests are those that botocore was seen
to send (proxy/control/aws/tests/vectors). Where the node's admin listener takes TLS, it is asked from elsewhere.
"""

import json

import boto3
import botocore
import support
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from requests_seen import aws, known, made, path_of, raw, requests, send, url_of
from support import fault, native, refused, run, same

FIRST = support._session.get_credentials()
READER, TOKEN, LOGS = made("key"), made("token"), made("key", "logs")
# A key that there is, with another secret; and one that there is not.
WRONG = Credentials(FIRST.access_key, "x" * len(FIRST.secret_key))
UNKNOWN = Credentials("FF" + 18 * "A", FIRST.secret_key)
# Not a route: whatever no table knows is for administrators.
ROUTES = [*known["routes"], ["PUT", "nothing", True, True]]
OPEN = ["health", "ready"] + ([] if support.ADMIN_CA else ["metrics"])
# From this machine, whatever its listener is, metrics are open as well.
HERE = ["health", "ready", "metrics"]


def state():
    """What changes with each change of a document, and the ids of all keys."""
    told = {}
    for path in ["status", "keys"]:
        status, _, body = send("GET", f"/_fourfront/v1/{path}", "fourfront", FIRST)
        same(status, 200, body)
        told[path] = json.loads(body)
    return told["status"]["control"]["sequence"], sorted(key["id"] for key in told["keys"]["items"])


def somewhere(count=[0]):
    """An address of this machine, another one every few times: who guesses from one is told to wait (CP-420)."""
    count[0] += 1
    return f"127.0.{1 + count[0] // 2500}.{1 + count[0] // 10 % 250}"


def every_operation_unsigned():
    # CP-016's table, CP-206, CP-400
    for service, name, *_ in known["operations"]:
        status, headers, body = aws(service, name)
        if status != 403 or "MissingAuthenticationToken" not in body + headers.get("x-amzn-errortype", ""):
            fault(f"{service}:{name} without a key: {status} {body}")
        if service == "cloudfront-keyvaluestore" and "crt" not in body:
            fault(f"{name}: it is not said what its clients need: {body}")


def every_operation_wrongly_signed():
    # CP-411, CP-416, CP-417, CP-420: in the head and as a link
    for service, name, *_ in known["operations"]:
        for what, key in [("another secret", WRONG), ("a key that is not", UNKNOWN)]:
            for link in [False, True]:
                status, _, body = aws(service, name, key, link=link, source=somewhere())
                if status != 403:
                    fault(f"{service}:{name} with {what}, {link=}: {status} {body}")
    for method, template, *_ in ROUTES:
        path = f"/_fourfront/v1/{path_of(template)}"
        for key in [WRONG, UNKNOWN]:
            for link in [False, True]:
                status, _, body = send(method, path, "fourfront", key, link=link, source=somewhere())
                if (status == 200) != (path_of(template) in HERE) or status not in [200, 403]:
                    fault(f"{method} {path} wrongly signed, {link=}: {status} {body}")


def every_operation_of_another_service():
    # CP-003: a signature is for one service
    others = {"cloudfront": "lambda", "lambda": "cloudfront"}
    for service, name, *_ in known["operations"]:
        vector = requests[(service, name)]
        for other in {others.get(service, "cloudfront"), "fourfront", "s3"}:
            status, _, body = send(
                vector["method"], url_of(service, name), other, FIRST, vector["headers"], vector["body"],
                source=somewhere(),
            )  # fmt: skip
            if status < 400:
                fault(f"{service}:{name} signed for {other}: {status} {body}")


def every_operation_with_a_key_that_reads():
    # CP-432, and as a link (CP-416)
    denied = 0
    for service, name, changes, _ in known["operations"]:
        for link in [False, True]:
            status, headers, body = aws(service, name, READER, link=link)
            is_denied = "AccessDenied" in body + headers.get("x-amzn-errortype", "")
            if link and requests[(service, name)]["body"]:
                # What a link can say of it, which has no body, is not enough for some.
                if changes and status < 400:
                    fault(f"{service}:{name} by a link of a key that may read: {status} {body}")
                continue
            if changes and not (status == 403 and is_denied):
                fault(f"{service}:{name} with a key that may read, {link=}: {status} {body}")
            # Logs have a role of their own.
            if not changes and is_denied != (service == "logs"):
                fault(f"{service}:{name} is kept from a key that may read, {link=}: {body}")
            denied += is_denied
    assert denied > 60, denied


def every_operation_by_boto3_with_a_key_for_logs():
    # CP-432, CP-700: refused in the words of each service, before anything of it is read
    key = LOGS
    session = boto3.session.Session(key.access_key, key.secret_key, region_name="us-east-1")
    codes = {
        "cloudfront": "AccessDenied",
        "lambda": "AccessDeniedException",
        "cloudfront-keyvaluestore": "AccessDeniedException",
    }
    clients = {name: support.client(name, session=session, parameter_validation=False) for name in codes}
    for service, name, *_ in known["operations"]:
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
    for key, reads, wanted in [(None, False, 403), (LOGS, True, 403), (first, True, 400)]:
        code, headers, told = send("POST", "/2015-03-31/functions", "lambda", key, json_type, body)
        same((code, headers.get("connection")), (wanted, None if reads else "close"), told)
    code, headers, told = send("GET", "/2015-03-31/functions", "lambda")
    same((code, headers.get("connection")), (403, None), told)


def who_guesses_waits():
    # CP-420, table 1.5: in the words of each service; whoever comes from elsewhere goes on
    first = support._session.get_credentials()
    forged = boto3.session.Session(first.access_key, "guessed", region_name="us-east-1")
    store = support.client("cloudfront-keyvaluestore", session=forged, parameter_validation=False)
    described = store.meta.service_model.operation_model("DescribeKeyValueStore").input_shape
    # Where TLS wants the name of a store's host, that is another address of this machine, with guesses of its own.
    apart = bool(support.ADMIN_CA)
    for _ in range(20 if apart else 1):
        with refused("InvalidSignatureException", 403):
            store.describe_key_value_store(**least(described))
    for _ in range(20 if apart else 19):
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
    for number, (method, template, changes, _) in enumerate(ROUTES):
        path = path_of(template)
        open_to_all = path in OPEN
        status, body = native(method, path)
        if (status == 200) != open_to_all or status not in [200, 403]:
            fault(f"{method} {path} without a key: {status} {body}")
        status, body = native(method, path, token="ff_no_thing", source=f"127.0.0.{number + 2}")
        # From an address each: who guesses is told to wait (CP-420).
        if (status == 200) != open_to_all and path != "metrics" or status not in [200, 403]:
            fault(f"{method} {path} with a made-up token: {status} {body}")
        if path == "logs":
            continue  # It goes on for as long as somebody listens.
        status, body = native(method, path, {}, TOKEN)
        if changes != (status == 403):
            fault(f"{method} {path} with a token that may read: {status} {body}")
        if status >= 400 and method != "HEAD" and "code" not in json.loads(body):
            fault(f"{method} {path}: no problem document: {body}")


def spellings(path):
    """Ways to write a path that another server may take for it."""
    if path == "/":
        return {"two slashes": "//", "a dot": "/.", "dots": "/health/..", "all of a URL": f"http://localhost{path}"}
    first = path.index("/", 1) if "/" in path[1:] else len(path)
    return {
        "two slashes": "/" + path,
        "two slashes within": path[:first] + "/" + path[first:],
        "a slash at the end": path + "/",
        "a dot": "/." + path,
        "dots from what is open": "/health/.." + path,
        "dots from what is open, escaped": "/_fourfront/v1/health/%2e%2e" + path.removeprefix("/_fourfront/v1"),
        "a letter escaped": path[:1] + f"%{ord(path[1]):02x}" + path[2:],
        "a slash escaped": path[:first] + "%2f" + path[first + 1 :],
        "a parameter": path + ";/health",
        "what is open behind": path + "/health",
        "upper case": path.upper(),
        "all of a URL": f"{support.SCHEME}://{support.ADMIN}{path}",
        "all of another's URL": f"http://localhost{path}",
        "a fragment": path + "%23/health",
    }


def every_request_in_disguise():
    # CP-002, CP-004, CP-011, CP-400: however a request is written, nothing is done for who has no key. What is answered to
    # spellings of what is open is what is open.
    every = [
        (requests[(service, name)]["method"], url_of(service, name), requests[(service, name)]["body"])
        for service, name, *_ in known["operations"]
    ]
    closed = [(m, path_of(t)) for m, t, *_ in ROUTES if path_of(t) not in HERE]
    every += [(method, f"/_fourfront/v1/{path}", "") for method, path in closed]
    count = 0
    for method, url, body in every:
        path, _, query = url.partition("?")
        query = query and "?" + query
        data = body.encode()
        length = f"Content-Length: {len(data)}"
        host = f"Host: {support.ADMIN}"

        def tried(what, line, *fields, data=data):
            nonlocal count
            count += 1
            status, told = raw([line, *fields], data, somewhere())
            if 200 <= status < 300:
                fault(f"{method} {url}, {what}: {status} {told[:200]}")

        for what, spelled in spellings(path).items():
            tried(what, f"{method} {spelled}{query} HTTP/1.1", host, length, "Connection: close")
        line = f"{method} {url}"
        tried("HTTP/1.0", f"{line} HTTP/1.0", length)
        tried("HTTP/1.0 and a host", f"{line} HTTP/1.0", host, length)
        tried("no host", f"{line} HTTP/1.1", length, "Connection: close")
        tried("a small method", f"{method.lower()} {url} HTTP/1.1", host, length, "Connection: close")
        for name in ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"]:
            for other in ["GET", "HEAD", "OPTIONS"]:
                if other != method:
                    fields = [f"{name}: {method}", length, "Connection: close"]
                    tried(f"{name} of {other}", f"{other} {url} HTTP/1.1", host, *fields)
        for other in ["localhost", "000000000000.localhost", "cloudfront.amazonaws.com", "health", "127.0.0.1"]:
            tried(f"the host {other}", f"{line} HTTP/1.1", f"Host: {other}", length, "Connection: close")
        for field in [
            "X-Forwarded-For: 127.0.0.1",
            "X-Original-URL: /health",
            "X-Rewrite-URL: /health",
            "Authorization:",
            "Authorization: Basic Og==",
            "Authorization: AWS4-HMAC-SHA256",
            f"Authorization: AWS {FIRST.access_key}:x",
            f"X-Amz-Security-Token: {FIRST.access_key}",
        ]:
            tried(field, f"{line} HTTP/1.1", host, field, length, "Connection: close")
    assert count > 4000, count


def signed(method, url, service, key, headers=None, body=""):
    request = AWSRequest(method, f"{support.SCHEME}://{support.ADMIN}{url}", headers=headers, data=body.encode())
    SigV4Auth(key, service, "us-east-1").add_auth(request)
    fields = [f"{name}: {value}" for name, value in request.headers.items()]
    return [f"Host: {support.ADMIN}", *fields, f"Content-Length: {len(body.encode())}", "Connection: close"]


def two_proofs_are_none():
    # CP-413: which of them was meant?
    url = "/_fourfront/v1/keys"
    good = signed("GET", url, "fourfront", FIRST)
    status, told = raw([f"GET {url} HTTP/1.1", *good], source=somewhere())
    same(status, 200, told)
    for more in [
        [f for f in good if f.startswith("Authorization")],
        [f"Authorization: Bearer {TOKEN}"],
        ["Authorization: Basic Og=="],
        [f for f in good if f.startswith("X-Amz-Date")],
        ["Host: localhost"],
    ]:
        for lines in [[*good, *more], [*more, *good]]:
            status, told = raw([f"GET {url} HTTP/1.1", *lines], source=somewhere())
            if status < 400:
                fault(f"{more} beside a good signature: {status} {told[:200]}")
    link = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0"
    status, told = raw([f"GET {url}?{link} HTTP/1.1", *good], source=somewhere())
    same(status >= 400, True, told)


def what_was_signed_is_what_is_done():
    # CP-002, CP-003, CP-432: a key that reads, with the name of another operation beside its own
    target = {"X-Amz-Target": "Logs_20140328.CreateLogGroup", "Content-Type": "application/x-amz-json-1.1"}
    group = json.dumps({"logGroupName": "smuggled"})
    form = "Action=CreateRole&Version=2010-05-08&RoleName=smuggled&AssumeRolePolicyDocument=%7B%7D"
    typed = {"Content-Type": "application/x-www-form-urlencoded"}
    for method, url, service, headers, body in [
        ("POST", "/", "logs", target, group),
        ("POST", "/", "sts", target, group),
        ("POST", "/", "sts", typed, form),
        ("POST", "/?" + form, "sts", typed, "Action=GetCallerIdentity&Version=2011-06-15"),
        ("POST", "/", "iam", typed, form),
        ("POST", "/", "cloudfront", target, group),
        ("GET", "/2020-05-31/distribution", "cloudfront", target, group),
        ("POST", "/2020-05-31/distribution", "cloudfront", target, "<x/>"),
        ("GET", "/2015-03-31/functions/", "lambda", {**target, "X-HTTP-Method-Override": "POST"}, "{}"),
        ("POST", "/_fourfront/v1/keys", "fourfront", target, '{"roles":["admin"]}'),
        ("POST", "/_fourfront/v1//keys", "fourfront", {}, '{"roles":["admin"]}'),
        ("POST", "//_fourfront/v1/keys", "fourfront", {}, '{"roles":["admin"]}'),
        ("POST", "/_fourfront/v1/%6beys", "fourfront", {}, '{"roles":["admin"]}'),
        ("POST", "/_fourfront/v1/keys/", "fourfront", {}, '{"roles":["admin"]}'),
        ("POST", "/_fourfront/v1/kv/../keys", "fourfront", {}, '{"roles":["admin"]}'),
        ("DELETE", f"/_fourfront/v1/keys/{READER.access_key}", "fourfront", {}, ""),
        ("GET", "/_fourfront/v1/config/credential", "fourfront", {}, ""),
        ("GET", "/_fourfront/v1/config/%63redential", "fourfront", {}, ""),
    ]:
        lines = signed(method, url, service, READER, headers, body)
        status, told = raw([f"{method} {url} HTTP/1.1", *lines], body.encode(), somewhere())
        is_list = method == "GET" and status == 200 and "<DistributionList" in told
        reads = is_list or (status == 200 and ('"Functions"' in told or "GetCallerIdentityResult" in told))
        if status < 400 and not reads:
            fault(f"{method} {url} for {service} with {body!r}: {status} {told[:300]}")


def a_second_request_has_to_prove_itself():
    # CP-400: one that comes on the connection of another, in the body of another, or behind a length that lies
    url, close = "/_fourfront/v1/keys", "Connection: close"
    host, second = f"Host: {support.ADMIN}", f"GET {url} HTTP/1.1\r\nHost: x\r\n{close}\r\n\r\n"
    good = [f for f in signed("GET", url, "fourfront", FIRST) if f != close]
    for first in [
        ["GET /health HTTP/1.1", host],
        ["GET /health HTTP/1.1", host, "Content-Length: 0"],
        ["GET /health HTTP/1.1", host, f"Content-Length: {len(second)}"],
        ["GET /health HTTP/1.1", host, "Content-Length: 0", "Transfer-Encoding: chunked"],
        ["GET /health HTTP/1.1", host, "Transfer-Encoding: chunked, identity", "Content-Length: 4"],
        ["GET /health HTTP/1.1", host, "Content-Length: 0", f"Content-Length: {len(second)}"],
    ]:
        status, told = raw(first, second.encode(), somewhere())
        if '"items"' in told:
            fault(f"{first}: {told[:300]}")
    # One that was proven proves nothing for the next.
    status, told = raw([f"GET {url} HTTP/1.1", *good], second.encode(), somewhere())
    same((status, told.count('"items"'), "HTTP/1.1 403" in told), (200, 1, True), told)


def nothing_was_done():
    same(state(), before, "after all of it")


before = state()
run(
    every_operation_unsigned,
    every_operation_wrongly_signed,
    every_operation_of_another_service,
    every_operation_with_a_key_that_reads,
    every_operation_by_boto3_with_a_key_for_logs,
    every_route,
    every_request_in_disguise,
    two_proofs_are_none,
    what_was_signed_is_what_is_done,
    a_second_request_has_to_prove_itself,
    nothing_was_done,
    who_is_not_read_is_told,
    # The last one: it is this address that has to wait.
    who_guesses_waits,
)
