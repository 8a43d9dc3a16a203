"""A node whose site file says otherwise: relaxed, without unknown members, with small quotas, for a page (by boto3)."""

import http.client

import support
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from support import (
    ACCOUNT,
    ROLE,
    client,
    distribution,
    get,
    handler,
    refused,
    run,
    same,
    zipped,
)

aws = client("cloudfront")
functions = client("lambda")
kvs = client("cloudfront-keyvaluestore")
PAGE = "https://console.example.test"


def send(method, path, body=b"", **fields):
    request = AWSRequest(method, f"http://{support.ADMIN}{path}", headers=fields, data=body)
    SigV4Auth(support._session.get_credentials(), "cloudfront", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection(support.ADMIN, timeout=30)
    connection.request(method, path, body or None, dict(request.headers))
    answer = connection.getresponse()
    told = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()
    connection.close()
    return told


def publish(name, code, **more):
    given = {"Runtime": "nodejs22.x", "Role": ROLE, "Handler": "index.handler", "Publish": True, **more}
    functions.create_function(FunctionName=name, Code={"ZipFile": code}, **given)
    return f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}:1"


def associated(reference, arn):
    config = distribution(reference)
    config["DefaultCacheBehavior"]["LambdaFunctionAssociations"] = {
        "Quantity": 1,
        "Items": [{"EventType": "viewer-request", "LambdaFunctionARN": arn}],
    }
    return aws.create_distribution(DistributionConfig=config)["Distribution"]


def relaxed():
    # CP-130, CP-134, LE-340: variables reach the function
    code = zipped(index__js=handler("return { status: '200', body: process.env.STAGE + ' ' + process.env.EMPTY };"))
    arn = publish(
        "staged",
        code,
        Environment={"Variables": {"STAGE": "green", "EMPTY": ""}},
        Architectures=["arm64"],
        DeadLetterConfig={"TargetArn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:dead"},
        VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
        Layers=[f"arn:aws:lambda:us-east-1:{ACCOUNT}:layer:a:1"],
        Timeout=31,
    )
    made = associated("staged", arn)
    same(get("/", made["DomainName"])[::2], (200, "green "))
    # Each version has its own.
    functions.update_function_configuration(FunctionName="staged", Environment={"Variables": {"STAGE": "blue"}})
    same(functions.publish_version(FunctionName="staged")["Version"], "2")
    same(get("/", made["DomainName"])[2], "green ")
    read = aws.get_distribution_config(Id=made["Id"])
    config = read["DistributionConfig"]
    items = config["DefaultCacheBehavior"]["LambdaFunctionAssociations"]["Items"]
    items[0]["LambdaFunctionARN"] = arn.replace(":1", ":2")
    aws.update_distribution(Id=made["Id"], IfMatch=read["ETag"], DistributionConfig=config)
    same(get("/", made["DomainName"])[2], "blue undefined")
    # What cannot run is refused all the same, and so is what does not load (CP-065).
    with refused("InvalidLambdaFunctionAssociation", 400, "python3.12"):
        associated("snake", publish("snake", code, Runtime="python3.12"))
    broken = publish("broken", zipped(index__js="exports.handler =\n  ("))
    told = functions.get_function_configuration(FunctionName="broken")
    assert told["State"] == "Active" and "SyntaxError" in told["StateReason"], told
    with refused("InvalidLambdaFunctionAssociation", 400, "index.js:2"):
        associated("broken", broken)


def unknown_elements():
    # CP-023: refused by name, before anything else is looked at
    made = aws.create_distribution(DistributionConfig=distribution("unknown"))
    id, etag = made["Distribution"]["Id"], made["ETag"]
    path = f"/2020-05-31/distribution/{id}/config"
    text = send("GET", path)[2]
    novelty = "<Novelty><Quantity>0</Quantity></Novelty>"
    for text, name in [
        (text.replace("<Enabled>true", novelty + "<Enabled>true", 1), "DistributionConfig.Novelty"),
        (text.replace("<OriginPath", novelty + "<OriginPath", 1), "DistributionConfig.Origins.Items.0.Novelty"),
    ]:
        status, _, body = send("PUT", path, text.encode(), **{"If-Match": etag, "Content-Type": "application/xml"})
        same((status, "<Code>InvalidArgument</Code>" in body, f"<Message>{name}: " in body), (400, True, True), body)
    same(aws.get_distribution(Id=id)["ETag"], etag)


def quotas():
    # CP-120, CP-152, CP-202
    behavior = {"TargetOriginId": "app", "ViewerProtocolPolicy": "allow-all", "CachePolicyId": support.DISABLED}
    several = lambda n: {"Quantity": n, "Items": [{"PathPattern": f"/{i}/*", **behavior} for i in range(n)]}
    aws.create_distribution(DistributionConfig=distribution("two", CacheBehaviors=several(2)))
    with refused("TooManyCacheBehaviors", 400, "node.quotas.cache_behaviors"):
        aws.create_distribution(DistributionConfig=distribution("three", CacheBehaviors=several(3)))
    code = b"function handler(event) { return event.request; } //"
    given = {"FunctionConfig": {"Comment": "", "Runtime": "cloudfront-js-2.0"}}
    with refused("FunctionSizeLimitExceeded", 413, "20480"):
        aws.create_function(Name="large", FunctionCode=code.ljust(20481, b"x"), **given)
    made = aws.create_function(Name="large", FunctionCode=code.ljust(20480, b"x"), **given)
    aws.publish_function(Name="large", IfMatch=made["ETag"])
    with refused("TooManyFunctions", 400):
        aws.create_function(Name="one-more", FunctionCode=code, **given)
    arn = aws.create_key_value_store(Name="flags")["KeyValueStore"]["ARN"]
    etag = kvs.describe_key_value_store(KvsARN=arn)["ETag"]
    for key, value in [(601, 1), (1, 2049)]:
        with refused("ServiceQuotaExceededException", 402):
            kvs.put_key(KvsARN=arn, Key="k" * key, Value="v" * value, IfMatch=etag)
    etag = kvs.put_key(KvsARN=arn, Key="k" * 600, Value="v" * 2048, IfMatch=etag)["ETag"]
    with refused("ServiceQuotaExceededException", 402):
        kvs.put_key(KvsARN=arn, Key="another", Value="v" * 2048, IfMatch=etag)


def pages():
    # CP-011
    question = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization,x-amz-date"}
    connection = http.client.HTTPConnection(support.ADMIN, timeout=30)
    for origin, allowed in [(PAGE, PAGE), ("https://evil.example.test", None)]:
        connection.request("OPTIONS", "/2020-05-31/distribution", headers={"Origin": origin, **question})
        answer = connection.getresponse()
        answer.read()
        same((answer.getheader("access-control-allow-origin"), answer.status == 204), (allowed, allowed is not None))
        if allowed:
            assert "authorization" in answer.getheader("access-control-allow-headers"), answer.getheaders()
            assert "PUT" in answer.getheader("access-control-allow-methods"), answer.getheaders()
        status, told, _ = send("GET", "/2020-05-31/distribution", Origin=origin)
        same((status, told.get("access-control-allow-origin"), told.get("vary")), (200, allowed, allowed and "origin"))
    assert "x-amzn-requestid" in send("GET", "/2020-05-31/distribution", Origin=PAGE)[1]["access-control-expose-headers"]
    # A refusal is read as well.
    connection.request("GET", "/2020-05-31/distribution", headers={"Origin": PAGE})
    answer = connection.getresponse()
    answer.read()
    same((answer.status, answer.getheader("access-control-allow-origin")), (403, PAGE))
    connection.close()


run(relaxed, unknown_elements, quotas, pages)
