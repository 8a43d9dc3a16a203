"""Lambda's API by boto3: every operation of tier M (CP section 2.1), well and refused."""

import base64
import concurrent.futures
import hashlib
import json
import time
import urllib.request

import boto3
from support import ACCOUNT, ROLE, answering, at_once, client, distribution, headers, refused, run, same, status, zipped

aws = client("lambda")
ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function"


def make(name, zip=None, **more):
    given = {"Runtime": "nodejs22.x", "Role": ROLE, "Handler": "index.handler", **more}
    return aws.create_function(FunctionName=name, Code={"ZipFile": zip or answering("one")}, **given)


def created_functions():
    # CP-032, CP-061..064, CP-066, CP-071..075
    code = answering("one")
    made = make("edge", code, Description="what it is for", Tags={"team": "web"})
    same(status(made), 201)
    assert headers(made)["content-type"] == "application/json" and headers(made)["x-amzn-requestid"]
    for member, value in {
        "FunctionName": "edge",
        "FunctionArn": f"{ARN}:edge",
        "Runtime": "nodejs22.x",
        "Role": ROLE,
        "Handler": "index.handler",
        "CodeSize": len(code),
        "CodeSha256": base64.b64encode(hashlib.sha256(code).digest()).decode(),
        "Description": "what it is for",
        "Timeout": 3,
        "MemorySize": 128,
        "Version": "$LATEST",
        "TracingConfig": {"Mode": "PassThrough"},
        "PackageType": "Zip",
        "Architectures": ["x86_64"],
        "EphemeralStorage": {"Size": 512},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/aws/lambda/edge"},
        "State": "Active",
        "LastUpdateStatus": "Successful",
    }.items():
        same(made[member], value, member)
    assert made["LastModified"].endswith("+0000") and made["RevisionId"] and made["RuntimeVersionConfig"]
    with refused("ResourceConflictException", 409, "Function already exist: edge"):
        make("edge")
    with refused("InvalidParameterValueException", 400):
        make("x" * 65)
    with refused("ValidationException", 400, "validation error detected"):
        make("not a name")
    with refused("ValidationException", 400, "role"):
        make("other", Role="nobody")
    with refused("InvalidParameterValueException", 400, "Could not unzip uploaded file"):
        make("other", b"no zip")
    with refused("InvalidParameterValueException", 400):
        make("other", zipped(**{"../index__js": "no"}))
    with refused("InvalidParameterValueException", 400):
        make("other", Runtime="cobol85")
    with refused("InvalidParameterValueException", 400, "4096"):
        make("other", Environment={"Variables": {"AB": "x" * 4095}})
    given = {"Runtime": "nodejs22.x", "Role": ROLE, "Handler": "index.handler"}
    with refused("InvalidParameterValueException", 400, "node.artifacts.nowhere"):
        aws.create_function(FunctionName="other", Code={"S3Bucket": "nowhere", "S3Key": "a.zip"}, **given)
    with refused("InvalidParameterValueException", 400):
        aws.create_function(FunctionName="other", Code={"ImageUri": "a/b:c"}, PackageType="Image", Role=ROLE)
    # Stored, and not to be associated (CP-073).
    same(make("snake", zipped(index__py="pass"), Runtime="python3.12")["Runtime"], "python3.12")
    published = make("at-once", Publish=True)
    same((published["Version"], published["FunctionArn"]), ("1", f"{ARN}:at-once"))
    # One that does not load is made, and says so (CP-065).
    broken = make("broken", zipped(index__js="exports.handler = ("))
    assert broken["State"] == "Active" and "SyntaxError" in broken["StateReason"], broken


def told_functions():
    # CP-060, CP-069, CP-070, CP-081
    names = ["edge", "function:edge", f"{ACCOUNT}:function:edge", f"{ARN}:edge", f"{ARN}:edge:$LATEST", "edge:$LATEST"]
    names.append("arn:aws:lambda:eu-west-1:000000000000:function:edge")
    for name in names:
        same(aws.get_function_configuration(FunctionName=name)["FunctionName"], "edge", name)
    found = aws.get_function(FunctionName="edge")
    same((found["Configuration"]["FunctionName"], found["Tags"]), ("edge", {"team": "web"}))
    same(found["Code"]["RepositoryType"], "S3")
    with urllib.request.urlopen(found["Code"]["Location"]) as answer:
        same(answer.read(), answering("one"), "the code as it was uploaded")
    with refused("ResourceNotFoundException", 404, "Function not found"):
        aws.get_function(FunctionName="nobody")
    with refused("ResourceNotFoundException", 404):
        aws.get_function_configuration(FunctionName="edge", Qualifier="7")
    with refused("InvalidParameterValueException", 400, "derived qualifier"):
        aws.get_function(FunctionName="edge:1", Qualifier="2")
    with refused("AccessDeniedException", 403):
        aws.get_function(FunctionName="arn:aws:lambda:us-east-1:111111111111:function:edge")
    listed = aws.list_functions()["Functions"]
    same([f["FunctionName"] for f in listed], ["at-once", "broken", "edge", "snake"])
    same(listed[2]["FunctionArn"], f"{ARN}:edge")
    assert not {"State", "LastUpdateStatus"} & set(listed[2]), "CP-062"
    both = aws.list_functions(FunctionVersion="ALL")["Functions"]
    same([f["FunctionArn"] for f in both][:2], [f"{ARN}:at-once:$LATEST", f"{ARN}:at-once:1"])
    same(
        aws.list_functions(MasterRegion="ALL", FunctionVersion="ALL")["Functions"][0]["MasterArn"],
        both[0]["FunctionArn"],
    )
    # CP-045, CP-047
    page = aws.list_functions(MaxItems=3)
    rest = aws.list_functions(MaxItems=3, Marker=page["NextMarker"])
    same([f["FunctionName"] for f in page["Functions"] + rest["Functions"]], ["at-once", "broken", "edge", "snake"])
    assert "NextMarker" not in rest
    pages = aws.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 1})
    same(len([f for page in pages for f in page["Functions"]]), 4)
    with refused("InvalidParameterValueException", 400):
        aws.list_functions(Marker="made up")
    with refused("ValidationException", 400):
        aws.list_functions(MaxItems=10001)
    same(status(aws.get_function_code_signing_config(FunctionName="edge")), 200)
    with refused("ResourceNotFoundException", 404):
        aws.get_function_code_signing_config(FunctionName="nobody")
    for name in ["function_active_v2", "function_updated_v2", "function_exists", "function_active", "function_updated"]:
        at_once(aws.get_waiter(name), FunctionName="edge")


def versions():
    # CP-043, CP-066, CP-067, CP-068
    first = aws.publish_version(FunctionName="edge", Description="the first")
    same((status(first), first["Version"], first["FunctionArn"]), (201, "1", f"{ARN}:edge:1"))
    same((first["Description"], first["State"], first["LastUpdateStatus"]), ("the first", "Active", "Successful"))
    same(aws.publish_version(FunctionName="edge")["Version"], "1", "nothing has changed")
    at_once(aws.get_waiter("published_version_active"), FunctionName="edge", Qualifier="1")
    revision = aws.get_function_configuration(FunctionName="edge")["RevisionId"]
    dry = aws.update_function_code(FunctionName="edge", ZipFile=answering("two"), DryRun=True)
    same(aws.get_function_configuration(FunctionName="edge")["RevisionId"], revision, "nothing is done")
    second = aws.update_function_code(FunctionName="edge", ZipFile=answering("two"), Publish=True, RevisionId=revision)
    same((status(second), second["Version"], second["FunctionArn"]), (200, "2", f"{ARN}:edge:2"))
    same(second["CodeSha256"], dry["CodeSha256"])
    for call, more in [
        (aws.update_function_code, {"ZipFile": answering("three")}),
        (aws.update_function_configuration, {"Timeout": 4}),
        (aws.publish_version, {}),
    ]:
        with refused("PreconditionFailedException", 412, "Get"):
            call(FunctionName="edge", RevisionId=revision, **more)
        with refused("ResourceNotFoundException", 404):
            call(FunctionName="nobody", **more)
    with refused("InvalidParameterValueException", 400, "CodeSHA256"):
        aws.publish_version(FunctionName="edge", CodeSha256="bm8=")
    changed = aws.update_function_configuration(FunctionName="edge", Timeout=5, Description="")
    same((status(changed), changed["Timeout"], changed["Description"]), (200, 5, ""))
    with refused("InvalidParameterValueException", 400):
        aws.update_function_configuration(FunctionName="edge", Runtime="cobol85")
    with refused("ValidationException", 400, "timeout"):
        aws.update_function_configuration(FunctionName="edge", Timeout=901)
    with refused("InvalidParameterValueException", 400):
        aws.update_function_code(FunctionName="edge", ZipFile=b"no zip")
    # The same code again, and published with it: that version, and no other (CP-067).
    again = aws.update_function_configuration(FunctionName="edge", Timeout=3, Description="what it is for")
    published = aws.update_function_code(FunctionName="edge", ZipFile=answering("two"), Publish=True)
    same((published["Version"], again["Timeout"]), ("2", 3))
    # More than ten, so that an order of texts would show.
    for number in range(3, 13):
        aws.update_function_configuration(FunctionName="edge", Timeout=number + 10)
        same(aws.publish_version(FunctionName="edge")["Version"], str(number))
    numbers = ["$LATEST"] + [str(n) for n in range(1, 13)]
    told = aws.list_versions_by_function(FunctionName="edge", MaxItems=10000)["Versions"]
    same([v["Version"] for v in told], numbers)
    same((told[0]["FunctionArn"], told[-1]["FunctionArn"]), (f"{ARN}:edge:$LATEST", f"{ARN}:edge:12"))
    pages = aws.get_paginator("list_versions_by_function").paginate(
        FunctionName="edge", PaginationConfig={"PageSize": 5}
    )
    same([v["Version"] for page in pages for v in page["Versions"]], numbers)
    # A marker outlives what it names (CP-047), and numbers are not used again (CP-067).
    page = aws.list_versions_by_function(FunctionName="edge", MaxItems=12)
    same(status(aws.delete_function(FunctionName="edge", Qualifier="11")), 204)
    rest = aws.list_versions_by_function(FunctionName="edge", Marker=page["NextMarker"])
    same([v["Version"] for v in rest["Versions"]], ["12"])
    same(status(aws.delete_function(FunctionName="edge:12")), 204)
    aws.update_function_configuration(FunctionName="edge", Timeout=30)
    same(aws.publish_version(FunctionName="edge")["Version"], "13")
    with refused("ResourceNotFoundException", 404):
        aws.list_versions_by_function(FunctionName="nobody")


def invoked():
    # CP-077
    told = aws.invoke(FunctionName="edge:1", Payload=json.dumps({"Records": [{"cf": {}}]}), LogType="Tail")
    same((status(told), told["ExecutedVersion"], "FunctionError" in told), (200, "1", False))
    same(json.load(told["Payload"]), {"status": "200", "body": "one"})
    assert b"START RequestId" in base64.b64decode(told["LogResult"])
    failed = aws.invoke(FunctionName="edge", Payload=b"{}")
    body = json.load(failed["Payload"])
    same((status(failed), failed["FunctionError"], body["errorType"]), (200, "Unhandled", "TypeError"))
    assert "undefined" in body["errorMessage"] and isinstance(body["trace"], list), body
    same(status(aws.invoke(FunctionName="edge", InvocationType="Event", Payload=b"{}")), 202)
    same(status(aws.invoke(FunctionName="edge", InvocationType="DryRun")), 204)
    with refused("InvalidRequestContentException", 400):
        aws.invoke(FunctionName="edge", Payload=b"{")
    with refused("ResourceNotFoundException", 404):
        aws.invoke(FunctionName="nobody")
    with refused("InvalidRuntimeException", 502):
        aws.invoke(FunctionName="snake", Payload=b"{}")
    with refused("RequestTooLargeException", 413):
        aws.invoke(FunctionName="edge", Payload=b'"' + 6_300_000 * b"x" + b'"')


def qualifiers():
    # CP-060: in the name and beside it, and not the same
    given = {"StatementId": "s", "Action": "lambda:GetFunction", "Principal": "edgelambda.amazonaws.com"}
    calls = [
        (aws.get_function, {}),
        (aws.get_function_configuration, {}),
        (aws.delete_function, {}),
        (aws.invoke, {}),
        (aws.add_permission, given),
        (aws.remove_permission, {"StatementId": "s"}),
        (aws.get_policy, {}),
    ]
    for call, more in calls:
        with refused("InvalidParameterValueException", 400, "derived qualifier"):
            call(FunctionName="edge:1", Qualifier="2", **more)
    with refused("InvalidParameterValueException", 400):
        aws.list_versions_by_function(FunctionName="edge", Marker="made up")
    for call, more in [(aws.list_tags, {}), (aws.untag_resource, {"TagKeys": ["a"]})]:
        with refused("InvalidParameterValueException", 400, "Tags on function"):
            call(Resource=f"{ARN}:edge:1", **more)


def permissions():
    # CP-078
    with refused("ResourceNotFoundException", 404, "The resource you requested does not exist."):
        aws.get_policy(FunctionName="edge")
    given = {"StatementId": "s", "Action": "lambda:GetFunction", "Principal": "replicator.lambda.amazonaws.com"}
    source = f"arn:aws:cloudfront::{ACCOUNT}:distribution/E1"
    added = aws.add_permission(FunctionName="edge", Qualifier="1", SourceArn=source, **given)
    same(status(added), 201)
    statement = json.loads(added["Statement"])
    same(statement["Principal"], {"Service": "replicator.lambda.amazonaws.com"})
    same(statement["Condition"], {"ArnLike": {"AWS:SourceArn": source}})
    same(statement["Resource"], f"{ARN}:edge:1")
    with refused("ResourceConflictException", 409):
        aws.add_permission(FunctionName="edge", Qualifier="1", **given)
    # Another qualifier has a policy of its own.
    same(status(aws.add_permission(FunctionName="edge", **given)), 201)
    policy = aws.get_policy(FunctionName="edge", Qualifier="1")
    same(json.loads(policy["Policy"])["Statement"], [statement])
    with refused("PreconditionFailedException", 412, "GetPolicy"):
        aws.remove_permission(
            FunctionName="edge", Qualifier="1", StatementId="s", RevisionId="00000000-0000-4000-8000-000000000000"
        )
    with refused("ResourceNotFoundException", 404):
        aws.remove_permission(FunctionName="edge", Qualifier="1", StatementId="other")
    with refused("ResourceNotFoundException", 404):
        aws.add_permission(FunctionName="nobody", **given)
    with refused("PreconditionFailedException", 412):
        aws.add_permission(
            **(
                given
                | {"FunctionName": "edge", "StatementId": "t", "RevisionId": "00000000-0000-4000-8000-000000000000"}
            )
        )
    gone = aws.remove_permission(FunctionName="edge", Qualifier="1", StatementId="s", RevisionId=policy["RevisionId"])
    same(status(gone), 204)
    with refused("ResourceNotFoundException", 404):
        aws.get_policy(FunctionName="edge", Qualifier="1")
    same(len(json.loads(aws.get_policy(FunctionName="edge")["Policy"])["Statement"]), 1)


def tags():
    # CP-079
    arn = f"{ARN}:edge"
    same(status(aws.tag_resource(Resource=arn, Tags={"a": "1", "b": "2"})), 204)
    same(status(aws.untag_resource(Resource=arn, TagKeys=["a", "unknown", "team"])), 204)
    same(aws.list_tags(Resource=arn)["Tags"], {"b": "2"})
    for call, more in [
        (aws.list_tags, {}),
        (aws.tag_resource, {"Tags": {"a": "1"}}),
        (aws.untag_resource, {"TagKeys": ["a"]}),
    ]:
        with refused("ResourceNotFoundException", 404):
            call(Resource=f"{ARN}:nobody", **more)
    with refused("InvalidParameterValueException", 400):
        aws.tag_resource(Resource=f"{ARN}:edge:1", Tags={"a": "1"})


def deleted():
    # CP-076, CP-081
    cloudfront = client("cloudfront")
    config = distribution("uses-edge")
    config["DefaultCacheBehavior"]["LambdaFunctionAssociations"] = {
        "Quantity": 1,
        "Items": [{"EventType": "viewer-request", "LambdaFunctionARN": f"{ARN}:at-once:1"}],
    }
    made = cloudfront.create_distribution(DistributionConfig=config)
    for qualifier in [{}, {"Qualifier": "1"}]:
        with refused("InvalidParameterValueException", 400, "because it is a replicated function"):
            aws.delete_function(FunctionName="at-once", **qualifier)
    config["Enabled"] = False
    updated = cloudfront.update_distribution(
        Id=made["Distribution"]["Id"], IfMatch=made["ETag"], DistributionConfig=config
    )
    with refused("InvalidParameterValueException", 400, "because it is a replicated function"):
        aws.delete_function(FunctionName="at-once")
    cloudfront.delete_distribution(Id=made["Distribution"]["Id"], IfMatch=updated["ETag"])
    with refused("InvalidParameterValueException", 400):
        aws.delete_function(FunctionName="at-once", Qualifier="$LATEST")
    same(status(aws.delete_function(FunctionName="at-once")), 204)
    with refused("ResourceNotFoundException", 404):
        aws.get_function(FunctionName="at-once")
    with refused("ResourceNotFoundException", 404):
        aws.get_function(FunctionName="at-once:1")
    with refused("ResourceNotFoundException", 404):
        aws.delete_function(FunctionName="at-once")


def aliases_and_limits():
    # Tier S of CP section 2.1; CP-016, CP-076, CP-078
    made = aws.create_alias(FunctionName="edge", Name="live", FunctionVersion="1", Description="what is served")
    same((status(made), made["AliasArn"], made["FunctionVersion"]), (201, f"{ARN}:edge:live", "1"))
    with refused("ResourceConflictException", 409):
        aws.create_alias(FunctionName="edge", Name="live", FunctionVersion="1")
    with refused("ResourceNotFoundException", 404):
        aws.create_alias(FunctionName="edge", Name="other", FunctionVersion="99")
    same(aws.get_function_configuration(FunctionName="edge:live")["Version"], "1")
    same(aws.invoke(FunctionName="edge", Qualifier="live", Payload=b'{"Records":[{"cf":{}}]}')["ExecutedVersion"], "1")
    with refused("ResourceConflictException", 409):
        aws.delete_function(FunctionName="edge", Qualifier="1")
    changed = aws.update_alias(FunctionName="edge", Name="live", FunctionVersion="2", RevisionId=made["RevisionId"])
    same((changed["FunctionVersion"], changed["Description"]), ("2", "what is served"))
    with refused("PreconditionFailedException", 412):
        aws.update_alias(FunctionName="edge", Name="live", FunctionVersion="1", RevisionId=made["RevisionId"])
    same(aws.get_alias(FunctionName="edge", Name="live")["RevisionId"], changed["RevisionId"])
    same([a["Name"] for a in aws.list_aliases(FunctionName="edge")["Aliases"]], ["live"])
    same([a["Name"] for a in aws.list_aliases(FunctionName="edge", FunctionVersion="1")["Aliases"]], [])
    same(status(aws.delete_alias(FunctionName="edge", Name="live")), 204)
    with refused("ResourceNotFoundException", 404):
        aws.get_alias(FunctionName="edge", Name="live")
    same("ReservedConcurrentExecutions" in aws.get_function_concurrency(FunctionName="edge"), False)
    same(
        aws.put_function_concurrency(FunctionName="edge", ReservedConcurrentExecutions=7)[
            "ReservedConcurrentExecutions"
        ],
        7,
    )
    same(aws.get_function(FunctionName="edge")["Concurrency"], {"ReservedConcurrentExecutions": 7})
    same(status(aws.delete_function_concurrency(FunctionName="edge")), 204)
    same(aws.get_account_settings()["AccountUsage"]["FunctionCount"], len(aws.list_functions()["Functions"]))


def writers_at_the_same_time():
    # CP-043, CP-080: one after the other, and none is lost
    make("crowd")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        timeouts = list(range(10, 18))
        done = list(pool.map(lambda t: aws.update_function_configuration(FunctionName="crowd", Timeout=t), timeouts))
    same(len({d["RevisionId"] for d in done}), 8)
    revision = aws.get_function_configuration(FunctionName="crowd")["RevisionId"]

    def publish(timeout):
        try:
            aws.update_function_configuration(FunctionName="crowd", Timeout=timeout, RevisionId=revision)
            return 1
        except aws.exceptions.PreconditionFailedException:
            return 0

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        same(sum(pool.map(publish, range(20, 28))), 1, "one has the revision, and the others are told so")


def a_writer_that_takes_long():
    # CP-080: the second on the same function is told after 5 s, others wait for nobody
    make("slow")
    waiting = zipped(index__mjs="await new Promise((r) => setTimeout(r, 60000)); export const handler = async () => {};")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        first = pool.submit(aws.update_function_code, FunctionName="slow", ZipFile=waiting)
        while True:
            began = time.monotonic()
            try:
                aws.tag_resource(Resource=f"{ARN}:slow", Tags={"a": "b"})
            except aws.exceptions.ResourceConflictException as e:
                took = time.monotonic() - began
                assert "in progress" in str(e) and took >= 4.5, f"{took} s: {e}"
                break
            # It was first.
            assert not first.done(), "nobody was in its way"
        began = time.monotonic()
        make("beside", Publish=True)
        aws.publish_version(FunctionName="beside")
        aws.tag_resource(Resource=f"{ARN}:beside", Tags={"a": "b"})
        assert not first.done() and time.monotonic() - began < 4, time.monotonic() - began
        told = first.result()
    assert told["StateReason"], told
    same(status(aws.tag_resource(Resource=f"{ARN}:slow", Tags={"a": "b"})), 204)


def identity():
    # CP-230, CP-236
    found = client("sts").get_caller_identity()
    key = client("sts")._request_signer._credentials.access_key
    same((found["Account"], found["Arn"], found["UserId"]), (ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/{key}", key))
    # Table 1.5: somebody else, and the same one with another secret
    unknown = boto3.session.Session("FFNOBODYNOBODYNOBODY", "no", region_name="us-east-1")
    forged = boto3.session.Session(key, "no", region_name="us-east-1")
    for name, stranger, forger in [
        ("sts", "InvalidClientTokenId", "SignatureDoesNotMatch"),
        ("lambda", "UnrecognizedClientException", "InvalidSignatureException"),
        ("cloudfront", "InvalidClientTokenId", "SignatureDoesNotMatch"),
    ]:
        ask = {"sts": "get_caller_identity", "lambda": "list_functions", "cloudfront": "list_functions"}[name]
        for session, code in [(unknown, stranger), (forged, forger)]:
            with refused(code, 403):
                getattr(client(name, session=session), ask)()
    with refused("UnsupportedOperation", 400, "AWS_ENDPOINT_URL"):
        client("sqs").list_queues()
    with refused("NotImplementedException", 501):
        aws.list_layers()


run(
    created_functions,
    told_functions,
    versions,
    invoked,
    qualifiers,
    permissions,
    tags,
    aliases_and_limits,
    writers_at_the_same_time,
    a_writer_that_takes_long,
    deleted,
    identity,
)
