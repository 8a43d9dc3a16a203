"""The calls of Terraform's provider in its order (CP-265..280), and the plan after them: what is read is what was written.

The provider itself is no package of a registry that a build may use; what it reads without asking whether it is there is
read here by index as well.
"""

import json

from support import (
    ACCOUNT,
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
    same([s["Sid"] for s in json.loads(aws_lambda.get_policy(FunctionName="tf")["Policy"])["Statement"]], ["s"])
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
    same(cloudfront.describe_key_value_store(Name="tf")["KeyValueStore"], updated["KeyValueStore"])
    etag = kvs.describe_key_value_store(KvsARN=arn)["ETag"]
    kvs.delete_key(KvsARN=arn, Key="a", IfMatch=etag)
    with refused("ResourceNotFoundException", 404):
        kvs.get_key(KvsARN=arn, Key="a")


def policies():
    # CP-275
    made = cloudfront.create_cache_policy(
        CachePolicyConfig={
            "Name": "tf",
            "Comment": "",
            "DefaultTTL": 50,
            "MaxTTL": 100,
            "MinTTL": 1,
            "ParametersInCacheKeyAndForwardedToOrigin": {
                "EnableAcceptEncodingBrotli": False,
                "EnableAcceptEncodingGzip": False,
                "CookiesConfig": {"CookieBehavior": "whitelist", "Cookies": {"Quantity": 1, "Items": ["example"]}},
                "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": {"Quantity": 1, "Items": ["example"]}},
                "QueryStringsConfig": {
                    "QueryStringBehavior": "whitelist",
                    "QueryStrings": {"Quantity": 1, "Items": ["example"]},
                },
            },
        }
    )
    id = made["CachePolicy"]["Id"]
    read = cloudfront.get_cache_policy(Id=id)
    same((read["CachePolicy"], read["ETag"]), (made["CachePolicy"], made["ETag"]))
    config = read["CachePolicy"]["CachePolicyConfig"] | {"DefaultTTL": 60}
    updated = cloudfront.update_cache_policy(Id=id, IfMatch=read["ETag"], CachePolicyConfig=config)
    same(cloudfront.get_cache_policy(Id=id)["CachePolicy"]["CachePolicyConfig"], config)
    control = cloudfront.create_origin_access_control(
        OriginAccessControlConfig={
            "Name": "tf",
            "Description": "",
            "OriginAccessControlOriginType": "s3",
            "SigningBehavior": "always",
            "SigningProtocol": "sigv4",
        }
    )
    read = cloudfront.get_origin_access_control(Id=control["OriginAccessControl"]["Id"])
    same(read["OriginAccessControl"], control["OriginAccessControl"])
    same(
        status(cloudfront.delete_origin_access_control(Id=control["OriginAccessControl"]["Id"], IfMatch=read["ETag"])),
        204,
    )
    same(status(cloudfront.delete_cache_policy(Id=id, IfMatch=updated["ETag"])), 204)


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
