"""Services that the node does not have, at another endpoint behind it (CP-236), and artifacts in a bucket there (CP-075)."""

import hashlib
import http.client
import json
import os
import pathlib
import subprocess
import tempfile
import urllib.parse

import boto3

from support import ADMIN, ROLE, answering, client, fault, refused, run, same


def cli(*arguments, ok=True):
    """The AWS CLI against the node."""
    ran = subprocess.run(
        ["aws", "--endpoint-url", f"http://{ADMIN}", *arguments], capture_output=True, text=True, timeout=120
    )
    if (ran.returncode == 0) != ok:
        fault(f"aws {' '.join(arguments)}: {ran.returncode} {ran.stdout} {ran.stderr}")
    return ran.stdout if ok else ran.stderr


def parameters():
    # CP-236: JSON 1.1, signed over the body
    ssm = client("ssm")
    ssm.put_parameter(Name="/site/greeting", Value="hello", Type="String")
    same(ssm.get_parameter(Name="/site/greeting")["Parameter"]["Value"], "hello")
    told = json.loads(cli("ssm", "get-parameter", "--name", "/site/greeting"))
    same(told["Parameter"]["Value"], "hello")
    # What the other side says is wrong, it says itself.
    with refused("ParameterNotFound", 400):
        ssm.get_parameter(Name="/site/none")


def objects():
    # CP-236: S3, whose bodies stream
    s3 = client("s3")
    s3.create_bucket(Bucket="releases")
    with tempfile.TemporaryDirectory() as folder:
        there, back = pathlib.Path(folder, "there"), pathlib.Path(folder, "back")
        there.write_bytes(os.urandom(20_000_000))
        # In parts, each of them a request.
        cli("s3", "cp", str(there), "s3://releases/dir/a b+c.bin")
        cli("s3", "cp", "s3://releases/dir/a b+c.bin", str(back))
        sums = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (there, back)]
        same(sums[0], sums[1])
    s3.put_object(Bucket="releases", Key="one", Body=b"x" * 1_000_000)
    same(s3.head_object(Bucket="releases", Key="one")["ContentLength"], 1_000_000)
    same([o["Key"] for o in s3.list_objects_v2(Bucket="releases")["Contents"]], ["dir/a b+c.bin", "one"])
    with refused("NoSuchKey", 404):
        s3.get_object(Bucket="releases", Key="none")
    # A link is as good as a signature, for what it was made for.
    asked = {"Bucket": "releases", "Key": "one"}
    link = urllib.parse.urlsplit(client("s3", "s3v4").generate_presigned_url("get_object", asked))
    for path, wanted in [(link.path, 200), ("/releases/dir", 403)]:
        connection = http.client.HTTPConnection(ADMIN, timeout=30)
        connection.request("GET", f"{path}?{link.query}")
        answer = connection.getresponse()
        same((answer.status, len(answer.read()) > 0), (wanted, True))
        connection.close()


def others():
    # CP-236: the query protocol and EC2's, JSON 1.0
    queues = client("sqs")
    url = queues.create_queue(QueueName="jobs")["QueueUrl"]
    name = url.rsplit("/", 1)[1]
    same(name, "jobs")
    same([u.rsplit("/", 1)[1] for u in queues.list_queues()["QueueUrls"]], ["jobs"])
    client("sns").create_topic(Name="news")
    regions = client("ec2").describe_regions()["Regions"]
    same("us-east-1" in [r["RegionName"] for r in regions], True)
    table = client("dynamodb")
    key = [{"AttributeName": "id", "AttributeType": "S"}]
    schema = [{"AttributeName": "id", "KeyType": "HASH"}]
    table.create_table(
        TableName="t", AttributeDefinitions=key, KeySchema=schema, BillingMode="PAY_PER_REQUEST"
    )
    table.put_item(TableName="t", Item={"id": {"S": "1"}})
    same(table.get_item(TableName="t", Key={"id": {"S": "1"}})["Item"], {"id": {"S": "1"}})


def refusals():
    # CP-236: no service that is not set, nobody who is not let in
    with refused("UnsupportedOperation", 400, "node.admin.forward.acm"):
        client("acm").list_certificates()
    stranger = boto3.session.Session("FFNOBODYNOBODYNOBODY", "no", region_name="us-east-1")
    key = client("ssm")._request_signer._credentials.access_key
    forger = boto3.session.Session(key, "no", region_name="us-east-1")
    for name, ask, unknown, forged in [
        ("ssm", "describe_parameters", "UnrecognizedClientException", "InvalidSignatureException"),
        ("s3", "list_buckets", "InvalidClientTokenId", "SignatureDoesNotMatch"),
        ("ec2", "describe_regions", "InvalidClientTokenId", "SignatureDoesNotMatch"),
        ("sns", "list_topics", "InvalidClientTokenId", "SignatureDoesNotMatch"),
    ]:
        for session, code in [(stranger, unknown), (forger, forged)]:
            with refused(code, 403):
                getattr(client(name, session=session), ask)()
    connection = http.client.HTTPConnection(ADMIN, timeout=30)
    connection.request("POST", "/", "{}", {"X-Amz-Target": "AmazonSSM.DescribeParameters"})
    same(connection.getresponse().status, 403)
    connection.close()


def artifacts():
    # CP-075, CP-305: code from a bucket of another server, one version of it
    s3, aws = client("s3"), client("lambda")
    s3.put_bucket_versioning(Bucket="releases", VersioningConfiguration={"Status": "Enabled"})
    versions = []
    for text in ("one", "two"):
        versions.append(s3.put_object(Bucket="releases", Key="v/edge code.zip", Body=answering(text))["VersionId"])
    code = {"S3Bucket": "releases", "S3Key": "v/edge code.zip"}
    made = aws.create_function(FunctionName="edge", Runtime="nodejs22.x", Role=ROLE, Handler="index.handler", Code=code)
    same(made["CodeSize"], len(answering("two")))
    newest = made["CodeSha256"]
    older = aws.update_function_code(FunctionName="edge", S3ObjectVersion=versions[0], **code)
    same(older["CodeSha256"] == newest, False)
    again = aws.update_function_code(FunctionName="edge", S3ObjectVersion=versions[1], **code)
    same(again["CodeSha256"], newest)
    with refused("InvalidParameterValueException", 400, "NoSuchKey"):
        aws.update_function_code(FunctionName="edge", S3Bucket="releases", S3Key="none")
    with refused("InvalidParameterValueException", 400, "node.artifacts.elsewhere"):
        aws.update_function_code(FunctionName="edge", S3Bucket="elsewhere", S3Key="none")


run(parameters, objects, others, refusals, artifacts)
