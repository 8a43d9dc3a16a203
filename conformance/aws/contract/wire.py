"""What no client of AWS's shows by itself: hosts, bodies, methods and attempts, on the wire (CP section 1)."""

import base64
import gzip
import http.client
import json
import uuid

import shapes
import support
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from support import ROLE, answering, client, distribution, fault, refused, run, same

SPACE = 'xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"'


def send(method, url, body=b"", headers=None, service="cloudfront", host=None, region="us-east-1", raw=None):
    """A signed request: status, headers and body. What is signed is `body`; `raw`, if there is any, is what goes out."""
    request = AWSRequest(method, f"http://{host or support.ADMIN}{url}", headers=headers, data=body)
    SigV4Auth(support._session.get_credentials(), service, region).add_auth(request)
    request.headers["Host"] = host or support.ADMIN
    connection = http.client.HTTPConnection(support.ADMIN, timeout=30)
    chunked = headers is not None and "Transfer-Encoding" in headers
    connection.request(
        method, url, raw if raw is not None else body or None, dict(request.headers), encode_chunked=chunked
    )
    answer = connection.getresponse()
    told = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()
    connection.close()
    return told


def batch(reference, path="/*"):
    return (
        f"<InvalidationBatch {SPACE}><Paths><Quantity>1</Quantity><Items><Path>{path}</Path></Items></Paths>"
        f"<CallerReference>{reference}</CallerReference></InvalidationBatch>"
    ).encode()


def routes():
    # CP-001..003, CP-005, CP-007, CP-011, CP-016
    status, headers, body = send("GET", "/2020-05-31/distribution")
    same((status, headers["content-type"], len(headers["x-amzn-requestid"])), (200, "text/xml", 36))
    assert headers["date"].endswith("GMT") and not [h for h in headers if h.startswith("access-control")], headers
    # Other methods on known paths, with those that there are.
    for method, url, service, allow in [
        ("PATCH", "/2020-05-31/distribution", "cloudfront", "GET, POST"),
        ("DELETE", "/2015-03-31/functions", "lambda", "GET, POST"),
        ("PUT", "/", "sts", "GET, POST"),
        ("PUT", "/", "iam", "GET, POST"),
    ]:
        status, headers, _ = send(method, url, service=service)
        same((status, headers.get("allow"), len(headers["x-amzn-requestid"])), (405, allow, 36), url)
    # Pages may not read a thing unless the node says so.
    page = {"Origin": "https://console.example.test", "Access-Control-Request-Method": "GET"}
    for method in ["GET", "OPTIONS"]:
        status, headers, _ = send(method, "/2020-05-31/distribution", headers=page)
        same([h for h in headers if h.startswith("access-control")], [], f"{method} {status}")
    # Older models have a slash at the end, which is signed.
    same(send("GET", "/2015-03-31/functions/", service="lambda")[0], 200)
    status, _, body = send("GET", "/2015-03-31/functions")
    same((status, "SignatureDoesNotMatch" in body), (403, True), body)
    status, headers, body = send("GET", "/2020-05-31/distribution", service="lambda")
    same((status, headers.get("x-amzn-errortype")), (403, "InvalidSignatureException"), body)
    for region in ["eu-central-1", "us-gov-west-1", "ap-southeast-3"]:
        same(send("GET", "/2020-05-31/distribution", region=region)[0], 200, region)
    older = send("GET", "/2014-11-06/distribution")
    same((older[0], "doc/2020-05-31/" in older[2] or "doc/2014-11-06/" in older[2]), (200, True), older[2])
    status, _, body = send("GET", "/2020-05-31/realtime-log-config")
    same((status, "UnsupportedOperation" in body), (400, True), body)
    status, _, body = send("POST", "/2020-05-31/streaming-distribution", b"<StreamingDistributionConfig/>")
    same((status, "UnsupportedOperation" in body), (400, True), body)


def hosts():
    # CP-004, CP-006
    port = support.ADMIN.rsplit(":", 1)[1]
    same(send("GET", "/2020-05-31/distribution", host=f"000000000000.localhost:{port}")[0], 200)
    status, _, body = send("GET", "/2020-05-31/distribution", host=f"111111111111.localhost:{port}")
    same((status, "AccessDenied" in body), (403, True), body)
    same(send("GET", "/2020-05-31/distribution", host="anything.example.test")[0], 200)


def bodies():
    # CP-009, CP-010, CP-020, CP-025
    made = client("cloudfront").create_distribution(DistributionConfig=distribution("bodies"))
    url = f"/2020-05-31/distribution/{made['Distribution']['Id']}/invalidation"
    packed = gzip.compress(batch("gzip"))
    same(send("POST", url, packed, {"Content-Encoding": "gzip"})[0], 201)
    # In chunks, as clients send what they do not know the length of.
    whole = batch("chunks")
    told = send("POST", url, whole, {"Transfer-Encoding": "chunked"}, raw=iter([whole[:20], whole[20:]]))
    same(told[0], 201, told[2])
    for media_type in ["application/xml", "text/xml"]:
        same(send("POST", url, b'<?xml version="1.0"?>' + batch(media_type), {"Content-Type": media_type})[0], 201)
    same(send("POST", url, batch("no space").replace(SPACE.encode(), b""))[0], 201)
    status, _, body = send("POST", url, batch("large", "/" + "x" * (1 << 20)))
    same(status, 413, body)
    # A bomb is stopped at the limit as well.
    status, _, body = send("POST", url, gzip.compress(b"<a>" + b" " * (8 << 20)), {"Content-Encoding": "gzip"})
    same(status, 413, body)
    status, _, body = send("POST", url, b"\xff\xfe")
    same((status, "Malformed" in body), (400, True), body)
    deep = b"<InvalidationBatch>" + b"<a>" * 65 + b"</a>" * 65 + b"</InvalidationBatch>"
    same(send("POST", url, deep)[0], 400)
    same(send("POST", url, b"<InvalidationBatch>" + b"<a/>" * 20001 + b"</InvalidationBatch>")[0], 400)
    # What is signed is what comes (CP-415).
    status, _, body = send("POST", url, batch("signed"), raw=batch("other "))
    same((status, "SignatureDoesNotMatch" in body), (403, True), body)
    status, headers, body = send(
        "POST", "/2015-03-31/functions", b"{", {"Content-Type": "application/json"}, service="lambda"
    )
    same((status, headers["x-amzn-errortype"]), (400, "InvalidRequestContentException"), body)
    # Both spellings of the message, whichever an SDK reads (CP-030).
    status, headers, body = send("GET", "/2015-03-31/functions/nobody", service="lambda")
    told = json.loads(body)
    same(
        (status, headers["content-type"], told["Message"], told["Type"]),
        (404, "application/json", told["message"], "User"),
    )


def attempts():
    # CP-013
    attempt = lambda n, id: {
        "amz-sdk-invocation-id": id,
        "amz-sdk-request": f"attempt={n}",
        "Content-Type": "application/json",
    }
    given = {
        "FunctionName": "once",
        "Role": ROLE,
        "Runtime": "nodejs22.x",
        "Handler": "index.handler",
        "Code": {"ZipFile": base64.b64encode(answering("one")).decode()},
    }
    body, id = json.dumps(given).encode(), str(uuid.uuid4())
    told = [send("POST", "/2015-03-31/functions", body, attempt(n, id), service="lambda") for n in [1, 2]]
    same((told[0][0], told[1][0], told[1][2]), (201, 201, told[0][2]))
    assert told[0][1]["x-amzn-requestid"] != told[1][1]["x-amzn-requestid"]
    same(
        send("POST", "/2015-03-31/functions", body, attempt(1, str(uuid.uuid4())), service="lambda")[0],
        409,
        "another call",
    )
    given["Description"] = "another body"
    same(send("POST", "/2015-03-31/functions", json.dumps(given).encode(), attempt(3, id), service="lambda")[0], 409)
    # What was refused is tried again.
    publish = "/2015-03-31/functions/later/versions"
    same(send("POST", publish, b"{}", attempt(1, id), service="lambda")[0], 404)
    given["FunctionName"] = "later"
    same(send("POST", "/2015-03-31/functions", json.dumps(given).encode(), attempt(1, id), service="lambda")[0], 201)
    same(send("POST", publish, b"{}", attempt(2, id), service="lambda")[0], 201)
    with refused("ResourceConflictException", 409):
        client("lambda").create_function(**given)


def answers_are_judged():
    # CP-026, CP-027, CP-030, CP-031, CP-700: what judges every answer of these tests finds what is wrong with one
    def judged(name, operation, status, headers, body, damages):
        model = client(name).meta.service_model.operation_model(operation)
        same(shapes.faults(model, status, headers, body.encode()), [], operation)
        same(len(shapes.faults(model, status + 1, headers, body.encode())), 1, "another status")
        for old, new in damages:
            assert old in body, f"{operation}: {old} is not in {body}"
            if not shapes.faults(model, status, headers, body.replace(old, new, 1).encode()):
                fault(f"{operation}: nobody minds {new!r} in the place of {old!r}")

    judged(
        "cloudfront",
        "ListDistributions",
        *send("GET", "/2020-05-31/distribution"),
        [
            ("<IsTruncated>false</IsTruncated>", ""),
            ("<IsTruncated>false", "<IsTruncated>no"),
            ("<MaxItems>100", "<MaxItems>1e2"),
            ("<Quantity>", "<Quantity>1"),
            ("<Marker></Marker>", "<Marker></Marker><Marker></Marker>"),
            ("<Marker></Marker>", "<Novel></Novel>"),
            ("<Items>", "<Items>text"),
            ("<DistributionSummary>", "<DistributionSummary a='b'>"),
            ("<Enabled>", "<Enabled><b></b>"),
            ("<LastModifiedTime>20", "<LastModifiedTime>on 20"),
            ("<HttpVersion>http2", "<HttpVersion>http9"),
            ("doc/2020-05-31/", "doc/2019-03-26/"),
            ('<?xml version="1.0"?>', ""),
            ("</DistributionList>", ""),
        ],
    )
    # In another order.
    code, headers, body = send("GET", "/2020-05-31/distribution")
    swapped = body.replace("<Marker></Marker>", "").replace(
        "</DistributionList>", "<Marker></Marker></DistributionList>"
    )
    model = client("cloudfront").meta.service_model.operation_model("ListDistributions")
    same(len(shapes.faults(model, code, headers, swapped.encode())), 1)
    judged(
        "cloudfront",
        "GetDistribution",
        *send("GET", "/2020-05-31/distribution/ENOBODY"),
        [("Sender", "Receiver"), ("<RequestId>", "<RequestId>0"), ("<Message>", "<Text/><Message>"), ("Error>", "E>")],
    )
    judged(
        "lambda",
        "GetFunctionConfiguration",
        *send("GET", "/2015-03-31/functions/once/configuration", service="lambda"),
        [
            ('"Timeout":3', '"Timeout":"3"'),
            ('"Timeout":3', '"Timeout":3,"Timeout":3'),
            ('"Timeout":3', '"Timeout":0'),
            ('"Timeout":3', '"Timeout":null'),
            ('"Timeout":3', '"Timeouts":3'),
            ('"State":"Active"', '"State":"Idle"'),
            ('"LastModified":"', '"LastModified":"on '),
            ('["x86_64"]', '"x86_64"'),
        ],
    )
    judged(
        "lambda",
        "GetFunction",
        *send("GET", "/2015-03-31/functions/nobody", service="lambda"),
        [('"Type":"User"', '"Type":"Service"'), ('"message"', '"text"'), ("{", "[")],
    )
    # What has no body has none.
    model = client("cloudfront").meta.service_model.operation_model("DeleteDistribution")
    same(len(shapes.faults(model, 204, headers | {"content-type": "text/xml"}, b"<a/>")), 1)


run(routes, hosts, bodies, attempts, answers_are_judged)
