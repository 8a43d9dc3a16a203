"""A node with small quotas: each is reached when something is made and when it is changed, under AWS's own code (CP-120)."""

import copy

from support import ACCOUNT, DISABLED, KEY, ROLE, answering, client, distribution, refused, run, same

aws, functions = client("cloudfront"), client("lambda")
LISTED = lambda *items: {"Quantity": len(items), "Items": list(items)}
PLAIN = {
    "HeadersConfig": {"HeaderBehavior": "none"},
    "CookiesConfig": {"CookieBehavior": "none"},
    "QueryStringsConfig": {"QueryStringBehavior": "none"},
}
FORWARDED = {"QueryString": True, "Cookies": {"Forward": "none"}}
KEPT = "ParametersInCacheKeyAndForwardedToOrigin"
state = {}


def legacy(reference, **more):
    """A distribution that names no policy."""
    config = distribution(reference, **more)
    del config["DefaultCacheBehavior"]["CachePolicyId"]
    config["DefaultCacheBehavior"] |= {"ForwardedValues": FORWARDED, "MinTTL": 0}
    return config


def two_of(kind, listing):
    return PLAIN | {f"{listing}Config": {f"{kind}Behavior": "whitelist", listing: LISTED("one", "two")}}


def policies():
    # What a policy may list, when it is made and when it is changed; and how many there may be.
    for name, config, cases in [
        (
            "cache_policy",
            lambda of: {"Name": "a", "MinTTL": 1, KEPT: {"EnableAcceptEncodingGzip": False, **of}},
            ["TooManyHeadersInCachePolicy", "TooManyCookiesInCachePolicy", "TooManyQueryStringsInCachePolicy"],
        ),
        (
            "origin_request_policy",
            lambda of: {"Name": "a", **of},
            [
                "TooManyHeadersInOriginRequestPolicy",
                "TooManyCookiesInOriginRequestPolicy",
                "TooManyQueryStringsInOriginRequestPolicy",
            ],
        ),
    ]:
        wrong = [two_of("Header", "Headers"), two_of("Cookie", "Cookies"), two_of("QueryString", "QueryStrings")]
        member = "".join(w.title() for w in name.split("_"))
        held(name, member, config(PLAIN), [(code, config(of)) for code, of in zip(cases, wrong, strict=True)])
    custom = [{"Header": f"X-{n}", "Value": "1", "Override": True} for n in range(2)]
    removed = [{"Header": f"X-{n}"} for n in range(2)]
    held(
        "response_headers_policy",
        "ResponseHeadersPolicy",
        {"Name": "a", "RemoveHeadersConfig": LISTED(removed[0])},
        [
            ("TooManyCustomHeadersInResponseHeadersPolicy", {"Name": "a", "CustomHeadersConfig": LISTED(*custom)}),
            ("TooManyRemoveHeadersInResponseHeadersPolicy", {"Name": "a", "RemoveHeadersConfig": LISTED(*removed)}),
        ],
    )
    control = {
        "Name": "a",
        "SigningProtocol": "sigv4",
        "SigningBehavior": "never",
        "OriginAccessControlOriginType": "s3",
    }
    held("origin_access_control", "OriginAccessControl", control, [])


def held(name, member, good, wrong):
    """A family that may have one member."""
    create, update = getattr(aws, f"create_{name}"), getattr(aws, f"update_{name}")
    config = f"{member}Config"
    for code, bad in wrong:
        with refused(code, 400):
            create(**{config: bad})
    made = create(**{config: good})
    state[member] = made[member]["Id"]
    for code, bad in wrong:
        with refused(code, 400):
            update(Id=state[member], IfMatch=made["ETag"], **{config: bad})
    plural = member[:-1] + "ies" if member.endswith("Policy") else member + "s"
    with refused(f"TooMany{plural}", 400):
        create(**{config: good | {"Name": "b"}})


def functions_and_stores():
    code = b"function handler(event) { return event.request; }"
    given = {"FunctionConfig": {"Comment": "", "Runtime": "cloudfront-js-2.0"}, "FunctionCode": code}
    made = aws.create_function(Name="one", **given)
    aws.publish_function(Name="one", IfMatch=made["ETag"])
    with refused("TooManyFunctions", 400):
        aws.create_function(Name="two", **given)
    aws.create_key_value_store(Name="one")
    with refused("EntityLimitExceeded", 400):
        aws.create_key_value_store(Name="two")
    key = aws.create_public_key(PublicKeyConfig={"CallerReference": "k", "Name": "k", "EncodedKey": KEY})
    group = aws.create_key_group(KeyGroupConfig={"Name": "g", "Items": [key["PublicKey"]["Id"]]})
    state["group"] = group["KeyGroup"]["Id"]
    functions.create_function(
        FunctionName="edge",
        Runtime="nodejs22.x",
        Role=ROLE,
        Handler="index.handler",
        Code={"ZipFile": answering("one")},
        Publish=True,
    )


def distributions():
    made = aws.create_distribution(DistributionConfig=legacy("mine"))
    id, etag = made["Distribution"]["Id"], made["ETag"]

    def check(code, change):
        config = legacy("mine")
        change(config)
        with refused(code, 400):
            aws.update_distribution(Id=id, IfMatch=etag, DistributionConfig=config)
        config["CallerReference"] = "never"
        with refused(code, 400):
            aws.create_distribution(DistributionConfig=config)
        with refused(code, 400):
            aws.create_distribution_with_tags(
                DistributionConfigWithTags={"DistributionConfig": config, "Tags": {"Items": []}}
            )

    def behavior(**more):
        return lambda config: config["DefaultCacheBehavior"].update(more)

    def several(member, item, count=2):
        def change(config):
            config[member] = LISTED(*[item(config, n) for n in range(count)])

        return change

    check(
        "TooManyCacheBehaviors",
        several("CacheBehaviors", lambda c, n: {"PathPattern": f"/{n}", **copy.deepcopy(c["DefaultCacheBehavior"])}),
    )
    check("TooManyOrigins", several("Origins", lambda c, n: c["Origins"]["Items"][0] | {"Id": f"app{n or ''}"}, 3))
    member = {"OriginId": "app"}
    group = lambda n: {
        "Id": f"group{n}",
        "FailoverCriteria": {"StatusCodes": LISTED(500)},
        "Members": LISTED(member, member),
    }
    check("TooManyOriginGroupsPerDistribution", several("OriginGroups", lambda c, n: group(n)))
    check("TooManyDistributionCNAMEs", several("Aliases", lambda c, n: f"{n}.example.test"))
    fields = LISTED(*[{"HeaderName": f"X-{n}", "HeaderValue": "1"} for n in range(2)])
    check("TooManyOriginCustomHeaders", lambda c: c["Origins"]["Items"][0].update(CustomHeaders=fields))
    uuid = "00000000-0000-4000-8000-00000000000"
    groups = {"Enabled": True} | LISTED(f"{uuid}1", f"{uuid}2")
    check("TooManyKeyGroupsAssociatedToDistribution", behavior(TrustedKeyGroups=groups))
    two = LISTED("one", "two")
    whitelist = {"Forward": "whitelist", "WhitelistedNames": two}
    check("TooManyHeadersInForwardedValues", behavior(ForwardedValues=FORWARDED | {"Headers": two}))
    check("TooManyCookieNamesInWhiteList", behavior(ForwardedValues=FORWARDED | {"Cookies": whitelist}))
    check("TooManyQueryStringParameters", behavior(ForwardedValues=FORWARDED | {"QueryStringCacheKeys": two}))
    # One distribution names each of these, and no other may.
    function = f"arn:aws:cloudfront::{ACCOUNT}:function/one"
    version = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:edge:1"
    named = {
        "TooManyDistributionsWithFunctionAssociations": {
            "FunctionAssociations": LISTED({"EventType": "viewer-request", "FunctionARN": function})
        },
        "TooManyDistributionsWithSingleFunctionARN": {
            "LambdaFunctionAssociations": LISTED({"EventType": "origin-request", "LambdaFunctionARN": version})
        },
        "TooManyDistributionsAssociatedToCachePolicy": {"CachePolicyId": state["CachePolicy"]},
        "TooManyDistributionsAssociatedToOriginRequestPolicy": {"OriginRequestPolicyId": state["OriginRequestPolicy"]},
        "TooManyDistributionsAssociatedToResponseHeadersPolicy": {
            "ResponseHeadersPolicyId": state["ResponseHeadersPolicy"]
        },
        "TooManyDistributionsAssociatedToKeyGroup": {"TrustedKeyGroups": {"Enabled": True} | LISTED(state["group"])},
    }

    def with_policy(config, **more):
        of = config["DefaultCacheBehavior"]
        del of["ForwardedValues"], of["MinTTL"]
        of |= {"CachePolicyId": DISABLED, **more}

    def controlled(config):
        del config["Origins"]["Items"][0]["CustomOriginConfig"]
        config["Origins"]["Items"][0] |= {
            "DomainName": "bucket.s3.us-east-1.amazonaws.com",
            "S3OriginConfig": {"OriginAccessIdentity": ""},
            "OriginAccessControlId": state["OriginAccessControl"],
        }

    holder = legacy("holder")
    with_policy(holder)
    controlled(holder)
    for members in named.values():
        holder["DefaultCacheBehavior"] |= members
    aws.create_distribution(DistributionConfig=holder)
    for code, members in named.items():
        check(code, lambda config, members=members: with_policy(config, **members))
    check("TooManyDistributionsAssociatedToOriginAccessControl", controlled)
    # And there may be three.
    aws.create_distribution(DistributionConfig=legacy("third"))
    with refused("TooManyDistributions", 400):
        aws.create_distribution(DistributionConfig=legacy("fourth"))
    with refused("TooManyDistributions", 400):
        both = {"DistributionConfig": legacy("fourth"), "Tags": {"Items": []}}
        aws.create_distribution_with_tags(DistributionConfigWithTags=both)
    same(aws.list_distributions()["DistributionList"]["Quantity"], 3)


run(policies, functions_and_stores, distributions)
