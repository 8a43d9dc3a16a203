"""The calls of Terraform's provider in its order (CP-265..280), and the plan after them: what is read is what was written.

The provider itself is no package of a registry that a build may use; what it reads without asking whether it is there is
read here by index as well.
"""

import json

import botocore
from support import (
    ACCOUNT,
    KEY,
    OPTIMIZED,
    ROLE,
    Origin,
    answering,
    client,
    distribution,
    fault,
    get,
    headers,
    refused,
    run,
    same,
    status,
)

cloudfront, aws_lambda, iam, kvs = (
    client(name) for name in ["cloudfront", "lambda", "iam", "cloudfront-keyvaluestore"]
)
origin = Origin()
ARN = f"arn:aws:cloudfront::{ACCOUNT}"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["lambda.amazonaws.com", "edgelambda.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}


def role():
    # CP-265, CP-231
    iam.create_role(RoleName="edge", AssumeRolePolicyDocument=json.dumps(TRUST), Path="/")
    iam.put_role_policy(
        RoleName="edge", PolicyName="logs", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []})
    )
    found = iam.get_role(RoleName="edge")["Role"]
    same((found["Arn"], found["AssumeRolePolicyDocument"]), (ROLE, TRUST))
    same(iam.list_role_policies(RoleName="edge")["PolicyNames"], ["logs"])
    same(
        iam.get_role_policy(RoleName="edge", PolicyName="logs")["PolicyDocument"],
        {"Version": "2012-10-17", "Statement": []},
    )
    same(iam.list_attached_role_policies(RoleName="edge")["AttachedPolicies"], [])
    with refused("NoSuchEntity", 404):
        iam.get_role(RoleName="nobody")
    with refused("EntityAlreadyExists", 409):
        iam.create_role(RoleName="edge", AssumeRolePolicyDocument="{}")
    changed = TRUST | {"Statement": TRUST["Statement"] + TRUST["Statement"]}
    iam.update_assume_role_policy(RoleName="edge", PolicyDocument=json.dumps(changed))
    same(iam.get_role(RoleName="edge")["Role"]["AssumeRolePolicyDocument"], changed)
    iam.tag_role(RoleName="edge", Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    iam.untag_role(RoleName="edge", TagKeys=["a"])
    same(iam.list_role_tags(RoleName="edge")["Tags"], [{"Key": "b", "Value": "2"}])
    basic = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    iam.attach_role_policy(RoleName="edge", PolicyArn=basic)
    attached = [{"PolicyName": "AWSLambdaBasicExecutionRole", "PolicyArn": basic}]
    same(iam.list_attached_role_policies(RoleName="edge")["AttachedPolicies"], attached)
    iam.detach_role_policy(RoleName="edge", PolicyArn=basic)
    same(iam.list_attached_role_policies(RoleName="edge")["AttachedPolicies"], [])
    planned = lambda: (
        iam.get_role(RoleName="edge")["Role"],
        iam.list_role_policies(RoleName="edge")["PolicyNames"],
        iam.get_role_policy(RoleName="edge", PolicyName="logs")["PolicyDocument"],
    )
    same(planned(), planned(), "a second plan")


def read_function(name):
    """What a plan reads of a function, and the version that it takes for the newest."""
    found = aws_lambda.get_function(FunctionName=name)
    versions = []
    for page in aws_lambda.get_paginator("list_versions_by_function").paginate(
        FunctionName=name, PaginationConfig={"PageSize": 10000}
    ):
        versions += page["Versions"]
    signing = aws_lambda.get_function_code_signing_config(FunctionName=name)
    same((status(signing), signing.get("CodeSigningConfigArn")), (200, None))
    configuration = found["Configuration"]
    assert found["Code"]["Location"], "Terraform refuses an answer without it"
    kept = [
        "FunctionName",
        "Role",
        "Handler",
        "Runtime",
        "Timeout",
        "MemorySize",
        "Description",
        "CodeSha256",
        "Architectures",
        "PackageType",
    ]
    return {member: configuration[member] for member in kept} | {
        "version": versions[-1]["Version"],
        "qualified_arn": versions[-1]["FunctionArn"],
        "tags": found.get("Tags", {}),
    }


def function():
    # CP-266..268
    given = {
        "FunctionName": "tf",
        "Role": ROLE,
        "Handler": "index.handler",
        "Runtime": "nodejs22.x",
        "Timeout": 5,
        "MemorySize": 128,
    }
    aws_lambda.create_function(
        Code={"ZipFile": answering("one")}, Publish=True, Description="", Tags={"a": "b"}, **given
    )
    same(aws_lambda.get_function(FunctionName="tf")["Configuration"]["State"], "Active")
    read = read_function("tf")
    for member, value in given.items():
        same(read[member], value, member)
    same((read["version"], read["tags"]), ("1", {"a": "b"}))
    same(read_function("tf"), read, "a second plan")
    aws_lambda.update_function_configuration(FunctionName="tf", Timeout=4)
    same(aws_lambda.get_function(FunctionName="tf")["Configuration"]["LastUpdateStatus"], "Successful")
    aws_lambda.update_function_code(FunctionName="tf", ZipFile=answering("two"))
    same(aws_lambda.get_function(FunctionName="tf")["Configuration"]["LastUpdateStatus"], "Successful")
    version = aws_lambda.publish_version(FunctionName="tf")["Version"]
    waited = aws_lambda.get_function_configuration(
        FunctionName=f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:tf", Qualifier=version
    )
    same(waited["LastUpdateStatus"], "Successful")
    read = read_function("tf")
    same(
        (read["version"], read["qualified_arn"], read["Timeout"]),
        ("2", f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:tf:2", 4),
    )
    same(read_function("tf"), read, "a second plan")
    # CP-270
    aws_lambda.add_permission(
        FunctionName="tf", StatementId="s", Action="lambda:GetFunction", Principal="edgelambda.amazonaws.com"
    )
    for _ in ["a plan", "a second plan"]:
        statements = json.loads(aws_lambda.get_policy(FunctionName="tf")["Policy"])["Statement"]
        same([s["Sid"] for s in statements], ["s"])
    aws_lambda.remove_permission(FunctionName="tf", StatementId="s")
    with refused("ResourceNotFoundException", 404):
        aws_lambda.get_policy(FunctionName="tf")


def read_edge_function(name):
    development = cloudfront.describe_function(Name=name, Stage="DEVELOPMENT")
    code = cloudfront.get_function(Name=name, Stage="DEVELOPMENT")
    live = cloudfront.describe_function(Name=name, Stage="LIVE")
    same(development["ETag"], code["ETag"])
    return {
        "config": development["FunctionSummary"]["FunctionConfig"],
        "code": code["FunctionCode"].read(),
        "etag": development["ETag"],
        "live_stage_etag": live["ETag"],
        "arn": live["FunctionSummary"]["FunctionMetadata"]["FunctionARN"],
    }


def edge_function():
    # CP-271, CP-272
    config = {"Comment": "", "Runtime": "cloudfront-js-2.0"}
    code = b"function handler(event) {\r\n  return event.request; // \xc3\xa9\n}\n"
    made = cloudfront.create_function(Name="tf", FunctionConfig=config, FunctionCode=code)
    cloudfront.publish_function(Name="tf", IfMatch=made["ETag"])
    read = read_edge_function("tf")
    same((read["code"], read["config"]["Runtime"]), (code, "cloudfront-js-2.0"))
    same(read_edge_function("tf"), read, "a second plan")
    updated = cloudfront.update_function(
        Name="tf", IfMatch=read["etag"], FunctionConfig=config | {"Comment": "changed"}, FunctionCode=code
    )
    published = cloudfront.publish_function(Name="tf", IfMatch=headers(updated)["ettag"])
    same(status(published), 200)
    read = read_edge_function("tf")
    same((read["etag"], read["config"]["Comment"]), (headers(updated)["ettag"], "changed"))
    same(read_edge_function("tf"), read, "a second plan")
    with refused("NoSuchFunctionExists", 404):
        cloudfront.describe_function(Name="other", Stage="LIVE")


def store():
    # CP-273, CP-274
    made = cloudfront.create_key_value_store(Name="tf", Comment="first")
    arn = made["KeyValueStore"]["ARN"]
    state = cloudfront.describe_key_value_store(Name="tf")
    same((state["KeyValueStore"]["Status"], state["ETag"]), ("READY", made["ETag"]))
    for key in ["a", "b"]:
        etag = kvs.describe_key_value_store(KvsARN=arn)["ETag"]
        kvs.put_key(KvsARN=arn, Key=key, Value=f"value of {key}", IfMatch=etag)
        same(kvs.get_key(KvsARN=arn, Key=key)["Value"], f"value of {key}")
    # The ETag of the state before the keys is still good.
    updated = cloudfront.update_key_value_store(Name="tf", Comment="second", IfMatch=state["ETag"])
    for _ in ["a plan", "a second plan"]:
        read = cloudfront.describe_key_value_store(Name="tf")
        same((read["KeyValueStore"], read["ETag"]), (updated["KeyValueStore"], updated["ETag"]))
        same([kvs.get_key(KvsARN=arn, Key=key)["Value"] for key in "ab"], ["value of a", "value of b"])
    etag = kvs.describe_key_value_store(KvsARN=arn)["ETag"]
    kvs.delete_key(KvsARN=arn, Key="a", IfMatch=etag)
    with refused("ResourceNotFoundException", 404):
        kvs.get_key(KvsARN=arn, Key="a")


def policies():
    # CP-275: made, read, planned again, changed with the ETag that was read, read, planned again, deleted
    whitelist = lambda kind: {f"{kind[:-1]}Behavior": "whitelist", kind: {"Quantity": 1, "Items": ["example"]}}
    cookies, fields, query = whitelist("Cookies"), whitelist("Headers"), whitelist("QueryStrings")
    none = {"Quantity": 0}
    cache = {
        "Name": "tf",
        "Comment": "",
        "DefaultTTL": 50,
        "MaxTTL": 100,
        "MinTTL": 1,
        "ParametersInCacheKeyAndForwardedToOrigin": {
            "EnableAcceptEncodingBrotli": False,
            "EnableAcceptEncodingGzip": False,
            "CookiesConfig": cookies,
            "HeadersConfig": fields,
            "QueryStringsConfig": query,
        },
    }
    request = {
        "Name": "tf",
        "Comment": "",
        "CookiesConfig": cookies,
        "HeadersConfig": fields,
        "QueryStringsConfig": query,
    }
    listed = lambda *items: {"Quantity": len(items), "Items": list(items)}
    response = {
        "Name": "tf",
        "Comment": "",
        "CorsConfig": {
            "AccessControlAllowCredentials": True,
            "AccessControlAllowHeaders": listed("test"),
            "AccessControlAllowMethods": listed("GET"),
            "AccessControlAllowOrigins": listed("test.example.comtest"),
            "OriginOverride": True,
        },
        "CustomHeadersConfig": listed(
            {"Header": "X-Permitted-Cross-Domain-Policies", "Value": "none", "Override": True}
        ),
        "RemoveHeadersConfig": listed({"Header": "Set-Cookie"}),
        "ServerTimingHeadersConfig": {"Enabled": True, "SamplingRate": 50.0},
    }
    control = {
        "Name": "tf",
        "Description": "",
        "OriginAccessControlOriginType": "s3",
        "SigningBehavior": "always",
        "SigningProtocol": "sigv4",
    }
    key = {"CallerReference": "tf", "Name": "tf", "EncodedKey": KEY, "Comment": ""}
    identity = {"CallerReference": "tf", "Comment": "first"}
    for kind, config, changed in [
        ("CachePolicy", cache, {"DefaultTTL": 60}),
        ("OriginRequestPolicy", request, {"CookiesConfig": {"CookieBehavior": "none"}}),
        ("ResponseHeadersPolicy", response, {"RemoveHeadersConfig": none}),
        ("OriginAccessControl", control, {"SigningBehavior": "never"}),
        ("CloudFrontOriginAccessIdentity", identity, {"Comment": "second"}),
    ]:
        gone(kind, managed(kind, config, changed))
    # A key group needs its key, and goes before it.
    key_id = managed("PublicKey", key, {"Comment": "second"})
    group = {"Name": "tf", "Items": [key_id], "Comment": ""}
    gone("KeyGroup", managed("KeyGroup", group, {"Comment": "second"}))
    gone("PublicKey", key_id)


def call(verb, kind, **given):
    return getattr(cloudfront, botocore.xform_name(f"{verb}{kind}"))(**given)


def managed(kind, config, changed):
    """A resource from its first plan to the one after a change; its id."""
    member = f"{kind}Config"
    made = call("Create", kind, **{member: config})
    id = made[kind]["Id"]

    def planned(sent, answer):
        read = call("Get", kind, Id=id)
        same((read[kind], read["ETag"]), (answer[kind], answer["ETag"]), kind)
        for difference in differing(sent, read[kind][member], kind):
            fault(difference)
        again = call("Get", kind, Id=id)
        same((again[kind], again["ETag"]), (read[kind], read["ETag"]), f"a second plan of a {kind}")
        return read["ETag"]

    etag = planned(config, made)
    sent = config | changed
    planned(sent, call("Update", kind, Id=id, IfMatch=etag, **{member: sent}))
    return id


def gone(kind, id):
    """A resource is destroyed with the ETag that is read for it, and is not read any more."""
    same(status(call("Delete", kind, Id=id, IfMatch=call("Get", kind, Id=id)["ETag"])), 204, kind)
    with refused("NoSuchResource" if kind == "KeyGroup" else f"NoSuch{kind}", 404):
        call("Get", kind, Id=id)


def site(version):
    """A distribution as the provider sends it: empty texts for what the user does not set (CP-021)."""
    none = {"Quantity": 0}
    behavior = lambda **more: {
        "TargetOriginId": "app",
        "ViewerProtocolPolicy": "allow-all",
        "CachePolicyId": OPTIMIZED,
        "OriginRequestPolicyId": "",
        "ResponseHeadersPolicyId": "",
        "RealtimeLogConfigArn": "",
        "FieldLevelEncryptionId": "",
        "Compress": True,
        "SmoothStreaming": False,
        "AllowedMethods": {
            "Quantity": 3,
            "Items": ["OPTIONS", "HEAD", "GET"],
            "CachedMethods": {"Quantity": 2, "Items": ["HEAD", "GET"]},
        },
        "TrustedSigners": {"Enabled": False, "Quantity": 0},
        "TrustedKeyGroups": {"Enabled": False, "Quantity": 0},
        "FunctionAssociations": none,
        "LambdaFunctionAssociations": none,
        **more,
    }
    associated = {
        "Quantity": 1,
        "Items": [
            {
                "EventType": "viewer-request",
                "IncludeBody": False,
                "LambdaFunctionARN": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:tf:{version}",
            }
        ],
    }
    first = distribution("terraform-20261126")["Origins"]["Items"][0]
    first["CustomOriginConfig"] |= {
        "HTTPPort": origin.port,
        "OriginReadTimeout": 30,
        "OriginKeepaliveTimeout": 5,
        "OriginSslProtocols": {"Quantity": 2, "Items": ["TLSv1.2", "TLSv1.1"]},
    }
    first |= {
        "OriginPath": "",
        "OriginAccessControlId": "",
        "ConnectionAttempts": 3,
        "ConnectionTimeout": 10,
        "CustomHeaders": {"Quantity": 1, "Items": [{"HeaderName": "X-From", "HeaderValue": "terraform"}]},
    }
    patterns = ["/z/*", "/a/*", "/m/*"]
    return {
        "CallerReference": "terraform-20261126",
        "Comment": "",
        "Enabled": True,
        "DefaultRootObject": "",
        "WebACLId": "",
        "ContinuousDeploymentPolicyId": "",
        "HttpVersion": "http2",
        "IsIPV6Enabled": True,
        "PriceClass": "PriceClass_All",
        "Staging": False,
        "Aliases": none,
        "CustomErrorResponses": none,
        "Origins": {"Quantity": 1, "Items": [first]},
        "DefaultCacheBehavior": behavior(LambdaFunctionAssociations=associated),
        # An order that is the user's, and no other.
        "CacheBehaviors": {"Quantity": 3, "Items": [behavior(PathPattern=p) for p in patterns]},
        "Logging": {"Enabled": False, "IncludeCookies": False, "Bucket": "", "Prefix": ""},
        "Restrictions": {"GeoRestriction": {"RestrictionType": "none", "Quantity": 0}},
        "ViewerCertificate": {"CloudFrontDefaultCertificate": True, "MinimumProtocolVersion": "TLSv1"},
    }


def differing(sent, read, at=""):
    """Where a plan would find a difference: what was sent has to be read as it was, sets in any order (CP-280)."""
    if isinstance(sent, dict):
        return [d for key, value in sent.items() for d in differing(value, read.get(key), f"{at}.{key}")]
    if isinstance(sent, list) and all(isinstance(item, str) for item in sent):
        return [] if sorted(sent) == sorted(read or []) else [f"{at}: {sent} is read as {read}"]
    if isinstance(sent, list):
        if len(sent) != len(read or []):
            return [f"{at}: {sent} is read as {read}"]
        return [d for i, (one, other) in enumerate(zip(sent, read)) for d in differing(one, other, f"{at}[{i}]")]
    # The provider takes an absent text for an empty one.
    return [] if sent == read or (sent == "" and read is None) else [f"{at}: {sent!r} is read as {read!r}"]


def read_distribution(id):
    found = cloudfront.get_distribution(Id=id)
    config = found["Distribution"]["DistributionConfig"]
    # Read without a look (0.2, finding 6).
    config["OriginGroups"]["Quantity"], config["Aliases"]["Quantity"], config["CustomErrorResponses"]["Quantity"]
    for behavior in [config["DefaultCacheBehavior"]] + config["CacheBehaviors"].get("Items", []):
        for member in ["TrustedKeyGroups", "TrustedSigners", "LambdaFunctionAssociations", "FunctionAssociations"]:
            behavior[member]["Quantity"]
        behavior["AllowedMethods"]["CachedMethods"]["Items"]
    found["Distribution"]["ActiveTrustedSigners"]["Enabled"], found["Distribution"]["ActiveTrustedKeyGroups"]["Enabled"]
    arn = found["Distribution"]["ARN"]
    tags = cloudfront.list_tags_for_resource(Resource=arn)["Tags"].get("Items", [])
    return found["ETag"], config, {t["Key"]: t["Value"] for t in tags}, found["Distribution"]


def converges(id, sent, tags):
    etag, config, found, _ = read_distribution(id)
    for difference in differing(sent, config):
        fault(difference)
    same(found, tags)
    same(read_distribution(id)[:3], (etag, config, found), "a second plan")
    return etag


def distributions():
    # CP-276..280, CP-021, CP-112
    sent = site(1)
    made = cloudfront.create_distribution_with_tags(
        DistributionConfigWithTags={"DistributionConfig": sent, "Tags": {"Items": []}}
    )
    id, host = made["Distribution"]["Id"], made["Distribution"]["DomainName"]
    same(cloudfront.get_distribution(Id=id)["Distribution"]["Status"], "Deployed")
    etag = converges(id, sent, {})
    same(get("/", host)[2], "one")
    sent = site(2)
    updated = cloudfront.update_distribution(Id=id, IfMatch=etag, DistributionConfig=sent)
    converges(id, sent, {})
    same(get("/", host)[2], "two")
    # With the ETag of an older state: once refused, read again and done (CP-278).
    with refused("PreconditionFailed", 412):
        cloudfront.update_distribution(Id=id, IfMatch=etag, DistributionConfig=sent)
    etag = cloudfront.get_distribution(Id=id)["ETag"]
    same(etag, updated["ETag"])
    cloudfront.update_distribution(Id=id, IfMatch=etag, DistributionConfig=sent)
    arn = made["Distribution"]["ARN"]
    cloudfront.tag_resource(Resource=arn, Tags={"Items": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]})
    cloudfront.untag_resource(Resource=arn, TagKeys={"Items": ["a"]})
    etag = converges(id, sent, {"b": "2"})
    # CP-269, CP-076: the function is in use, and the provider waits for these words.
    with refused("InvalidParameterValueException", 400, "because it is a replicated function"):
        aws_lambda.delete_function(FunctionName="tf")
    off = cloudfront.update_distribution(Id=id, IfMatch=etag, DistributionConfig=sent | {"Enabled": False})
    etag = cloudfront.get_distribution(Id=id)["ETag"]
    same(etag, off["ETag"])
    cloudfront.delete_distribution(Id=id, IfMatch=etag)
    with refused("NoSuchDistribution", 404):
        cloudfront.get_distribution(Id=id)


def destroyed():
    # CP-265, CP-269, CP-279
    aws_lambda.delete_function(FunctionName="tf")
    with refused("ResourceNotFoundException", 404):
        aws_lambda.get_function(FunctionName="tf")
    cloudfront.delete_function(Name="tf", IfMatch=cloudfront.describe_function(Name="tf")["ETag"])
    cloudfront.delete_key_value_store(Name="tf", IfMatch=cloudfront.describe_key_value_store(Name="tf")["ETag"])
    same(iam.list_instance_profiles_for_role(RoleName="edge")["InstanceProfiles"], [])
    iam.delete_role_policy(RoleName="edge", PolicyName="logs")
    iam.delete_role(RoleName="edge")
    with refused("NoSuchEntity", 404):
        iam.get_role(RoleName="edge")


run(role, function, edge_function, store, policies, distributions, destroyed)
