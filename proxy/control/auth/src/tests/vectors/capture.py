"""Writes captured.json: requests as real clients sign them, with dummy keys and a clock that stands still.

    python3 -m venv v && v/bin/pip install boto3 'botocore[crt]'
    npm install @aws-sdk/client-cloudfront @aws-sdk/client-lambda @aws-sdk/client-sts \
        @aws-sdk/client-cloudfront-keyvaluestore @aws-sdk/signature-v4a      # in some folder N
    v/bin/python capture.py N

The requests go to a socket of this process, which notes the bytes and answers with something harmless. The tests need
neither Python nor Node: they read captured.json.
"""

import base64
import datetime
import json
import os
import socket
import subprocess
import sys
import threading
from urllib.parse import urlsplit

import boto3
import botocore.auth
import botocore.crt.auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

HERE = os.path.dirname(os.path.abspath(__file__))
NOW = datetime.datetime(2026, 11, 24, 12, 0, 0, tzinfo=datetime.timezone.utc)
KEYS = {
    "plain": ("FFDUMMYDUMMYDUMMY001", "dummySecretForTests/+0123456789abcdefghi", None),
    "session": ("FFDUMMYDUMMYDUMMY002", "anotherDummySecret/+9876543210zyxwvutsrq", "dummy/session+token=="),
}
ARN = "arn:aws:cloudfront::000000000000:key-value-store/7c9e6679-7425-40de-944b-e07fc1f90ae7"
CONFIG = {
    "CallerReference": "r1", "Comment": "caf\u00e9 \u2603", "Enabled": True,
    "Origins": {"Quantity": 1, "Items": [{"Id": "o", "DomainName": "o.test", "CustomOriginConfig": {
        "HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "http-only"}}]},
    "DefaultCacheBehavior": {"TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all",
                             "CachePolicyId": "658327ea-f89d-4fab-a63d-7e88639e58f6"},
}

vectors, seen = [], []


def stand_still(remove_tzinfo=True):
    return NOW.replace(tzinfo=None) if remove_tzinfo else NOW


for module in (botocore.auth, botocore.crt.auth):
    assert hasattr(module, "get_current_datetime"), module
    module.get_current_datetime = stand_still


def serve(listener):
    while True:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as stream:
            first = stream.readline().decode("latin-1").split(" ")
            if len(first) < 3:
                continue
            headers = []
            while (line := stream.readline().decode("latin-1").rstrip("\r\n")):
                name, _, value = line.partition(":")
                headers.append([name, value.strip(" ")])
            lower = {name.lower(): value for name, value in headers}
            if "100-continue" in lower.get("expect", ""):
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = b""
            if "chunked" in lower.get("transfer-encoding", ""):
                while (size := int(stream.readline(), 16)):
                    body += stream.read(size)
                    stream.readline()
                stream.readline()
            elif "content-length" in lower:
                body = stream.read(int(lower["content-length"]))
            seen.append((first[0], first[1], headers, body))
            connection.sendall(b"HTTP/1.1 200 OK\r\nDate: " + NOW.strftime("%a, %d %b %Y %H:%M:%S GMT").encode()
                               + b"\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")


def note(name, client, service, key, form="header"):
    method, target, headers, body = seen.pop(0)
    assert not seen, (name, len(seen))
    vectors.append({"name": name, "client": client, "service": service, "key": key, "form": form, "method": method,
                    "target": target, "headers": headers, "body": base64.b64encode(body).decode()})
    print(f"{name:48} {method} {target[:90]}")


listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
threading.Thread(target=serve, args=(listener,), daemon=True).start()
END = f"http://127.0.0.1:{port}"

# The prefixed host of the key value store's data plane resolves to nothing here.
plain_getaddrinfo = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: plain_getaddrinfo(
    "127.0.0.1" if str(host).endswith(".127.0.0.1") else host, *rest, **more)


def client(service, key="plain", region="eu-west-1", **more):
    key_id, secret, token = KEYS[key]
    return boto3.client(service, region_name=region, endpoint_url=END, aws_access_key_id=key_id,
                        aws_secret_access_key=secret, aws_session_token=token,
                        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False, **more))


def call(name, service, operation, key="plain", region="eu-west-1", label=None, **parameters):
    try:
        getattr(client(service, key, region), operation)(**parameters)
    except Exception as error:  # the answer is not one the client understands, and need not be
        if not seen:
            raise error
    note("boto3-" + name, "boto3", label or service, key)


cf, la, kv = "cloudfront", "lambda", "cloudfront-keyvaluestore"
call("cloudfront-list", cf, "list_distributions", MaxItems="5", Marker="E/ b+c~")
call("cloudfront-create", cf, "create_distribution", DistributionConfig=CONFIG)
call("cloudfront-create-with-tags", cf, "create_distribution_with_tags", DistributionConfigWithTags={
    "DistributionConfig": CONFIG, "Tags": {"Items": [{"Key": "a", "Value": "b"}]}})
call("cloudfront-update", cf, "update_distribution", key="session", Id="E1ABCDEFGHIJKL", IfMatch="E2ABCDEFGHIJKL",
     DistributionConfig=CONFIG)
call("cloudfront-delete", cf, "delete_distribution", Id="E1ABCDEFGHIJKL", IfMatch="E2ABCDEFGHIJKL")
call("cloudfront-invalidate", cf, "create_invalidation", region="us-gov-west-1", DistributionId="E1ABCDEFGHIJKL",
     InvalidationBatch={"CallerReference": "x", "Paths": {"Quantity": 1, "Items": ["/\u00fc/*"]}})
call("cloudfront-tags", cf, "list_tags_for_resource",
     Resource="arn:aws:cloudfront::000000000000:distribution/E1ABCDEFGHIJKL")
call("cloudfront-copy", cf, "copy_distribution", PrimaryDistributionId="E1ABCDEFGHIJKL", Staging=True,
     IfMatch="E2", CallerReference="c")
call("lambda-list", la, "list_functions", FunctionVersion="ALL", MaxItems=10000)
call("lambda-get-arn", la, "get_function", FunctionName="arn:aws:lambda:us-east-1:000000000000:function:f:1")
call("lambda-create", la, "create_function", FunctionName="f", Role="arn:aws:iam::000000000000:role/r",
     Runtime="nodejs20.x", Handler="index.handler", Code={"ZipFile": bytes(range(256))}, Publish=True)
call("lambda-update-code", la, "update_function_code", key="session", FunctionName="f", ZipFile=b"PK")
call("lambda-untag-repeated", la, "untag_resource", TagKeys=["b b", "a+a", "\u00e9", "a"],
     Resource="arn:aws:lambda:us-east-1:000000000000:function:f")
call("lambda-invoke", la, "invoke", FunctionName="f:2", InvocationType="RequestResponse", LogType="Tail",
     Payload="{\"a\":\"\u00e9\"}".encode(), ClientContext="e30=")
call("lambda-unicode-path", la, "get_function", FunctionName="f\u00fc n/x~.-_*'()!")
call("kvs-describe", kv, "describe_key_value_store", KvsARN=ARN)
call("kvs-get-slash", kv, "get_key", KvsARN=ARN, Key="a/b c")
call("kvs-get-unicode", kv, "get_key", key="session", KvsARN=ARN, Key="\u00fc\u2603%2F+&=~*'()!")
call("kvs-put", kv, "put_key", KvsARN=ARN, Key="k", Value="v\u00e9", IfMatch="E1")
call("kvs-delete", kv, "delete_key", KvsARN=ARN, Key="k//d", IfMatch="E1")
call("kvs-list", kv, "list_keys", KvsARN=ARN, MaxResults=50, NextToken="to+ken/=\u00e9 ~*")
call("kvs-update", kv, "update_keys", KvsARN=ARN, IfMatch="E1", Puts=[{"Key": "a", "Value": "1"}],
     Deletes=[{"Key": "b"}])
call("sts-identity", "sts", "get_caller_identity", region="us-east-1")
call("sts-identity-session", "sts", "get_caller_identity", key="session", region="us-east-1")
call("iam-create-role", "iam", "create_role", region="us-east-1", RoleName="r",
     AssumeRolePolicyDocument="{\"Version\":\"2012-10-17\"}")
call("logs-filter", "logs", "filter_log_events", logGroupName="/aws/lambda/us-east-1.f")


def presigned(name, label, key, url):
    parts = urlsplit(url)
    seen.append(("GET", parts.path + "?" + parts.query, [["host", parts.netloc]], b""))
    note(name, "boto3", label, key, "query")


presigned("boto3-presigned-cloudfront", cf, "plain", client(cf).generate_presigned_url(
    "get_distribution", {"Id": "E1ABCDEFGHIJKL"}, ExpiresIn=600))
presigned("boto3-presigned-lambda-session", la, "session", client(la, "session").generate_presigned_url(
    "get_function", {"FunctionName": "arn:aws:lambda:us-east-1:000000000000:function:f", "Qualifier": "1"}, ExpiresIn=60))
presigned("boto3-presigned-sts", "sts", "plain", client("sts").generate_presigned_url(
    "get_caller_identity", ExpiresIn=900, HttpMethod="GET"))
request = AWSRequest("GET", f"{END}/key-value-stores/{ARN.replace(':', '%3A').replace('/', '%2F')}/keys?MaxResults=2")
botocore.crt.auth.CrtSigV4AsymQueryAuth(Credentials(*KEYS["session"]), kv, "*", expires=300).add_auth(request)
presigned("crt-presigned-kvs", kv, "session", request.prepare().url)
request = AWSRequest("GET", f"{END}/2015-03-31/functions/a%3Ab/?Qualifier=1")
botocore.crt.auth.CrtSigV4Auth(Credentials(*KEYS["plain"]), la, "eu-west-1").add_auth(request)
prepared = request.prepare()
seen.append(("GET", "/2015-03-31/functions/a%3Ab/?Qualifier=1",
             [[n, v] for n, v in prepared.headers.items()], b""))
note("crt-lambda-hmac", "crt", la, "plain")

# SigV4 (HMAC) for the key value store, by a client without the extra; and a fallback to `Date`.
request = AWSRequest("PUT", f"{END}/key-value-stores/{ARN.replace(':', '%3A').replace('/', '%2F')}/keys/k", data=b"{}",
                     headers={"If-Match": "E1", "X-Amz-Meta": "  two   spaces\tand a tab ", "Content-Type": "a/b"})
botocore.auth.SigV4Auth(Credentials(*KEYS["plain"]), kv, "us-east-1").add_auth(request)
seen.append(("PUT", urlsplit(request.url).path, [["host", f"127.0.0.1:{port}"]] + [[n, v.strip(" ") if n != "X-Amz-Meta" else v]
             for n, v in request.headers.items()], b"{}"))
note("botocore-kvs-hmac", "botocore", kv, "plain")
request = AWSRequest("GET", f"{END}/_fourfront/v1/status", headers={"Date": "Tue, 24 Nov 2026 12:00:00 GMT"})
botocore.auth.SigV4Auth(Credentials(*KEYS["plain"]), "fourfront", "us-east-1").add_auth(request)
seen.append(("GET", "/_fourfront/v1/status", [["host", f"127.0.0.1:{port}"]] + [[n, v] for n, v in request.headers.items()
             if n.lower() != "x-amz-date"], b""))
note("botocore-native-date", "botocore", "fourfront", "plain")

if len(sys.argv) > 1:
    script = os.path.join(HERE, "capture.mjs")
    steps = json.loads(subprocess.check_output(["node", script, "list"], cwd=sys.argv[1], env={
        **os.environ, "FF_MODULES": os.path.abspath(sys.argv[1])}))
    for index, step in enumerate(steps):
        subprocess.run(["node", script, str(index)], check=True, cwd=sys.argv[1], env={
            **os.environ, "FF_MODULES": os.path.abspath(sys.argv[1]), "FF_END": END, "FF_NOW": NOW.isoformat(),
            "FF_KEY": json.dumps(KEYS[step["key"]])})
        note("js-" + step["name"], "js", step["service"], step["key"])

with open(os.path.join(HERE, "captured.json"), "w") as out:
    json.dump({"now": int(NOW.timestamp()), "keys": {name: {"id": k[0], "secret": k[1], "token": k[2]}
                                                      for name, k in KEYS.items()}, "requests": vectors}, out, indent=1)
    out.write("\n")
print(len(vectors), "requests")
