"""CloudFront's distributions, their tags and invalidations by boto3: every operation of tier M (CP section 3.1, 3.3..3.5)."""

import contextlib
import copy
import xml.etree.ElementTree

import shapes
import support
from support import (
    ACCOUNT,
    OPTIMIZED,
    ROLE,
    Origin,
    answering,
    at_once,
    client,
    distribution,
    fault,
    get,
    headers,
    refused,
    run,
    same,
    signed,
    status,
)

aws = client("cloudfront")
origin = Origin()
ETAG = "E" + 13 * "X"


def make(reference, **more):
    return aws.create_distribution(DistributionConfig=distribution(reference, origin.port, **more))


def created():
    # CP-040, CP-048, CP-111, CP-113, CP-114
    made = make("first", Comment="the first")
    found = made["Distribution"]
    same(status(made), 201)
    same(made["Location"], f"http://{support.ADMIN}/2020-05-31/distribution/{found['Id']}")
    assert len(found["Id"]) == 14 and found["Id"][0] == "E" and len(made["ETag"]) == 14 and made["ETag"][0] == "E"
    same(found["ARN"], f"arn:aws:cloudfront::{ACCOUNT}:distribution/{found['Id']}")
    same((found["Status"], found["InProgressInvalidationBatches"]), ("Deployed", 0))
    same(found["ActiveTrustedSigners"], {"Enabled": False, "Quantity": 0})
    same(found["ActiveTrustedKeyGroups"], {"Enabled": False, "Quantity": 0})
    assert "AliasICPRecordals" not in found and found["LastModifiedTime"].tzinfo
    label, suffix = found["DomainName"].split(".", 1)
    assert len(label) == 14 and label[0] == "d" and suffix == "cloudfront.localhost"
    same(get("/created", found["DomainName"])[0], 200)
    at_once(aws.get_waiter("distribution_deployed"), Id=found["Id"])
    with refused("DistributionAlreadyExists", 409):
        make("first", Comment="another body")
    tags = {"Items": [{"Key": "fourfront:id", "Value": "EFIXED"}, {"Key": "team", "Value": "web"}]}
    both = {"DistributionConfig": distribution("with-tags"), "Tags": tags}
    made = aws.create_distribution_with_tags(DistributionConfigWithTags=both)
    # CP-049
    same((status(made), made["Distribution"]["Id"]), (201, "EFIXED"))
    both = {"DistributionConfig": distribution("with-tags-2"), "Tags": tags}
    with refused("DistributionAlreadyExists", 409):
        aws.create_distribution_with_tags(DistributionConfigWithTags=both)
    with refused("NoSuchDistribution", 404):
        aws.get_distribution(Id="ENOBODY")
    with refused("NoSuchDistribution", 404):
        aws.get_distribution_config(Id="ENOBODY")


def normal_form():
    # CP-112, CP-022, table 3.4
    made = make("normal")
    config = aws.get_distribution_config(Id=made["Distribution"]["Id"])
    same(config["ETag"], made["ETag"])
    config = config["DistributionConfig"]
    same(config, made["Distribution"]["DistributionConfig"])
    none = {"Quantity": 0}
    for member, value in {
        "Aliases": none,
        "OriginGroups": none,
        "CacheBehaviors": none,
        "CustomErrorResponses": none,
        "DefaultRootObject": "",
        "Comment": "",
        "WebACLId": "",
        "ContinuousDeploymentPolicyId": "",
        "PriceClass": "PriceClass_All",
        "HttpVersion": "http2",
        "IsIPV6Enabled": False,
        "Staging": False,
        "Logging": {"Enabled": False, "IncludeCookies": False, "Bucket": "", "Prefix": ""},
        "Restrictions": {"GeoRestriction": {"RestrictionType": "none", "Quantity": 0}},
        "ViewerCertificate": {
            "CloudFrontDefaultCertificate": True,
            "SSLSupportMethod": "vip",
            "MinimumProtocolVersion": "TLSv1",
            "CertificateSource": "cloudfront",
        },
    }.items():
        same(config.get(member), value, member)
    found = config["Origins"]["Items"][0]
    for member, value in {
        "OriginPath": "",
        "CustomHeaders": none,
        "ConnectionAttempts": 3,
        "ConnectionTimeout": 10,
        "OriginShield": {"Enabled": False},
        "OriginAccessControlId": "",
    }.items():
        same(found.get(member), value, member)
    custom = found["CustomOriginConfig"]
    same((custom["OriginReadTimeout"], custom["OriginKeepaliveTimeout"]), (30, 5))
    same(custom["OriginSslProtocols"], {"Quantity": 1, "Items": ["TLSv1.2"]})
    behavior = config["DefaultCacheBehavior"]
    off = {"Enabled": False, "Quantity": 0}
    for member, value in {
        "TrustedSigners": off,
        "TrustedKeyGroups": off,
        "SmoothStreaming": False,
        "Compress": False,
        "LambdaFunctionAssociations": none,
        "FunctionAssociations": none,
        "FieldLevelEncryptionId": "",
        "GrpcConfig": {"Enabled": False},
    }.items():
        same(behavior.get(member), value, member)
    methods = behavior["AllowedMethods"]
    same((sorted(methods["Items"]), sorted(methods["CachedMethods"]["Items"])), (["GET", "HEAD"], ["GET", "HEAD"]))
    # What is read can be written, and is read as it was (CP-705).
    again = aws.update_distribution(Id=made["Distribution"]["Id"], IfMatch=made["ETag"], DistributionConfig=config)
    same(again["Distribution"]["DistributionConfig"], config)
    # The legacy form (CP-255): what the CLI's `--origin-domain-name` sends.
    legacy = distribution("legacy", origin.port)
    behavior = legacy["DefaultCacheBehavior"]
    del behavior["CachePolicyId"]
    behavior["ForwardedValues"] = {"QueryString": False, "Cookies": {"Forward": "none"}}
    behavior["TrustedSigners"] = off
    behavior["MinTTL"] = 0
    made = aws.create_distribution(DistributionConfig=legacy)
    behavior = made["Distribution"]["DistributionConfig"]["DefaultCacheBehavior"]
    same((behavior["MinTTL"], behavior["DefaultTTL"], behavior["MaxTTL"]), (0, 86400, 31536000))
    same(behavior["ForwardedValues"]["Headers"], none)
    same(behavior["ForwardedValues"]["QueryStringCacheKeys"], none)
    same(get("/legacy", made["Distribution"]["DomainName"])[0], 200)


def updated():
    # CP-040, CP-041, CP-110
    made = make("changes")
    id, etag = made["Distribution"]["Id"], made["ETag"]
    config = distribution("changes", origin.port, DefaultRootObject="index.html")
    done = aws.update_distribution(Id=id, IfMatch=etag, DistributionConfig=config)
    assert status(done) == 200 and done["ETag"] != etag
    same(aws.get_distribution(Id=id)["ETag"], done["ETag"])
    assert get("/", made["Distribution"]["DomainName"])[2].endswith("/index.html")
    with refused("PreconditionFailed", 412):
        aws.update_distribution(Id=id, IfMatch=etag, DistributionConfig=config)
    for wrong in [{}, {"IfMatch": ""}, {"IfMatch": "nothing"}]:
        with refused("InvalidIfMatchVersion", 400):
            aws.update_distribution(Id=id, DistributionConfig=config, **wrong)
    # In quotes, and with the same content: another ETag all the same.
    same_again = aws.update_distribution(Id=id, IfMatch=f'"{done["ETag"]}"', DistributionConfig=config)
    assert same_again["ETag"] != done["ETag"]
    etag = same_again["ETag"]
    with refused("IllegalUpdate", 400):
        aws.update_distribution(Id=id, IfMatch=etag, DistributionConfig=distribution("another", origin.port))
    with refused("NoSuchDistribution", 404):
        aws.update_distribution(Id="ENOBODY", IfMatch=etag, DistributionConfig=config)
    # Nothing is merged.
    done = aws.update_distribution(Id=id, IfMatch=etag, DistributionConfig=distribution("changes", origin.port))
    same(done["Distribution"]["DistributionConfig"]["DefaultRootObject"], "")


def refused_configurations():
    # CP-116..119, CP-130..133
    made = make("checks")
    id, etag = made["Distribution"]["Id"], made["ETag"]
    base = distribution("checks", origin.port)

    def check(code, change, says="", status=400, updating=None):
        """A configuration that no operation takes; where `updating` has another code than the others, that one."""
        config = copy.deepcopy(base)
        change(config)
        with refused(updating or code, status, says):
            aws.update_distribution(Id=id, IfMatch=etag, DistributionConfig=config)
        config["CallerReference"] = "never made"
        with refused(code, status, says):
            aws.create_distribution(DistributionConfig=config)
        with refused(code, status, says):
            aws.create_distribution_with_tags(
                DistributionConfigWithTags={"DistributionConfig": config, "Tags": {"Items": []}}
            )

    def behavior(**more):
        return lambda config: config["DefaultCacheBehavior"].update(more)

    def without_policy(**more):
        def change(config):
            del config["DefaultCacheBehavior"]["CachePolicyId"]
            config["DefaultCacheBehavior"].update(more)

        return change

    def first_origin(**more):
        return lambda config: config["Origins"]["Items"][0].update(more)

    forwarded = {"QueryString": False, "Cookies": {"Forward": "none"}}
    uuid = "00000000-0000-4000-8000-000000000000"
    check("NoSuchOrigin", behavior(TargetOriginId="other"), status=404)
    check("NoSuchCachePolicy", behavior(CachePolicyId=uuid), status=404)
    check("NoSuchOriginRequestPolicy", behavior(OriginRequestPolicyId=uuid), status=404)
    check("NoSuchResponseHeadersPolicy", behavior(ResponseHeadersPolicyId=uuid), status=404)
    check("TrustedKeyGroupDoesNotExist", behavior(TrustedKeyGroups={"Enabled": True, "Quantity": 1, "Items": [uuid]}))
    check("InvalidArgument", behavior(ForwardedValues=forwarded), "cache policy")
    check("InvalidArgument", without_policy())
    check("InvalidTTLOrder", without_policy(ForwardedValues=forwarded, MinTTL=10, DefaultTTL=5, MaxTTL=20))
    check(
        "InvalidForwardCookies",
        without_policy(ForwardedValues={"QueryString": False, "Cookies": {"Forward": "whitelist"}}, MinTTL=0),
    )
    check("InvalidRelativePath", first_origin(OriginPath="no-slash"))
    check("InvalidOriginAccessControl", first_origin(OriginAccessControlId="ENOBODY"))
    # A code that creating has, and updating has not.
    check("InvalidOrigin", first_origin(DomainName="not a name"), updating="InvalidArgument")

    def custom(**more):
        return lambda config: config["Origins"]["Items"][0]["CustomOriginConfig"].update(more)

    def bucket(identity, **more):
        def change(config):
            del config["Origins"]["Items"][0]["CustomOriginConfig"]
            config["Origins"]["Items"][0].update(
                DomainName="bucket.s3.us-east-1.amazonaws.com",
                S3OriginConfig={"OriginAccessIdentity": identity},
                **more,
            )

        return change

    control = aws.create_origin_access_control(
        OriginAccessControlConfig={
            "Name": "checks",
            "SigningProtocol": "sigv4",
            "SigningBehavior": "always",
            "OriginAccessControlOriginType": "s3",
        }
    )["OriginAccessControl"]["Id"]
    check("InvalidOriginAccessIdentity", bucket("nonsense"))
    check("InvalidOriginAccessIdentity", bucket("origin-access-identity/cloudfront/ENOBODY"))
    both = bucket("origin-access-identity/cloudfront/ENOBODY", OriginAccessControlId=control)
    check("IllegalOriginAccessConfiguration", both)
    many = [{"HeaderName": f"X-{n}", "HeaderValue": "1"} for n in range(31)]
    check("TooManyOriginCustomHeaders", first_origin(CustomHeaders={"Quantity": len(many), "Items": many}))
    check("InvalidOriginKeepaliveTimeout", custom(OriginKeepaliveTimeout=0))
    check("InvalidOriginReadTimeout", custom(OriginReadTimeout=0))
    host = forwarded | {"Headers": {"Quantity": 1, "Items": ["Host"]}}

    def host_to_a_bucket(config):
        bucket("")(config)
        without_policy(ForwardedValues=host, MinTTL=0)(config)

    check("InvalidHeadersForS3Origin", host_to_a_bucket)
    keys = forwarded | {"QueryStringCacheKeys": {"Quantity": 1, "Items": ["a"]}}
    check("InvalidQueryStringParameters", without_policy(ForwardedValues=keys, MinTTL=0))
    policy = lambda config: config.update(ContinuousDeploymentPolicyId="nobody")
    check("NoSuchContinuousDeploymentPolicy", policy, status=404)
    check("InvalidDefaultRootObject", lambda c: c.update(DefaultRootObject="/index.html"))
    check("InconsistentQuantities", lambda c: c["Origins"].update(Quantity=2))
    check("InconsistentQuantities", lambda c: c.update(Aliases={"Quantity": 1}))
    pages = {"Quantity": 1, "Items": [{"ErrorCode": 418, "ErrorCachingMinTTL": 1}]}
    check("InvalidErrorCode", lambda c: c.update(CustomErrorResponses=pages))
    pages = {"Quantity": 1, "Items": [{"ErrorCode": 404, "ResponseCode": "299", "ResponsePagePath": "/404"}]}
    check("InvalidResponseCode", lambda c: c.update(CustomErrorResponses=pages))
    geo = lambda kind, *items: {
        "GeoRestriction": {"RestrictionType": kind, "Quantity": len(items), "Items": list(items)}
    }
    check("InvalidGeoRestrictionParameter", lambda c: c.update(Restrictions=geo("none", "DE")))
    check("InvalidLocationCode", lambda c: c.update(Restrictions=geo("whitelist", "XQ")))
    alias = {"Quantity": 1, "Items": ["www.example.test"]}
    check("InvalidViewerCertificate", lambda c: c.update(Aliases=alias))
    arn = f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/none"
    unknown = {"ACMCertificateArn": arn, "SSLSupportMethod": "sni-only"}
    check("InvalidViewerCertificate", lambda c: c.update(Aliases=alias, ViewerCertificate=unknown))
    function = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:nobody"
    lambdas = lambda *items: behavior(
        LambdaFunctionAssociations={
            "Quantity": len(items),
            "Items": [
                {"EventType": event, "LambdaFunctionARN": arn, "IncludeBody": body} for event, arn, body in items
            ],
        }
    )
    for arn in [function, f"{function}:$LATEST", f"{function}:alias", f"{function}:1"]:
        check("InvalidLambdaFunctionAssociation", lambdas(("viewer-request", arn, False)))
    cff = f"arn:aws:cloudfront::{ACCOUNT}:function/nobody"
    functions = lambda *events: behavior(
        FunctionAssociations={
            "Quantity": len(events),
            "Items": [{"EventType": event, "FunctionARN": cff} for event in events],
        }
    )
    for events in [["viewer-request"], ["origin-request"], ["viewer-request", "viewer-request"]]:
        check("InvalidFunctionAssociation", functions(*events))
    # CP-130, CP-134: functions that the edge does not take
    functions_api = client("lambda")
    strange = {
        "environment": {"Environment": {"Variables": {"AB": "1"}}},
        "arm": {"Architectures": ["arm64"]},
        "python": {"Runtime": "python3.12"},
        "queue": {"DeadLetterConfig": {"TargetArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:dead"}},
        "slow": {"Timeout": 31},
        "plain": {},
    }
    for name, more in strange.items():
        given = {
            "Runtime": "nodejs22.x",
            "Role": ROLE,
            "Handler": "index.handler",
            "Code": {"ZipFile": answering(name)},
            "Publish": True,
        }
        functions_api.create_function(FunctionName=name, **(given | more))
    arn = lambda name: f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}:1"
    for name in ["environment", "arm", "python", "queue", "slow"]:
        check("InvalidLambdaFunctionAssociation", lambdas(("viewer-request", arn(name), False)))
    plain = arn("plain")
    # CP-131, CP-132
    check("InvalidLambdaFunctionAssociation", lambdas(("viewer-response", plain, True)), "IncludeBody")
    check(
        "InvalidLambdaFunctionAssociation",
        lambdas(("viewer-request", plain, False), ("viewer-request", plain, False)),
        "twice",
    )
    events = ["viewer-request", "viewer-response", "origin-request", "origin-response"]
    check("InvalidLambdaFunctionAssociation", lambdas(*[(event, plain, False) for event in events + events[:1]]))
    etag_of = aws.create_function(
        Name="edge",
        FunctionConfig={"Comment": "", "Runtime": "cloudfront-js-2.0"},
        FunctionCode=b"function handler(event) { return event.request; }",
    )["ETag"]
    unpublished = {
        "Quantity": 1,
        "Items": [{"EventType": "viewer-request", "FunctionARN": cff.replace("nobody", "edge")}],
    }
    check("InvalidFunctionAssociation", behavior(FunctionAssociations=unpublished))
    aws.publish_function(Name="edge", IfMatch=etag_of)

    def both_kinds(config):
        lambdas(("viewer-response", plain, False))(config)
        behavior(FunctionAssociations=unpublished)(config)

    check("InvalidFunctionAssociation", both_kinds)
    # Without a body at all.
    tagged = {"DistributionConfig": base, "Tags": {"Items": []}}
    with without_body("UpdateDistribution"), refused("MissingBody", 400):
        aws.update_distribution(Id=id, IfMatch=etag, DistributionConfig=base)
    with without_body("CreateDistribution"), refused("MissingBody", 400):
        aws.create_distribution(DistributionConfig=base)
    with without_body("CreateDistributionWithTags"), refused("MissingBody", 400):
        aws.create_distribution_with_tags(DistributionConfigWithTags=tagged)
    # And what was refused has changed nothing.
    same(aws.get_distribution(Id=id)["ETag"], etag)


@contextlib.contextmanager
def without_body(operation):
    """What the client sends for this operation has no body."""

    def empty(request, **_):
        request.data = b""

    event = f"before-sign.cloudfront.{operation}"
    aws.meta.events.register(event, empty)
    try:
        yield
    finally:
        aws.meta.events.unregister(event, empty)


def aliases():
    # CP-116, CP-117
    alias = lambda *names: {"Quantity": len(names), "Items": list(names)}
    certificate = {
        "ACMCertificateArn": f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/one",
        "SSLSupportMethod": "sni-only",
    }
    with refused("InvalidViewerCertificate", 400):
        make("alias", Aliases=alias("www.example.test"))
    with refused("InvalidViewerCertificate", 400):
        make(
            "alias",
            Aliases=alias("www.example.test"),
            ViewerCertificate=certificate | {"ACMCertificateArn": certificate["ACMCertificateArn"] + "2"},
        )
    make("alias", Aliases=alias("www.example.test"), ViewerCertificate=certificate)
    same(get("/alias", "www.example.test")[0], 200)
    taken = {"Aliases": alias("www.example.test"), "ViewerCertificate": certificate}
    with refused("CNAMEAlreadyExists", 409):
        make("alias-2", **taken)
    both = {"DistributionConfig": distribution("alias-2", **taken), "Tags": {"Items": []}}
    with refused("CNAMEAlreadyExists", 409):
        aws.create_distribution_with_tags(DistributionConfigWithTags=both)
    other = make("alias-2")
    with refused("CNAMEAlreadyExists", 409):
        aws.update_distribution(
            Id=other["Distribution"]["Id"],
            IfMatch=other["ETag"],
            DistributionConfig=distribution("alias-2", origin.port, **taken),
        )
    # The more specific name is another one.
    make("alias-3", Aliases=alias("*.example.test"), ViewerCertificate=certificate)


def listed():
    # CP-044, CP-047, CP-113
    all = aws.list_distributions()["DistributionList"]
    ids = [d["Id"] for d in all["Items"]]
    same((all["Quantity"], all["MaxItems"], all["IsTruncated"], "NextMarker" in all), (len(ids), 100, False, False))
    item = all["Items"][0]
    assert item["ETag"] and item["Staging"] is False and not {"Logging", "DefaultRootObject"} & set(item), item.keys()
    page = aws.list_distributions(MaxItems="2")["DistributionList"]
    same((page["Quantity"], page["MaxItems"], page["IsTruncated"]), (2, 2, True))
    pages = aws.get_paginator("list_distributions").paginate(PaginationConfig={"PageSize": 2})
    same([d["Id"] for page in pages for d in page["DistributionList"]["Items"]], ids)
    same(aws.list_distributions(MaxItems="1000")["DistributionList"]["MaxItems"], 100)
    for wrong in [{"Marker": "made up"}, {"MaxItems": "0"}, {"MaxItems": "many"}]:
        with refused("InvalidArgument", 400):
            aws.list_distributions(**wrong)


def unknown_elements():
    # CP-020, CP-021, CP-023, CP-026, CP-705: what a later SDK sends
    made = make("unknown")
    id = made["Distribution"]["Id"]
    path = f"/2020-05-31/distribution/{id}/config"
    shapes.NOVELTIES |= {"Novelty"}
    novelty = "<Novelty><Quantity>2</Quantity><Items><Thing>a</Thing><Thing>b</Thing></Items></Novelty>"
    text = signed("GET", path)[2].decode()
    # At the top, in a structure, and in an item of a list.
    for known in ["<Enabled>true", "<TargetOriginId>", "<OriginPath>"]:
        assert known in text, known
        text = text.replace(known, novelty + known, 1)
    for _ in range(2):
        etag = signed("GET", path)[1]["etag"]
        answer, told, body = signed("PUT", path, text.encode(), {"If-Match": etag, "Content-Type": "application/xml"})
        same((answer, told["content-type"]), (200, "text/xml"), body)
        answer, told, body = signed("GET", path)
        assert body.startswith(b"<?xml"), body
        same(body.decode().count(novelty), 3)
        # Written as it was read, and read as it was written.
        read, text = text, body.decode()
    same(read, text)
    root = xml.etree.ElementTree.fromstring(body)
    same(root.tag, "{http://cloudfront.amazonaws.com/doc/2020-05-31/}DistributionConfig")
    same(get("/unknown", made["Distribution"]["DomainName"])[0], 200, "and what it does not know does nothing")
    # An older date of the API (CP-007), in whose namespace it is answered.
    answer, _, body = signed("GET", path.replace("2020-05-31", "2019-03-26"))
    same(answer, 200, body)
    # CP-027, CP-028
    answer, told, body = signed("GET", "/2020-05-31/distribution/ENOBODY")
    root = xml.etree.ElementTree.fromstring(body)
    space = "{http://cloudfront.amazonaws.com/doc/2020-05-31/}"
    same([root.tag] + [e.tag for e in root], [f"{space}{name}" for name in ["ErrorResponse", "Error", "RequestId"]])
    same(root.find(f"{space}Error/{space}Type").text, "Sender")
    same(root.find(f"{space}RequestId").text, told["x-amzn-requestid"])
    for body in [
        b"<DistributionConfig>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><DistributionConfig>&b;</DistributionConfig>",
    ]:
        answer, _, told = signed("PUT", path, body, {"If-Match": made["ETag"]})
        same((answer, b"MalformedInput" in told or b"MalformedXML" in told), (400, True), told)


def tags():
    # CP-158, CP-006
    arn = f"arn:aws:cloudfront::{ACCOUNT}:distribution/EFIXED"
    read = lambda: {t["Key"]: t["Value"] for t in aws.list_tags_for_resource(Resource=arn)["Tags"]["Items"]}
    same(read(), {"fourfront:id": "EFIXED", "team": "web"})
    same(status(aws.tag_resource(Resource=arn, Tags={"Items": [{"Key": "a", "Value": "1"}, {"Key": "b"}]})), 204)
    same(status(aws.untag_resource(Resource=arn, TagKeys={"Items": ["team", "unknown"]})), 204)
    same(read(), {"fourfront:id": "EFIXED", "a": "1", "b": ""})
    calls = [
        (aws.list_tags_for_resource, {}),
        (aws.tag_resource, {"Tags": {"Items": []}}),
        (aws.untag_resource, {"TagKeys": {"Items": []}}),
    ]
    for call, more in calls:
        with refused("NoSuchResource", 404):
            call(Resource=f"arn:aws:cloudfront::{ACCOUNT}:distribution/ENOBODY", **more)
        with refused("NoSuchResource", 404):
            call(Resource=f"arn:aws:cloudfront::{ACCOUNT}:cache-policy/{OPTIMIZED}", **more)
        with refused("AccessDenied", 403):
            call(Resource="arn:aws:cloudfront::111111111111:distribution/EFIXED", **more)
        with refused("InvalidArgument", 400):
            call(Resource="arn:aws:s3:::bucket", **more)
    for wrong in [
        [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}],
        [{"Key": f"key-{n}", "Value": ""} for n in range(51)],
        # With those that it has.
        [{"Key": f"key-{n}", "Value": ""} for n in range(48)],
    ]:
        with refused("InvalidTagging", 400):
            aws.tag_resource(Resource=arn, Tags={"Items": wrong})
    same(len(read()), 3)
    twice = {"Items": [{"Key": "a"}, {"Key": "a"}]}
    both = {"DistributionConfig": distribution("twice-tagged"), "Tags": twice}
    with refused("InvalidTagging", 400):
        aws.create_distribution_with_tags(DistributionConfigWithTags=both)


def invalidations():
    # CP-140..144, CP-048; through the cache of the node that runs
    made = make("purged", CacheTagConfig={"HeaderName": "Cache-Tag"})
    id, host = made["Distribution"]["Id"], made["Distribution"]["DomainName"]
    origin.tags = {"/b/": "Red, blue", "/c": "green"}
    paths = ["/a/1", "/a/2", "/b/1", "/c", "/d%20e"]
    known = {path: get(path, host)[2] for path in paths}

    def stale(*wanted):
        """Exactly these are fetched anew."""
        now = {path: get(path, host)[2] for path in paths}
        same([p for p in paths if now[p] != known[p]], list(wanted))
        known.update(now)

    def purge(reference, *items):
        batch = {"CallerReference": reference, "Paths": {"Quantity": len(items), "Items": list(items)}}
        return aws.create_invalidation(DistributionId=id, InvalidationBatch=batch)

    stale()
    done = purge("one", "/a/1")
    found = done["Invalidation"]
    same((status(done), found["Status"]), (201, "Completed"))
    assert len(found["Id"]) == 14 and found["Id"][0] == "I"
    same(done["Location"], f"http://{support.ADMIN}/2020-05-31/distribution/{id}/invalidation/{found['Id']}")
    same(found["InvalidationBatch"], {"CallerReference": "one", "Paths": {"Quantity": 1, "Items": ["/a/1"]}})
    at_once(aws.get_waiter("invalidation_completed"), DistributionId=id, Id=found["Id"])
    stale("/a/1")
    same(purge("one", "/a/1")["Invalidation"]["Id"], found["Id"], "the same again is the earlier one")
    stale()
    with refused("InvalidationBatchAlreadyExists", 400):
        purge("one", "/a/2")
    purge("wildcard", "/a/*")
    stale("/a/1", "/a/2")
    purge("no-slash", "c", "/d%20e")
    stale("/c", "/d%20e")
    purge("tag", "#RED")
    stale("/b/1")
    purge("both", "#green", "/a/2")
    stale("/a/2", "/c")
    read = aws.get_invalidation(DistributionId=id, Id=found["Id"])["Invalidation"]
    same(read, found)
    for call, more in [(aws.get_invalidation, {"Id": found["Id"]}), (aws.list_invalidations, {})]:
        with refused("NoSuchDistribution", 404):
            call(DistributionId="ENOBODY", **more)
    with refused("NoSuchInvalidation", 404):
        aws.get_invalidation(DistributionId=id, Id="INOBODY")
    with refused("NoSuchInvalidation", 404):
        aws.get_invalidation(DistributionId="EFIXED", Id=found["Id"])
    batch = {"CallerReference": "x", "Paths": {"Quantity": 1, "Items": ["/*"]}}
    with refused("NoSuchDistribution", 404):
        aws.create_invalidation(DistributionId="ENOBODY", InvalidationBatch=batch)
    batch["Paths"]["Quantity"] = 2
    with refused("InconsistentQuantities", 400):
        aws.create_invalidation(DistributionId=id, InvalidationBatch=batch)
    with without_body("CreateInvalidation"), refused("MissingBody", 400):
        purge("without")
    for wrong in [{"Marker": "made up"}, {"MaxItems": "0"}, {"MaxItems": "many"}]:
        with refused("InvalidArgument", 400):
            aws.list_invalidations(DistributionId=id, **wrong)
    with refused("InvalidArgument", 400):
        purge("none")
    with refused("BatchTooLarge", 413):
        purge("large", *[f"/{n}" for n in range(3001)])
    with refused("BatchTooLarge", 413):
        purge("wide", *[f"/{n}/*" for n in range(16)])
    # Newest first, in pages (CP-044, CP-142).
    all = aws.list_invalidations(DistributionId=id)["InvalidationList"]
    same((all["Quantity"], all["MaxItems"], all["IsTruncated"], all["Items"][-1]["Id"]), (5, 100, False, found["Id"]))
    same(set(all["Items"][0]), {"Id", "CreateTime", "Status"})
    pages = aws.get_paginator("list_invalidations").paginate(DistributionId=id, PaginationConfig={"PageSize": 2})
    same([i["Id"] for page in pages for i in page["InvalidationList"]["Items"]], [i["Id"] for i in all["Items"]])


def deleted():
    # CP-041, CP-115
    made = make("goes")
    id, etag, host = made["Distribution"]["Id"], made["ETag"], made["Distribution"]["DomainName"]
    with refused("DistributionNotDisabled", 409):
        aws.delete_distribution(Id=id, IfMatch=etag)
    config = made["Distribution"]["DistributionConfig"] | {"Enabled": False}
    etag = aws.update_distribution(Id=id, IfMatch=etag, DistributionConfig=config)["ETag"]
    if get("/", host)[0] < 400:
        fault("a disabled distribution serves")
    with refused("PreconditionFailed", 412):
        aws.delete_distribution(Id=id, IfMatch=made["ETag"])
    with refused("InvalidIfMatchVersion", 400):
        aws.delete_distribution(Id=id)
    gone = aws.delete_distribution(Id=id, IfMatch=etag)
    same((status(gone), "content-type" in headers(gone)), (204, False))
    with refused("NoSuchDistribution", 404):
        aws.get_distribution(Id=id)
    with refused("NoSuchDistribution", 404):
        aws.delete_distribution(Id=id, IfMatch=etag)


run(
    created,
    normal_form,
    updated,
    refused_configurations,
    aliases,
    listed,
    unknown_elements,
    tags,
    invalidations,
    deleted,
)
