"""The native API as its description has it: every route answered, every answer held against its schema (CP-620, CP-621).

What the description leaves open for members to come is closed here, so that a member which it does not name is a fault.
"""

import copy
import hashlib
import http.client
import json
import pathlib
import re

import jsonschema
import openapi_spec_validator
import support
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from support import Origin, client, distribution, fault, get, handler, run, same, zipped

BASE = "/_fourfront/v1/"
SHIPPED = pathlib.Path(__file__).parents[3] / "deploy" / "openapi.json"
origin = Origin()
# Operations that were answered well, and those that were refused with a problem document.
well, refused = set(), set()


def send(method, path, data=b"", headers=None, signed=True):
    """Status, fields and body of one request."""
    headers = {"Content-Type": "application/json", **(headers or {})}
    if signed:
        request = AWSRequest(method, f"http://{support.ADMIN}{BASE}{path}", data=data, headers=headers)
        SigV4Auth(support._session.get_credentials(), "fourfront", "us-east-1").add_auth(request)
        headers = dict(request.headers)
    connection = http.client.HTTPConnection(support.ADMIN, timeout=120)
    connection.request(method, BASE + path, data, headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, body


document = json.loads(send("GET", "openapi.json")[2])


def closed(schema):
    """The same with nothing in objects but what is named."""
    if isinstance(schema, list):
        return [closed(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {k: closed(v) for k, v in schema.items()}
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        schema["additionalProperties"] = False
    return schema


strict = closed(copy.deepcopy(document["components"]["schemas"]))
# These are told as they are: what they hold is described elsewhere.
for whole in ["OpenApi", "DocumentChange"]:
    strict[whole] = document["components"]["schemas"][whole]


def held(schema, value, what):
    """Holds a value against a schema."""
    whole = {**schema, "components": {"schemas": strict}}
    checker = jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker())
    for error in list(checker.iter_errors(value))[:3]:
        fault(f"{what}: {error.json_path}: {error.message[:300]}")


def operation(method, path):
    """The description of what a request is, and where it stands."""
    path = BASE + path.split("?")[0]
    for template, item in document["paths"].items():
        last = template.endswith("{key}")
        parts = [re.escape(p) if not p.startswith("{") else "[^/]+" for p in template.split("/")]
        if last:
            parts[-1] = ".+"
        if re.fullmatch("/".join(parts), path) and method.lower() in item:
            return (method, template), item[method.lower()]
    return None, None


def ask(method, path, body=None, status=200, code=None, headers=None, signed=True):
    """One call: the answer has this status, and is what the description says of it; a refusal has this code."""
    where, described = operation(method, path)
    if described is None:
        fault(f"{method} {path} is not described")
        return None
    name = f"{method} {path}"
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    wanted = described.get("requestBody")
    if status < 300 and wanted and "application/json" in wanted["content"]:
        if body is None:
            same(wanted["required"], False, f"{name}: the body is optional")
        else:
            held(wanted["content"]["application/json"]["schema"], body, f"{name}: the request")
    got, fields, text = send(method, path, data, headers, signed)
    if got != status:
        fault(f"{name}: {status} is wanted, and it is {got}: {text[:400]}")
        return None
    media_type = fields.get("content-type", "").split(";")[0]
    answer = described["responses"].get(str(got))
    if got >= 400 and method == "HEAD":
        refused.add(where)
        same((text, media_type), (b"", "application/problem+json"), name)
        return None
    if got >= 400 and media_type == "application/problem+json":
        refused.add(where)
        told = json.loads(text)
        held({"$ref": "#/components/schemas/Problem"}, told, name)
        same((told["status"], told["code"]), (got, code or told["code"]), name)
        return told
    if answer is None:
        fault(f"{name}: {got} is not described")
        return None
    well.add(where)
    if "content" not in answer:
        same(text, b"", name)
        return None
    same(media_type, next(iter(answer["content"])), f"{name}: the type")
    if media_type != "application/json":
        return text
    told = json.loads(text)
    held(answer["content"]["application/json"]["schema"], told, name)
    return told


def the_description():
    # CP-621
    openapi_spec_validator.validate(document)
    same(document, json.loads(SHIPPED.read_text()), "the file that is shipped")


def the_node():
    # CP-620
    for word in ["health", "ready", "metrics"]:
        ask("GET", word, signed=False)
    ask("GET", "status")
    ask("GET", "backup")
    same(ask("GET", "openapi.json"), document)


def artifacts():
    # CP-620
    code = zipped(index__js=handler("request.headers['x-hook'] = [{ key: 'X-Hook', value: 'a' }]; return request;"))
    sha = hashlib.sha256(code).hexdigest()
    path = f"artifacts/sha256/{sha}"
    ask("HEAD", path, status=404)
    ask("GET", path, status=404, code="NotFound")
    same(ask("PUT", path, code, 201), {"sha256": sha, "size": len(code)})
    ask("HEAD", path, status=204)
    same(ask("GET", path), code)
    ask("PUT", path, b"other", 400, "InvalidArgument")
    ask("PUT", "artifacts/sha256/abc", b"other", 400, "InvalidArgument")
    return sha


def plan(sha, paths):
    place = {"file": "template.yaml", "line": 1, "column": 1}
    config = distribution("native", origin.port)
    del config["CallerReference"]
    config["DefaultCacheBehavior"]["LambdaFunctionAssociations"] = {
        "Quantity": 1,
        "Items": [
            {
                "EventType": "origin-request",
                "LambdaFunctionARN": {"$ref": {"kind": "version", "id": "V", "attribute": "arn"}},
            }
        ],
    }
    config["Comment"] = paths
    zip_ = {"type": "zip", "path": "edge.zip"}
    function = {"name": "native-edge", "runtime": "nodejs20.x", "handler": "index.handler", "edge": True, "code": zip_}
    return {
        "plan": {
            "stack": "native",
            "functions": [{"id": "F", "place": place, **function}],
            "versions": [
                {"id": "V", "place": place, "function": {"$ref": {"kind": "function", "id": "F", "attribute": "name"}}}
            ],
            "distributions": [{"id": "D", "place": place, "config": config}],
            "notes": [{"kind": "ignored", "place": place, "path": "Resources.X", "text": "it means nothing here"}],
        },
        "artifacts": {"function:F": sha},
        "message": "the first",
    }


def releases():
    # CP-620, CP-603, CP-609
    sha = artifacts()
    first = plan(sha, "one")
    told = ask("POST", "plan", first)
    same({step["action"] for step in told["steps"]}, {"create"})
    made = ask("POST", "releases", first, 201)
    same(ask("POST", "releases", first, 201).get("unchanged"), True)
    ask("POST", "releases", plan(sha, "two"), 201)
    listed = ask("GET", "releases?stack=native")["items"]
    same(len(listed), 2)
    ask("GET", f"releases/{made['release']}")
    ask("POST", f"releases/{made['release']}/activate", status=200)
    ask("POST", f"releases/{made['release']}/activate", {"message": "again"})
    for wrong, code in [
        ({}, "InvalidArgument"),
        ({"plan": {"stack": ""}}, "InvalidArgument"),
        ({"plan": {"stack": "x", "functions": "none"}}, "InvalidArgument"),
        ({**first, "artifacts": {}}, "MissingArtifact"),
    ]:
        ask("POST", "plan", wrong, 400, code)
        ask("POST", "releases", wrong, 400, code)
    ask("GET", "releases/nobody", status=404, code="NoSuchRelease")
    ask("POST", "releases/nobody/activate", status=404, code="NoSuchRelease")


def tried_out():
    # CP-620, CP-612, CP-611
    code = zipped(index__js=handler("request.headers['x-hook'] = [{ key: 'X-Hook', value: 'a' }]; return request;"))
    sha = hashlib.sha256(code).hexdigest()
    ask("PUT", f"artifacts/sha256/{sha}", code, 201)
    owners = {(item["kind"], item["id"]): item["from"] for item in ask("GET", "config")["items"]}
    same(owners[("lambda", "native-edge")], "stack native")
    primary = next(id for (kind, id), of in owners.items() if (kind, of) == ("distribution", "stack native"))
    path = f"stages/{primary}"
    changed = plan(sha, "three")
    # It is no release, and has no message.
    ask("POST", f"{path}/deploy", changed, 400, "InvalidArgument")
    del changed["message"]
    ask("POST", f"{path}/deploy", changed, 404, "NoSuchStage")
    ask("POST", path, status=201)
    told = ask("POST", f"{path}/deploy", changed)
    steps = [step for step in told["steps"] if step["kind"] == "distribution"]
    same([(step["action"], step["name"]) for step in steps], [("change", told["staging"]["id"])])
    aws = client("cloudfront")
    same(aws.get_distribution_config(Id=told["staging"]["id"])["DistributionConfig"]["Comment"], "three")
    same(aws.get_distribution_config(Id=primary)["DistributionConfig"]["Comment"], "one")
    other = {**changed, "plan": {**changed["plan"], "stack": "other"}}
    ask("POST", f"{path}/deploy", other, 400, "NotOfThisStack")
    ask("POST", f"{path}/deploy", {"zzz": 1}, 400, "InvalidArgument")
    ask("DELETE", path)


def functions():
    # CP-620, CP-605, CP-077, CP-153
    event = {
        "Records": [
            {
                "cf": {
                    "config": {"eventType": "origin-request", "distributionId": "E", "requestId": "r"},
                    "request": {"clientIp": "192.0.2.1", "method": "GET", "uri": "/", "querystring": "", "headers": {}},
                }
            }
        ]
    }
    for version in [None, 1, "1", "$LATEST"]:
        asked = {"function": "native-edge", "event": event, **({} if version is None else {"version": version})}
        told = ask("POST", "test", asked)
        same(told["version"], str(version or "$LATEST"))
        same(told["result"]["headers"]["x-hook"][0]["value"], "a")
        same(told["error"], None)
    throwing = zipped(index__js="exports.handler = async () => { console.log('before'); throw new TypeError('no'); };")
    sha = hashlib.sha256(throwing).hexdigest()
    ask("PUT", f"artifacts/sha256/{sha}", throwing, 201)
    settings = {"Role": support.ROLE, "Runtime": "nodejs20.x", "Handler": "index.handler"}
    ask("PUT", "config/lambda/native-throws", {"latest": {"config": settings, "sha256": sha}}, 201)
    told = ask("POST", "test", {"function": "native-throws", "event": event})
    same(told["error"], {"type": "TypeError", "message": "no"})
    if not any("before" in line for line in told["log"]):
        fault(f"what it logged is not told: {told}")
    code = b"function handler(event) { console.log('seen'); return event.request; }"
    sha = hashlib.sha256(code).hexdigest()
    ask("PUT", f"artifacts/sha256/{sha}", code, 201)
    settings = {"Comment": "", "Runtime": "cloudfront-js-2.0"}
    ask("PUT", "config/cloudfront-function/native-cff", {"development": {"config": settings, "sha256": sha}}, 201)
    event = {
        "version": "1.0",
        "context": {"eventType": "viewer-request"},
        "viewer": {"ip": "192.0.2.1"},
        "request": {"method": "GET", "uri": "/a", "querystring": {}, "headers": {}, "cookies": {}},
    }
    told = ask("POST", "test", {"function": "native-cff", "event": event})
    same((told["version"], told["result"]["request"]["uri"]), ("DEVELOPMENT", "/a"))
    for wrong, status, code in [
        ({}, 400, "InvalidArgument"),
        ({"function": "nobody", "event": {}}, 404, "NoSuchFunction"),
        ({"function": "native-edge", "version": 99, "event": {}}, 404, "ResourceNotFoundException"),
        ({"function": "native-cff", "version": "LIVE", "event": {}}, 404, "NoSuchFunction"),
    ]:
        ask("POST", "test", wrong, status, code)


def staged_and_explained():
    # CP-620, CP-612, CP-606, CP-610
    aws = client("cloudfront")
    made = aws.create_distribution(DistributionConfig=distribution("explained", origin.port))["Distribution"]
    primary, host = made["Id"], made["DomainName"]
    url = f"http://{host}/a?x=1"
    told = ask("POST", "explain", {"url": url})
    same(told["verdict"]["result"], "miss")
    get("/a?x=1", host)
    told = ask("POST", "explain", {"url": url, "headers": {"Accept": ["a", "b"], "X-Edge-A": "1"}, "viewer": "::1"})
    same((told["verdict"]["result"], told["stored"][0]["tier"]), ("hit", "memory"))
    made = ask("POST", "purge", {"distribution": primary, "paths": ["/a*"], "soft": True}, 201)
    same(ask("POST", "explain", {"url": url})["stored"][0]["invalidation"]["id"], made["id"])
    ask("POST", "explain", {"url": url, "method": "POST"})
    # CP-611: one origin answers, and nobody listens where the other is.
    down = aws.create_distribution(DistributionConfig=distribution("down", 9))["Distribution"]
    same(get("/", down["DomainName"])[0], 502)
    found = {item["distribution"]: item for item in ask("GET", "origins")["items"]}
    same((found[primary]["state"], found[primary]["last_failure"]), ("healthy", None))
    same((found[down["Id"]]["state"], found[down["Id"]]["answers"]), ("failing", 0))
    if not found[down["Id"]]["last_failure"]["message"]:
        fault(f"it is not said what failed: {found}")
    same(ask("GET", f"purge/{made['id']}"), made)
    ask("POST", "purge", {"host": host, "tags": ["t"]}, 400, "InvalidArgument")
    ask("POST", "purge", {"host": host, "all": True, "caller_reference": "once"}, 201)
    page = ask("GET", f"purge?distribution={primary}&max_items=1")
    ask("GET", f"purge?distribution={primary}&marker={page['next_marker']}")
    for name, path, wrong in [
        ("Explain", "explain", [{}, {"url": "ftp://a"}, {"url": "/", "method": "a b"}]),
        ("Purge", "purge", [{}, {"paths": ["/a b"]}, {"all": True, "host": host, "distribution": primary}]),
    ]:
        for body in wrong:
            ask("POST", path, body, 400, "InvalidArgument")
        # Readers name all that they take.
        told = ask("POST", path, {"zzz": 1}, 400, "InvalidArgument")
        same(set(re.findall("`(.*?)`", told["detail"])), set(strict[name]["properties"]), name)
    ask("POST", "explain", b"[", 400, "MalformedInput")
    ask("POST", "purge", b"[", 400, "MalformedInput")
    ask("GET", "purge?what=1", status=400, code="InvalidArgument")
    ask("GET", "purge/nobody", status=404, code="NoSuchInvalidation")

    path = f"stages/{primary}"
    for method, body in [("GET", None), ("PUT", {"weight": 0.1}), ("DELETE", None)]:
        ask(method, path, body, 404, "NoSuchStage")
    ask("POST", f"{path}/promote", status=404, code="NoSuchStage")
    ask("POST", path, status=201)
    ask("POST", path, status=409, code="StageExists")
    ask("GET", path)
    ask("PUT", path, {"weight": 0.05, "sessions": {"idle": 300, "maximum": 900}})
    ask("GET", "status")
    ask("PUT", path, {"header": {"name": "aws-cf-cd-a", "value": "1"}, "enabled": True})
    ask("PUT", path, {"wait": 1}, 400, "InvalidArgument")
    ask("POST", f"{path}/promote")
    ask("DELETE", path)


def stores():
    # CP-620, CP-611
    ask("PUT", "config/key-value-store/native", {"comment": "by PUT"}, 201)
    path = "kv/native"
    ask("PUT", f"{path}/a/b", b"1")
    same(ask("GET", f"{path}/a/b"), {"key": "a/b", "value": "1"})
    puts = [f"k{n:03}" for n in range(60)]
    ask("POST", path, {"puts": dict.fromkeys(puts[:40], "v")})
    state = ask("POST", path, {"puts": dict.fromkeys(puts[40:], "v"), "deletes": ["a/b"]})
    page = ask("GET", path)
    same(len(page["items"]), 50)
    same(len(ask("GET", f"{path}?after={page['next']}")["items"]), 10)
    stale = {"If-Match": state["ETag"]}
    ask("DELETE", f"{path}/k000", headers=stale)
    ask("GET", f"{path}/k000", status=404, code="ResourceNotFoundException")
    ask("DELETE", f"{path}/k001", status=409, code="ConflictException", headers=stale)
    ask("PUT", f"{path}/k001", b"\xff", 400, "InvalidArgument")
    ask("POST", path, {"zzz": 1}, 400, "InvalidArgument")
    ask("GET", "kv/nobody", status=404, code="NoSuchStore")


def configuration():
    # CP-620: PUT with If-Match, CP-040, CP-118
    for kind in document["components"]["schemas"]["Kind"]["enum"]:
        ask("GET", f"config/{kind}")
    aws = client("cloudfront")
    made = aws.create_distribution(DistributionConfig=distribution("replaced", 9))["Distribution"]
    path = f"config/distribution/{made['Id']}"
    found = ask("GET", path)
    same(send("GET", path)[1]["etag"], f'"{found["etag"]}"')
    body = found["body"]
    body["config"]["Origins"]["Items"][0]["CustomOriginConfig"]["HTTPPort"] = origin.port
    ask("PUT", path, body, 428, "PreconditionRequired")
    ask("PUT", path, body, 412, "PreconditionFailed", {"If-Match": '"E2QWRUHAPOMQZL"'})
    told = ask("PUT", path, body, headers={"If-Match": f'"{found["etag"]}"'})
    # It serves at once, and the operations of the API go on from it.
    same(get("/replaced", made["DomainName"])[0], 200)
    same(aws.get_distribution_config(Id=made["Id"])["ETag"], told["etag"])
    ask("PUT", path, body, 412, "PreconditionFailed", {"If-Match": found["etag"]})
    for change, code in [
        ({"config": {}}, "MalformedXML"),
        ({"config": {**body["config"], "CallerReference": "other"}}, "IllegalUpdate"),
        ({"config": {**body["config"], "PriceClass": "PriceClass_9"}}, "InvalidArgument"),
        ({"domain_name": "mine.test"}, "InvalidArgument"),
        ([], "MalformedInput"),
    ]:
        told = ask("PUT", path, change, 400, headers={"If-Match": "*"})
        if told and told["code"] != code:
            fault(f"{change}: {told}")
    ask("PUT", "config/release/r1", {}, 405, "MethodNotAllowed")
    ask("PUT", "config/cache-policy/mine", {"config": {"Name": "a", "MinTTL": 1}}, 404, "NotFound")
    ask("DELETE", path, status=409, code="DistributionNotDisabled")
    ask("DELETE", path, status=412, code="PreconditionFailed", headers={"If-Match": found["etag"]})
    ask("DELETE", f"{path}?force=true")
    ask("GET", path, status=404, code="NotFound")
    ask("GET", "config/credential", status=404, code="NoSuchKind")


def keys():
    # CP-620, CP-430, CP-432
    made = ask("POST", "keys", {"roles": ["read"]}, 201)
    token = ask("POST", "keys", {"kind": "token", "roles": ["deploy"], "function_prefixes": ["native-"]}, 201)
    # It runs what its list names, and no other.
    bearer = {"Authorization": f"Bearer {token['token']}"}
    asked = {"function": "native-throws", "event": {}}
    ask("POST", "test", asked, headers=bearer, signed=False)
    ask("POST", "test", {**asked, "function": "other"}, 403, "access_denied", bearer, False)
    if not any(key["id"] == made["id"] for key in ask("GET", "keys")["items"]):
        fault("the key is not listed")
    ask("POST", f"keys/{made['id']}/rotate", status=201)
    ask("POST", f"keys/{token['id']}/rotate", {"old_good_for": 0}, 201)
    ask("DELETE", f"keys/{made['id']}")
    ask("DELETE", f"keys/{made['id']}", status=404, code="NotFound")
    ask("POST", f"keys/{made['id']}/rotate", status=404, code="NotFound")
    for wrong in [{}, {"roles": []}, {"roles": ["king"]}, {"roles": ["read"], "zzz": 1}]:
        ask("POST", "keys", wrong, 400, "InvalidArgument")


def audited():
    # CP-620, CP-433
    first = ask("GET", "audit?limit=2")
    same(len(first["items"]), 2)
    rest = ask("GET", f"audit?before={first['next']}&limit=1000")
    operations = {entry["operation"] for entry in first["items"] + rest["items"]}
    for wanted in ["fourfront:POST releases", "fourfront:POST stages/{id}/deploy", "cloudfront:CreateDistribution"]:
        if wanted not in operations:
            fault(f"no entry is of {wanted}: {sorted(operations)}")
    for query in ["limit=0", "limit=1001", "before=x", "what=1"]:
        ask("GET", f"audit?{query}", status=400, code="InvalidArgument")
    # It is for administrators alone; what is in force, and how origins do, are not for every key either.
    for role, path in [("read", "audit"), ("purge", "config"), ("purge", "origins")]:
        token = ask("POST", "keys", {"kind": "token", "roles": [role]}, 201)
        bearer = {"Authorization": f"Bearer {token['token']}"}
        ask("GET", path, status=403, code="access_denied", headers=bearer, signed=False)


def logs():
    # CP-620, CP-608
    events = ask("GET", "logs?function=native-throws&level=info").decode()
    if "event: function" not in events or "before" not in events:
        fault(f"the line is not there: {events[:500]}")
    ask("GET", "logs?level=loud", status=400, code="InvalidArgument")


def every_route():
    # CP-620, CP-621: each was answered well, and refused with a problem document
    for template, item in document["paths"].items():
        for method, described in item.items():
            where = (method.upper(), template)
            path = re.sub(r"\{.*?\}", "x", template.removeprefix(BASE))
            if where not in well:
                fault(f"{where} was never answered well")
            if described.get("security") == [{}]:
                continue
            ask(method.upper(), path, status=403, code="missing_credentials", signed=False)
            if where not in refused:
                fault(f"{where} was never refused")
    status, fields, text = send("GET", "nothing")
    same((status, fields["content-type"]), (404, "application/problem+json"))
    held({"$ref": "#/components/schemas/Problem"}, json.loads(text), "nothing")


run(
    the_description,
    the_node,
    releases,
    tried_out,
    functions,
    staged_and_explained,
    stores,
    configuration,
    keys,
    audited,
    logs,
    every_route,
)
