"""What was deployed is there after the node was killed and started again, and is served as before (CP-114, CP-560, CP-564)."""

import json
import os
import pathlib
import sys

from support import ACCOUNT, answering, client, distribution, get, run, same

aws, aws_lambda, kvs = client("cloudfront"), client("lambda"), client("cloudfront-keyvaluestore")
NOTES = pathlib.Path(os.environ["FOURFRONT_DIR"]) / "notes.json"
CODE = b"""import cf from 'cloudfront';
    async function handler(event) {
        return { statusCode: 200, body: await cf.kvs().get('key') };
    }"""


def told():
    """All that is read of what was deployed, and what viewers get."""
    notes = json.loads(NOTES.read_text())
    read = []
    for id, path in [(notes["lambda"], "/"), (notes["function"], "/")]:
        found = aws.get_distribution(Id=id)
        read.append((found["ETag"], repr(found["Distribution"])))
        read.append(get(path, found["Distribution"]["DomainName"])[::2])
    read.append(repr(aws_lambda.list_versions_by_function(FunctionName="kept")["Versions"]))
    development, live = (aws.describe_function(Name="kept", Stage=stage) for stage in ["DEVELOPMENT", "LIVE"])
    read += [development["ETag"], live["ETag"], repr(live["FunctionSummary"])]
    store = aws.describe_key_value_store(Name="kept")
    data = kvs.describe_key_value_store(KvsARN=store["KeyValueStore"]["ARN"])
    read += [store["ETag"], data["ETag"], data["ItemCount"]]
    invalidations = aws.list_invalidations(DistributionId=notes["lambda"])["InvalidationList"]
    read.append(repr(invalidations["Items"]))
    return json.loads(json.dumps(read))


def deployed():
    aws_lambda.create_function(
        FunctionName="kept",
        Role=f"arn:aws:iam::{ACCOUNT}:role/edge",
        Runtime="nodejs22.x",
        Handler="index.handler",
        Code={"ZipFile": answering("from a version")},
        Publish=True,
    )
    aws_lambda.update_function_code(FunctionName="kept", ZipFile=answering("from $LATEST"))
    site = distribution("kept-lambda")
    site["DefaultCacheBehavior"]["LambdaFunctionAssociations"] = {
        "Quantity": 1,
        "Items": [
            {"EventType": "viewer-request", "LambdaFunctionARN": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:kept:1"}
        ],
    }
    first = aws.create_distribution(DistributionConfig=site)["Distribution"]["Id"]
    arn = aws.create_key_value_store(Name="kept")["KeyValueStore"]["ARN"]
    kvs.put_key(KvsARN=arn, Key="key", Value="from a store", IfMatch=kvs.describe_key_value_store(KvsARN=arn)["ETag"])
    config = {
        "Comment": "",
        "Runtime": "cloudfront-js-2.0",
        "KeyValueStoreAssociations": {"Quantity": 1, "Items": [{"KeyValueStoreARN": arn}]},
    }
    made = aws.create_function(Name="kept", FunctionConfig=config, FunctionCode=CODE)
    aws.publish_function(Name="kept", IfMatch=made["ETag"])
    site = distribution("kept-function")
    site["DefaultCacheBehavior"]["FunctionAssociations"] = {
        "Quantity": 1,
        "Items": [{"EventType": "viewer-request", "FunctionARN": f"arn:aws:cloudfront::{ACCOUNT}:function/kept"}],
    }
    second = aws.create_distribution(DistributionConfig=site)["Distribution"]["Id"]
    batch = {"CallerReference": "kept", "Paths": {"Quantity": 1, "Items": ["/*"]}}
    aws.create_invalidation(DistributionId=first, InvalidationBatch=batch)
    NOTES.write_text(json.dumps({"lambda": first, "function": second}))
    read = told()
    same([read[1], read[3]], [[200, "from a version"], [200, "from a store"]])
    NOTES.write_text(json.dumps({"lambda": first, "function": second, "told": read}))


def there():
    notes = json.loads(NOTES.read_text())
    for found, wanted in zip(told(), notes["told"], strict=True):
        same(found, wanted)
    # And it goes on: a key that is written now is seen by the function that was loaded at the start.
    arn = aws.describe_key_value_store(Name="kept")["KeyValueStore"]["ARN"]
    kvs.put_key(KvsARN=arn, Key="key", Value="and on", IfMatch=kvs.describe_key_value_store(KvsARN=arn)["ETag"])
    same(get("/", aws.get_distribution(Id=notes["function"])["Distribution"]["DomainName"])[2], "and on")
    same(aws_lambda.publish_version(FunctionName="kept")["Version"], "2")


run(deployed if sys.argv[1] == "deployed" else there)
