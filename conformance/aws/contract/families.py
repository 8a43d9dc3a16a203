"""The families of six operations (CP section 3.2) by boto3: policies, access controls and, of tier S, keys and identities."""

import re

import shapes
from support import DISABLED, KEY, OPTIMIZED, client, distribution, headers, refused, run, same, signed, status

aws = client("cloudfront")
PLAIN = {
    "HeadersConfig": {"HeaderBehavior": "none"},
    "CookiesConfig": {"CookieBehavior": "none"},
    "QueryStringsConfig": {"QueryStringBehavior": "none"},
}
UUID = "00000000-0000-4000-8000-000000000000"


class Family:
    """What one family is called, and a configuration of it by name and comment."""

    def __init__(self, name, plural, config, missing, in_use, used, flat=False, managed=None):
        self.name, self.plural, self.config, self.missing, self.in_use = name, plural, config, missing, in_use
        self.used, self.flat, self.managed = used, flat, managed

    def call(self, verb, suffix="", **given):
        snake = "".join("_" + c.lower() if c.isupper() else c for c in self.name).strip("_")
        return getattr(aws, f"{verb}_{snake}{suffix}")(**given)

    def list(self, **given):
        snake = "".join("_" + c.lower() if c.isupper() else c for c in self.plural).strip("_")
        return getattr(aws, f"list_{snake}")(**given)[f"{self.name}List"]

    def ids(self, **given):
        items = self.list(**given).get("Items", [])
        return [(i if self.flat else i[self.name])["Id"] for i in items]


def in_behavior(member):
    return lambda config, id: config["DefaultCacheBehavior"].update({member: id})


def in_origin(config, id):
    config["Origins"]["Items"][0].update(
        OriginAccessControlId=id,
        DomainName="bucket.s3.us-east-1.amazonaws.com",
        S3OriginConfig={"OriginAccessIdentity": ""},
    )
    del config["Origins"]["Items"][0]["CustomOriginConfig"]


MUST = [
    Family(
        "CachePolicy",
        "CachePolicies",
        lambda name, comment: {
            "Name": name,
            "Comment": comment,
            "MinTTL": 1,
            "ParametersInCacheKeyAndForwardedToOrigin": {
                "EnableAcceptEncodingGzip": True,
                "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": {"Quantity": 1, "Items": ["X-One"]}},
                "CookiesConfig": {"CookieBehavior": "none"},
                "QueryStringsConfig": {"QueryStringBehavior": "all"},
            },
        },
        "NoSuchCachePolicy",
        "CachePolicyInUse",
        in_behavior("CachePolicyId"),
        managed=OPTIMIZED,
    ),
    Family(
        "OriginRequestPolicy",
        "OriginRequestPolicies",
        lambda name, comment: {"Name": name, "Comment": comment, **PLAIN},
        "NoSuchOriginRequestPolicy",
        "OriginRequestPolicyInUse",
        in_behavior("OriginRequestPolicyId"),
        managed="216adef6-5c7f-47e4-b989-5492eafa07d3",
    ),
    Family(
        "ResponseHeadersPolicy",
        "ResponseHeadersPolicies",
        lambda name, comment: {
            "Name": name,
            "Comment": comment,
            "CustomHeadersConfig": {"Quantity": 1, "Items": [{"Header": "X-A", "Value": "1", "Override": True}]},
            "RemoveHeadersConfig": {"Quantity": 1, "Items": [{"Header": "X-Powered-By"}]},
        },
        "NoSuchResponseHeadersPolicy",
        "ResponseHeadersPolicyInUse",
        in_behavior("ResponseHeadersPolicyId"),
        managed="67f7725c-6f97-4210-82d7-5512b31e9d03",
    ),
    Family(
        "OriginAccessControl",
        "OriginAccessControls",
        lambda name, comment: {
            "Name": name,
            "Description": comment,
            "SigningProtocol": "sigv4",
            "SigningBehavior": "never",
            "OriginAccessControlOriginType": "s3",
        },
        "NoSuchOriginAccessControl",
        "OriginAccessControlInUse",
        in_origin,
        flat=True,
    ),
]


def six_operations():
    # CP section 3.2, CP-040, CP-041, CP-044, CP-047, CP-112
    for family in MUST:
        config, kind = f"{family.name}Config", family.name
        made = family.call("create", **{config: family.config("one", "first")})
        same(status(made), 201, kind)
        id, etag = made[kind]["Id"], made["ETag"]
        assert made["Location"].endswith(f"/{id}"), made["Location"]
        same((len(id), "LastModifiedTime" in made[kind]), (14, False) if family.flat else (36, True), kind)
        with refused(f"{kind}AlreadyExists", 409):
            family.call("create", **{config: family.config("one", "again")})
        read = family.call("get", Id=id)
        same((read[kind], read["ETag"]), (made[kind], etag), kind)
        read = family.call("get", "_config", Id=id)
        same((read[config], read["ETag"]), (made[kind][config], etag), kind)
        for verb, suffix in [("get", ""), ("get", "_config")]:
            with refused(family.missing, 404):
                family.call(verb, suffix, Id=UUID if not family.flat else "ENOBODY")
        changed = family.call("update", Id=id, IfMatch=etag, **{config: family.config("one", "second")})
        assert status(changed) == 200 and changed["ETag"] != etag
        same(family.call("get", Id=id)[kind], changed[kind], kind)
        # Written as it was read, it is read as it was written (CP-275).
        again = family.call("update", Id=id, IfMatch=changed["ETag"], **{config: changed[kind][config]})
        same(again[kind][config], changed[kind][config], kind)
        for verb, more in [("update", {config: family.config("one", "third")}), ("delete", {})]:
            with refused("PreconditionFailed", 412):
                family.call(verb, Id=id, IfMatch=etag, **more)
            with refused("InvalidIfMatchVersion", 400):
                family.call(verb, Id=id, **more)
            with refused(family.missing, 404):
                family.call(verb, Id=UUID if not family.flat else "ENOBODY", IfMatch=etag, **more)
        made = family.call("create", **{config: family.config("two", "")})
        other = made[kind]["Id"]
        with refused(f"{kind}AlreadyExists", 409):
            family.call("update", Id=other, IfMatch=made["ETag"], **{config: family.config("one", "")})
        custom = {"Type": "custom"} if family.managed else {}
        same(sorted(family.ids(**custom)), sorted([id, other]), kind)
        page = family.list(MaxItems="1", **custom)
        same((page["Quantity"], page["MaxItems"]), (1, 1), kind)
        rest = family.list(MaxItems="1", Marker=page["NextMarker"], **custom)
        assert "NextMarker" not in rest and rest["Items"] != page["Items"], kind
        assert ("IsTruncated" in page) == (family.name == "OriginAccessControl"), page
        for wrong in [{"Marker": "made up"}, {"MaxItems": "0"}, {"MaxItems": "many"}]:
            with refused("InvalidArgument", 400):
                family.list(**wrong)
        # In use (CP section 3.2).
        used = distribution(kind)
        family.used(used, id)
        made = aws.create_distribution(DistributionConfig=used)
        etag = family.call("get", Id=id)["ETag"]
        with refused(family.in_use, 409, made["Distribution"]["Id"]):
            family.call("delete", Id=id, IfMatch=etag)
        off = aws.update_distribution(
            Id=made["Distribution"]["Id"], IfMatch=made["ETag"], DistributionConfig=used | {"Enabled": False}
        )
        aws.delete_distribution(Id=made["Distribution"]["Id"], IfMatch=off["ETag"])
        gone = family.call("delete", Id=id, IfMatch=etag)
        same((status(gone), "content-type" in headers(gone)), (204, False), kind)
        with refused(family.missing, 404):
            family.call("get", Id=id)


def managed_policies():
    # CP-100
    for family in [f for f in MUST if f.managed]:
        config = f"{family.name}Config"
        read = family.call("get", Id=family.managed)
        assert read[family.name][config]["Name"].startswith("Managed-"), read
        same(family.call("get", "_config", Id=family.managed)[config], read[family.name][config])
        all = family.list(Type="managed")
        same({i["Type"] for i in all["Items"]}, {"managed"})
        assert family.managed in family.ids(Type="managed") and family.managed not in family.ids(Type="custom")
        assert family.managed in family.ids()
        with refused("IllegalUpdate", 400):
            family.call("update", Id=family.managed, IfMatch=read["ETag"], **{config: family.config("x", "")})
        with refused("IllegalDelete", 400):
            family.call("delete", Id=family.managed, IfMatch=read["ETag"])
        with refused(f"{family.name}AlreadyExists", 409):
            family.call("create", **{config: family.config(read[family.name][config]["Name"], "")})
    same(aws.get_cache_policy(Id=DISABLED)["CachePolicy"]["CachePolicyConfig"]["MaxTTL"], 0)


def refused_policies():
    # CP-022, CP-118: the same when one is made and when it is changed
    def check(family, code, **wrong):
        config = f"{family.name}Config"
        made = family.call("create", **{config: family.config("good", "")})
        id = made[family.name]["Id"]
        bad = family.config("bad", "") | wrong
        with refused(code, 400):
            family.call("create", **{config: bad})
        with refused(code, 400):
            family.call("update", Id=id, IfMatch=made["ETag"], **{config: bad})
        same(family.call("get", Id=id)["ETag"], made["ETag"])
        family.call("delete", Id=id, IfMatch=made["ETag"])

    cache, request, response, control = MUST
    two_of_one = {"HeaderBehavior": "whitelist", "Headers": {"Quantity": 2, "Items": ["X-One"]}}
    member = "ParametersInCacheKeyAndForwardedToOrigin"
    check(cache, "InconsistentQuantities", **{member: cache.config("", "")[member] | {"HeadersConfig": two_of_one}})
    check(request, "InconsistentQuantities", HeadersConfig=two_of_one)
    check(response, "InconsistentQuantities", RemoveHeadersConfig={"Quantity": 2, "Items": [{"Header": "X-One"}]})
    # A distribution has a code for that, and a policy has not.
    check(cache, "InvalidArgument", MinTTL=10, DefaultTTL=5, MaxTTL=1)
    check(request, "InvalidArgument", HeadersConfig={"HeaderBehavior": "sometimes"})
    check(response, "InvalidArgument", RemoveHeadersConfig={"Quantity": 1, "Items": [{"Header": "no name"}]})
    check(control, "InvalidArgument", SigningBehavior="perhaps")
    many = range(50)
    custom = [{"Header": f"X-{n}", "Value": "1", "Override": True} for n in many]
    check(
        response,
        "TooManyCustomHeadersInResponseHeadersPolicy",
        CustomHeadersConfig={"Quantity": len(many), "Items": custom},
    )
    removed = {"Quantity": len(many), "Items": [{"Header": f"X-{n}"} for n in many]}
    check(response, "TooManyRemoveHeadersInResponseHeadersPolicy", RemoveHeadersConfig=removed)
    long = {"ContentSecurityPolicy": {"Override": True, "ContentSecurityPolicy": "default-src 'self'" * 100}}
    check(response, "TooLongCSPInResponseHeadersPolicy", SecurityHeadersConfig=long)


def unknown_elements():
    # CP-023, CP-705: what a later SDK sends
    shapes.NOVELTIES |= {"Novelty"}
    novelty = "<Novelty><Thing>a</Thing><Thing>b</Thing></Novelty>"
    places = {
        "CachePolicy": ["<Name>", "<HeaderBehavior>"],
        "OriginRequestPolicy": ["<Name>", "<CookieBehavior>"],
        "ResponseHeadersPolicy": ["<Name>", "<Override>"],
        "OriginAccessControl": ["<Name>"],
    }
    for family in MUST:
        config = f"{family.name}Config"
        made = family.call("create", **{config: family.config("novel", "")})
        words = re.findall("[A-Z][a-z]+", family.name)
        path = f"/2020-05-31/{'-'.join(words).lower()}/{made[family.name]['Id']}"
        put = path if family.name.endswith("Policy") else f"{path}/config"
        text = signed("GET", f"{path}/config")[2].decode()
        for known in places[family.name]:
            text = text.replace(known, novelty + known, 1)
        for _ in range(2):
            etag = signed("GET", f"{path}/config")[1]["etag"]
            code, _, body = signed("PUT", put, text.encode(), {"If-Match": etag})
            same(code, 200, body)
            read, text = text, signed("GET", f"{path}/config")[2].decode()
            same(text.count(novelty), len(places[family.name]), text)
        same(read, text, family.name)
        etag = family.call("get", Id=made[family.name]["Id"])["ETag"]
        same(status(family.call("delete", Id=made[family.name]["Id"], IfMatch=etag)), 204)


def keys_and_identities():
    # CP-101; tier S
    config = {"CallerReference": "key", "Name": "key", "EncodedKey": KEY, "Comment": ""}
    key = aws.create_public_key(PublicKeyConfig=config)
    id = key["PublicKey"]["Id"]
    same((status(key), id[0], len(id), "CreatedTime" in key["PublicKey"]), (201, "K", 14, True))
    with refused("PublicKeyAlreadyExists", 409):
        aws.create_public_key(PublicKeyConfig=config)
    with refused("CannotChangeImmutablePublicKeyFields", 400):
        aws.update_public_key(Id=id, IfMatch=key["ETag"], PublicKeyConfig=config | {"CallerReference": "other"})
    changed = aws.update_public_key(Id=id, IfMatch=key["ETag"], PublicKeyConfig=config | {"Comment": "what for"})
    same(aws.list_public_keys()["PublicKeyList"]["Items"][0]["Comment"], "what for")
    group = aws.create_key_group(KeyGroupConfig={"Name": "group", "Items": [id]})
    same(aws.get_key_group(Id=group["KeyGroup"]["Id"])["KeyGroup"]["KeyGroupConfig"]["Items"], [id])
    with refused("PublicKeyInUse", 409):
        aws.delete_public_key(Id=id, IfMatch=changed["ETag"])
    with refused("NoSuchResource", 404):
        aws.get_key_group(Id=UUID)
    with refused("NoSuchPublicKey", 404):
        aws.get_public_key(Id="KNOBODY")
    trusting = distribution("keys")
    trusted = {"Enabled": True, "Quantity": 1, "Items": [group["KeyGroup"]["Id"]]}
    trusting["DefaultCacheBehavior"]["TrustedKeyGroups"] = trusted
    made = aws.create_distribution(DistributionConfig=trusting)
    same(
        made["Distribution"]["ActiveTrustedKeyGroups"],
        {
            "Enabled": True,
            "Quantity": 1,
            "Items": [{"KeyGroupId": group["KeyGroup"]["Id"], "KeyPairIds": {"Quantity": 1, "Items": [id]}}],
        },
    )
    with refused("ResourceInUse", 409):
        aws.delete_key_group(Id=group["KeyGroup"]["Id"], IfMatch=group["ETag"])
    identity = aws.create_cloud_front_origin_access_identity(
        CloudFrontOriginAccessIdentityConfig={"CallerReference": "i", "Comment": "old template"}
    )
    found = identity["CloudFrontOriginAccessIdentity"]
    same((status(identity), len(found["Id"]), len(found["S3CanonicalUserId"])), (201, 14, 96))
    same(
        aws.list_cloud_front_origin_access_identities()["CloudFrontOriginAccessIdentityList"]["Items"][0]["Id"],
        found["Id"],
    )
    same(status(aws.delete_cloud_front_origin_access_identity(Id=found["Id"], IfMatch=identity["ETag"])), 204)


run(six_operations, managed_policies, refused_policies, unknown_elements, keys_and_identities)
