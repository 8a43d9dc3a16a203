"""`fourfront import aws` with the AWS CLI: the node that the environment names is the account, another one imports (CP-613)."""

import configparser
import http.client
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import support
import yaml
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from support import ACCOUNT, ADMIN, OPTIMIZED, ROLE, Origin, answering, client, distribution, run, same

PROGRAM, NODE, NODE_VIEWER, NODE_KEYS = sys.argv[1:]
cloudfront, functions, kvs = client("cloudfront"), client("lambda"), client("cloudfront-keyvaluestore")
origin = Origin()
HERE = pathlib.Path(tempfile.mkdtemp(dir=os.environ["FOURFRONT_DIR"]))
HOST = "localhost:" + ADMIN.rsplit(":", 1)[1]
PEM = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEc84k6YVOgLvrFYcqhzt8TbGG/4fN
S0+avaqCrEXIgE3KSvlK1L/r/SnDU2EEI4DNYqx2lFMNftDjaxEblxgZjw==
-----END PUBLIC KEY-----
"""
# What the profile has, and the environment does not.
keys = configparser.ConfigParser()
keys.read(os.environ["AWS_SHARED_CREDENTIALS_FILE"])
(HERE / "credentials").write_text("\n".join(["[shop]", *(f"{k} = {v}" for k, v in keys["default"].items())]))
keys.read(NODE_KEYS)
KEY = "{aws_access_key_id}:{aws_secret_access_key}".format(**keys["default"])
ENVIRONMENT = os.environ | {
    "AWS_SHARED_CREDENTIALS_FILE": str(HERE / "credentials"),
    "AWS_ENDPOINT_URL": f"http://{HOST}",
    "AWS_MAX_ATTEMPTS": "1",
}
account = {}


def program(*words, code=0, **more):
    done = subprocess.run(
        [PROGRAM, "import", "aws", *words], cwd=HERE, env=ENVIRONMENT | more, capture_output=True, text=True
    )
    same(done.returncode, code, f"import aws {words}: {done.stdout} {done.stderr}")
    return done


def at_node(*words):
    return "--node", f"http://{NODE}", "--key", KEY, *words


def page(host, path):
    connection = http.client.HTTPConnection(NODE_VIEWER, timeout=30)
    connection.request("GET", path, headers={"Host": host})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def an_account():
    made = functions.create_function(
        FunctionName="edge",
        Runtime="nodejs22.x",
        Handler="index.handler",
        Role=ROLE,
        Code={"ZipFile": answering("by lambda")},
    )
    version = functions.publish_version(FunctionName="edge")["FunctionArn"]
    # What is newer than the version in use is not what is imported.
    functions.update_function_code(FunctionName="edge", ZipFile=answering("newer"))
    same(version, made["FunctionArn"] + ":1")
    store = cloudfront.create_key_value_store(Name="routes", Comment="where to")["KeyValueStore"]["ARN"]
    etag = kvs.describe_key_value_store(KvsARN=store)["ETag"]
    for n in range(60):
        etag = kvs.put_key(KvsARN=store, Key=f"k{n}", Value=f"välue {n}", IfMatch=etag)["ETag"]
    code = (
        "import cf from 'cloudfront';\nconst routes = cf.kvs();\n"
        "async function handler(event) { return { statusCode: 200, body: await routes.get('k59') }; }"
    )
    config = {
        "Comment": "reads routes",
        "Runtime": "cloudfront-js-2.0",
        "KeyValueStoreAssociations": {"Quantity": 1, "Items": [{"KeyValueStoreARN": store}]},
    }
    made = cloudfront.create_function(Name="redirects", FunctionConfig=config, FunctionCode=code.encode())
    cloudfront.publish_function(Name="redirects", IfMatch=made["ETag"])
    none = {"HeaderBehavior": "none"}, {"CookieBehavior": "none"}, {"QueryStringBehavior": "all"}
    policy = cloudfront.create_cache_policy(
        CachePolicyConfig={
            "Name": "short",
            "MinTTL": 1,
            "ParametersInCacheKeyAndForwardedToOrigin": {
                "EnableAcceptEncodingGzip": True,
                "HeadersConfig": none[0],
                "CookiesConfig": none[1],
                "QueryStringsConfig": none[2],
            },
        }
    )["CachePolicy"]["Id"]
    control = cloudfront.create_origin_access_control(
        OriginAccessControlConfig={
            "Name": "bucket",
            "SigningProtocol": "sigv4",
            "SigningBehavior": "never",
            "OriginAccessControlOriginType": "s3",
        }
    )["OriginAccessControl"]["Id"]
    key = cloudfront.create_public_key(
        PublicKeyConfig={"CallerReference": "k", "Name": "k", "EncodedKey": PEM}
    )["PublicKey"]["Id"]
    group = cloudfront.create_key_group(KeyGroupConfig={"Name": "g", "Items": [key]})["KeyGroup"]["Id"]
    config = distribution("shop", origin.port, Comment="the shop")
    config["Origins"]["Quantity"] = 2
    config["Origins"]["Items"].append(
        {
            "Id": "bucket",
            "DomainName": "bkt.s3.amazonaws.com",
            "OriginAccessControlId": control,
            "S3OriginConfig": {"OriginAccessIdentity": ""},
        }
    )
    default = config["DefaultCacheBehavior"]
    default["CachePolicyId"] = policy

    def behavior(path, **more):
        base = {"TargetOriginId": "app", "ViewerProtocolPolicy": "allow-all", "CachePolicyId": OPTIMIZED}
        return {"PathPattern": path, **base, **more}

    one = lambda what: {"Quantity": 1, "Items": [what]}
    edge = {"EventType": "viewer-request", "LambdaFunctionARN": version}
    cff = {"EventType": "viewer-request", "FunctionARN": f"arn:aws:cloudfront::{ACCOUNT}:function/redirects"}
    behaviors = [
        behavior("/lambda/*", LambdaFunctionAssociations=one(edge)),
        behavior("/cff/*", FunctionAssociations=one(cff)),
        behavior("/members/*", TrustedKeyGroups={"Enabled": True, **one(group)}),
        behavior("/files/*", TargetOriginId="bucket"),
    ]
    config["CacheBehaviors"] = {"Quantity": len(behaviors), "Items": behaviors}
    made = cloudfront.create_distribution(DistributionConfig=config)
    other = cloudfront.create_distribution(DistributionConfig=distribution("other", origin.port, Comment="other"))
    account.update(id=made["Distribution"]["Id"], other=other["Distribution"]["Id"], config=config)


def revision():
    """Grows with each change of the account."""
    connection = http.client.HTTPConnection(ADMIN, timeout=30)
    url = f"http://{ADMIN}/_fourfront/v1/status"
    request = AWSRequest("GET", url)
    SigV4Auth(support._session.get_credentials(), "fourfront", "us-east-1").add_auth(request)
    connection.request("GET", "/_fourfront/v1/status", headers=dict(request.headers))
    return json.loads(connection.getresponse().read())["control"]["sequence"]


def it_is_shown_without_a_node():
    before = revision()
    shown = program("--profile", "shop", "-o", "json", "--save", "kept")
    plan = json.loads(shown.stdout)
    same(plan["stack"], "aws-shop")
    names = {kind: [d["id"] for d in plan[kind]] for kind in ["distributions", "cache_policies", "key_groups", "public_keys"]}
    same(sorted(names["distributions"]), sorted([account["id"], account["other"]]))
    same([len(names[k]) for k in ["cache_policies", "key_groups", "public_keys"]], [1, 1, 1])
    # The account is as it was: nothing that is called writes.
    same(revision(), before, "changes of the account")
    # Nobody else reads what configurations of origins may hold.
    same((HERE / "kept").stat().st_mode & 0o077, 0)
    again = subprocess.run([PROGRAM, "import", "aws-json", "kept"], cwd=HERE, capture_output=True, text=True)
    same(again.returncode, 0, again.stderr)
    told = program("--profile", "shop", account["other"], "-v")
    for part in ["aws cloudfront get-distribution --id " + account["other"], "1 distribution,", " ms"]:
        assert part in told.stderr, f"{part}: {told.stderr}"
    assert account["id"] not in told.stdout


def it_is_tried_and_deployed():
    tried = program("--profile", "shop", account["id"], "--dry-run", *at_node())
    assert "create  distribution" in tried.stdout, tried.stdout
    nothing = subprocess.run([PROGRAM, "versions", *at_node()], capture_output=True, text=True)
    same((nothing.returncode, nothing.stdout), (0, ""), nothing.stderr)
    deployed = program("--profile", "shop", account["id"], "--deploy", *at_node("-o", "json"))
    told = json.loads(deployed.stdout)
    host = told["hosts"][0]
    same(page(host, "/lambda/x"), (200, "by lambda"))
    same(page(host, "/cff/x"), (200, "välue 59"))
    same(page(host, "/plain")[0], 200)
    same(page(host, "/members/x")[0], 403)
    # CP-611: YAML for whoever reads that.
    listed = [
        subprocess.run([PROGRAM, "dist", "list", *at_node("-o", form)], capture_output=True, text=True).stdout
        for form in ["json", "yaml"]
    ]
    same(yaml.safe_load(listed[1]), json.loads(listed[0]), listed[1])
    # A second import finds nothing to do.
    again = program("--profile", "shop", account["id"], "--deploy", *at_node())
    assert "nothing changed" in again.stderr, again.stderr


def what_is_wrong_is_said():
    for words, says in [
        (["--aws", "./nowhere"], "install the AWS CLI"),
        (["--profile", "nobody"], "nobody"),
        (["--profile", "shop", "ENOBODY"], "NoSuchDistribution"),
        (["--aws", "/bin/false"], "sts get-caller-identity"),
        (["--aws", "/bin/echo"], "no JSON"),
    ]:
        refused = program(*words, code=1)
        assert says in refused.stderr, f"{words}: {refused.stderr}"
    same(program("--dry-run", "--deploy", code=2).stdout, "")


run(an_account, it_is_shown_without_a_node, it_is_tried_and_deployed, what_is_wrong_is_said)
