"""Gradual rollout: continuous deployment by boto3, and the same by the native API (CP-122, CP-612)."""

import copy
import http.client
import json

import support
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from support import Origin, client, distribution, get, refused, run, same, status

aws = client("cloudfront")
old, new = Origin(), Origin()
ETAG = "E" + 13 * "X"
HEADER = ("aws-cf-cd-trial", "yes")


def policy(domain, traffic):
    names = {"Quantity": 1, "Items": [domain]}
    return {"StagingDistributionDnsNames": names, "Enabled": True, "TrafficConfig": traffic}


def weight(value, **sessions):
    return {"Type": "SingleWeight", "SingleWeightConfig": {"Weight": value, **sessions}}


def header(name, value):
    return {"Type": "SingleHeader", "SingleHeaderConfig": {"Header": name, "Value": value}}


def served(path, host, send=None):
    """Which of the two origins answers, or the cache; and the fields of the answer."""
    before = old.count, new.count
    code, fields, _ = get(path, host, send=send)
    same(code, 200, path)
    side = {(1, 0): "old", (0, 1): "new"}.get((old.count - before[0], new.count - before[1]), "cache")
    return side, fields


def native(method, path, body=None):
    """A signed request of the native API: status and document."""
    url = f"http://{support.ADMIN}/_fourfront/v1/{path}"
    data = b"" if body is None else json.dumps(body).encode()
    request = AWSRequest(method, url, data=data, headers={"Content-Type": "application/json"})
    SigV4Auth(support._session.get_credentials(), "fourfront", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection(support.ADMIN, timeout=30)
    connection.request(method, f"/_fourfront/v1/{path}", data, dict(request.headers))
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text)


def moved(config):
    """The same configuration with the other origin."""
    config = copy.deepcopy(config)
    config["Origins"]["Items"][0]["CustomOriginConfig"]["HTTPPort"] = new.port
    return config


def by_boto3():
    # CP-122, CF-451, CF-452, CF-453, CF-454, CP-040, CP-041
    made = aws.create_distribution(DistributionConfig=distribution("primary", old.port))
    primary, host = made["Distribution"]["Id"], made["Distribution"]["DomainName"]
    with refused("InvalidArgument", 400):
        aws.copy_distribution(PrimaryDistributionId=primary, CallerReference="c0", IfMatch=made["ETag"])
    with refused("PreconditionFailed", 412):
        aws.copy_distribution(PrimaryDistributionId=primary, CallerReference="c0", IfMatch=ETAG, Staging=True)
    copied = aws.copy_distribution(
        PrimaryDistributionId=primary, CallerReference="c1", IfMatch=made["ETag"], Staging=True, Enabled=True
    )
    same(status(copied), 201)
    staging, domain = copied["Distribution"]["Id"], copied["Distribution"]["DomainName"]
    config = copied["Distribution"]["DistributionConfig"]
    same((config["Staging"], config["Aliases"]), (True, {"Quantity": 0}))
    # Nobody reaches it.
    same(get("/", domain)[0], 403, "the staging distribution by its name")
    changed = aws.update_distribution(Id=staging, IfMatch=copied["ETag"], DistributionConfig=moved(config))
    same(get("/", domain)[0], 403)

    for wrong in [policy("gone.cloudfront.localhost", weight(0.1)), policy(host, weight(0.1))]:
        with refused("InvalidArgument", 400, "StagingDistributionDnsNames"):
            aws.create_continuous_deployment_policy(ContinuousDeploymentPolicyConfig=wrong)
    for wrong, says in [
        (weight(0.2), "0.15"),
        (header("x-trial", "yes"), "aws-cf-cd-"),
        (weight(0.1, SessionStickinessConfig={"IdleTTL": 30, "MaximumTTL": 300}), "300"),
        (weight(0.1, SessionStickinessConfig={"IdleTTL": 900, "MaximumTTL": 300}), "maximum_ttl"),
    ]:
        with refused("InvalidArgument", 400, says):
            aws.create_continuous_deployment_policy(ContinuousDeploymentPolicyConfig=policy(domain, wrong))
    created = aws.create_continuous_deployment_policy(ContinuousDeploymentPolicyConfig=policy(domain, header(*HEADER)))
    same(status(created), 201)
    pid = created["ContinuousDeploymentPolicy"]["Id"]
    with refused("StagingDistributionInUse", 409):
        aws.create_continuous_deployment_policy(ContinuousDeploymentPolicyConfig=policy(domain, weight(0.1)))
    # As long as the primary does not name it, nothing goes there.
    same(served("/1", host, dict([HEADER]))[0], "old")
    config = made["Distribution"]["DistributionConfig"]
    config["ContinuousDeploymentPolicyId"] = "nobody"
    with refused("NoSuchContinuousDeploymentPolicy", 404):
        aws.update_distribution(Id=primary, IfMatch=made["ETag"], DistributionConfig=config)
    config["ContinuousDeploymentPolicyId"] = pid
    tied = aws.update_distribution(Id=primary, IfMatch=made["ETag"], DistributionConfig=config)
    same(served("/2", host, dict([HEADER]))[0], "new")
    same(served("/2", host)[0], "old")
    same(served("/2", host, dict([HEADER]))[0], "cache")
    same(served("/3", host, {HEADER[0]: "no"})[0], "old")

    # Sessions: by weight, and with a cookie on either side.
    sessions = weight(0.15, SessionStickinessConfig={"IdleTTL": 300, "MaximumTTL": 600})
    with refused("PreconditionFailed", 412):
        aws.update_continuous_deployment_policy(
            Id=pid, IfMatch=ETAG, ContinuousDeploymentPolicyConfig=policy(domain, sessions)
        )
    updated = aws.update_continuous_deployment_policy(
        Id=pid, IfMatch=created["ETag"], ContinuousDeploymentPolicyConfig=policy(domain, sessions)
    )
    sides = set()
    for n in range(200):
        side, fields = served(f"/s{n}", host)
        cookie = fields["set-cookie"].split(";")[0]
        if side not in sides:
            sides.add(side)
            for again in range(3):
                same(served(f"/s{n}-{again}", host, {"Cookie": cookie})[0], side, cookie)
    # The chance that none of 200 goes there is below one in ten million million.
    same(sides, {"old", "new"})
    read = aws.get_continuous_deployment_policy_config(Id=pid)
    same(read["ETag"], updated["ETag"])
    found = read["ContinuousDeploymentPolicyConfig"]["TrafficConfig"]["SingleWeightConfig"]
    same(found["SessionStickinessConfig"], {"IdleTTL": 300, "MaximumTTL": 600})
    same(round(found["Weight"], 6), 0.15)

    with refused("ContinuousDeploymentPolicyInUse", 409):
        aws.delete_continuous_deployment_policy(Id=pid, IfMatch=updated["ETag"])
    for etags in [tied["ETag"], f"{tied['ETag']}, {ETAG}", f"{ETAG}, {changed['ETag']}"]:
        code = ("PreconditionFailed", 412) if "," in etags else ("InvalidIfMatchVersion", 400)
        with refused(*code):
            aws.update_distribution_with_staging_config(Id=primary, StagingDistributionId=staging, IfMatch=etags)
    promoted = aws.update_distribution_with_staging_config(
        Id=primary, StagingDistributionId=staging, IfMatch=f"{tied['ETag']}, {changed['ETag']}"
    )
    config = promoted["Distribution"]["DistributionConfig"]
    same((config["CallerReference"], config["Staging"]), ("primary", False))
    same(config["ContinuousDeploymentPolicyId"], pid)
    # At once, for everybody, and nothing is staged any more.
    for n in range(20):
        side, fields = served(f"/promoted{n}", host)
        same((side, fields.get("set-cookie")), ("new", None))
    off = aws.get_continuous_deployment_policy(Id=pid)
    same(off["ContinuousDeploymentPolicy"]["ContinuousDeploymentPolicyConfig"]["Enabled"], False)

    config["ContinuousDeploymentPolicyId"] = ""
    aws.update_distribution(Id=primary, IfMatch=promoted["ETag"], DistributionConfig=config)
    # The policy would be left with the name of nothing.
    found = aws.get_distribution_config(Id=staging)
    disabled = aws.update_distribution(
        Id=staging, IfMatch=found["ETag"], DistributionConfig=found["DistributionConfig"] | {"Enabled": False}
    )
    with refused("ResourceInUse", 409, pid):
        aws.delete_distribution(Id=staging, IfMatch=disabled["ETag"])
    same(status(aws.delete_continuous_deployment_policy(Id=pid, IfMatch=off["ETag"])), 204)
    same(status(aws.delete_distribution(Id=staging, IfMatch=disabled["ETag"])), 204)
    with refused("NoSuchContinuousDeploymentPolicy", 404):
        aws.get_continuous_deployment_policy(Id=pid)


def by_the_native_api():
    # CP-612, CP-621
    made = aws.create_distribution(DistributionConfig=distribution("staged", old.port))
    primary, host = made["Distribution"]["Id"], made["Distribution"]["DomainName"]
    path = f"stages/{primary}"
    same(native("GET", path)[0], 404)
    same(native("POST", "stages/ENOBODY")[1]["code"], "NoSuchDistribution")
    code, told = native("POST", path)
    same(code, 201, str(told))
    same(told["traffic"], {"header": {"name": "aws-cf-cd-staging", "value": "true"}})
    same(native("POST", path)[1]["code"], "StageExists")
    staging = told["staging"]["id"]
    found = aws.get_distribution_config(Id=staging)
    aws.update_distribution(Id=staging, IfMatch=found["ETag"], DistributionConfig=moved(found["DistributionConfig"]))
    same(served("/a", host, {"aws-cf-cd-staging": "true"})[0], "new")
    same(served("/a", host)[0], "old")
    for wrong in [
        {},
        {"weight": 0.5},
        {"weight": 2},
        {"sessions": {"idle": 300, "maximum": 300}},
        {"weight": 0.1, "header": {"name": "a", "value": "b"}},
        {"wait": 1},
        {"header": {"name": "x-a", "value": "b"}},
    ]:
        code, told = native("PUT", path, wrong)
        same(code, 400, f"{wrong}: {told}")
    code, told = native("PUT", path, {"header": {"name": "aws-cf-cd-b", "value": "2"}})
    same(code, 200, str(told))
    same(served("/b", host, {"aws-cf-cd-staging": "true"})[0], "old")
    same(served("/b", host, {"aws-cf-cd-b": "2"})[0], "new")
    code, told = native("PUT", path, {"weight": 0.05, "sessions": {"idle": 300, "maximum": 900}})
    same((code, told["traffic"]["sessions"]), (200, {"idle": 300, "maximum": 900}), str(told))
    _, node = native("GET", "status")
    rollout = {d["id"]: d["rollout"] for d in node["distributions"]}[primary]
    same((rollout["staging"], rollout["active"]), (staging, True), str(rollout))
    same(native("PUT", path, {"enabled": False})[1]["enabled"], False)
    same(served("/c", host, {"aws-cf-cd-b": "2"})[0], "old")
    code, told = native("POST", f"{path}/promote")
    same((code, told["enabled"]), (200, False), str(told))
    same(served("/d", host)[0], "new")
    same(native("DELETE", path)[0], 200)
    same(native("GET", path)[0], 404)
    with refused("NoSuchDistribution", 404):
        aws.get_distribution(Id=staging)
    same(served("/e", host)[0], "new")


run(by_boto3, by_the_native_api)
