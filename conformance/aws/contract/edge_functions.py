"""CloudFront Functions and key-value stores, both planes, by boto3 (CP sections 3.6 and 4)."""

import concurrent.futures
import json
import os
import pathlib

from support import ACCOUNT, Origin, client, distribution, get, headers, refused, run, same, status

aws = client("cloudfront")
kvs = client("cloudfront-keyvaluestore")
origin = Origin()
HERE = pathlib.Path(os.environ["FOURFRONT_DIR"])
ARN = f"arn:aws:cloudfront::{ACCOUNT}"
V2 = {"Comment": "", "Runtime": "cloudfront-js-2.0"}


def answering(text):
    return f"function handler(event) {{ return {{ statusCode: 200, body: '{text}' }}; }}".encode()


def functions():
    # CP-024, CP-041, CP-150..152, CP-271, CP-272
    code = answering("one") + " // déjà".encode()
    made = aws.create_function(Name="redirects", FunctionConfig=V2, FunctionCode=code)
    summary = made["FunctionSummary"]
    same((status(made), summary["Status"], summary["FunctionMetadata"]["Stage"]), (201, "UNPUBLISHED", "DEVELOPMENT"))
    same(summary["FunctionMetadata"]["FunctionARN"], f"{ARN}:function/redirects")
    assert made["Location"].endswith("/2020-05-31/function/redirects")
    with refused("FunctionAlreadyExists", 409):
        aws.create_function(Name="redirects", FunctionConfig=V2, FunctionCode=code)
    with refused("FunctionSizeLimitExceeded", 413):
        aws.create_function(Name="large", FunctionConfig=V2, FunctionCode=b" " * 10241)
    with refused("InvalidArgument", 400):
        aws.create_function(
            Name="old", FunctionConfig={"Comment": "", "Runtime": "cloudfront-js-9.0"}, FunctionCode=code
        )
    # The code comes back as it went.
    read = aws.get_function(Name="redirects")
    same(
        (read["FunctionCode"].read(), read["ContentType"], read["ETag"]),
        (code, "application/octet-stream", made["ETag"]),
    )
    same(aws.describe_function(Name="redirects")["ETag"], made["ETag"])
    for call in [aws.describe_function, aws.get_function]:
        with refused("NoSuchFunctionExists", 404):
            call(Name="redirects", Stage="LIVE")
        with refused("NoSuchFunctionExists", 404):
            call(Name="nobody")
    with refused("InvalidIfMatchVersion", 400):
        aws.publish_function(Name="redirects", IfMatch="nothing")
    with refused("PreconditionFailed", 412):
        aws.publish_function(Name="redirects", IfMatch="E" + 13 * "A")
    with refused("NoSuchFunctionExists", 404):
        aws.publish_function(Name="nobody", IfMatch=made["ETag"])
    published = aws.publish_function(Name="redirects", IfMatch=made["ETag"])
    summary = published["FunctionSummary"]
    same((status(published), summary["Status"], summary["FunctionMetadata"]["Stage"]), (200, "UNASSOCIATED", "LIVE"))
    same(aws.describe_function(Name="redirects")["ETag"], made["ETag"], "publishing does not change it (CP-151)")
    live = aws.describe_function(Name="redirects", Stage="LIVE")
    same(live["FunctionSummary"]["FunctionMetadata"]["Stage"], "LIVE")
    assert live["ETag"] != made["ETag"]
    updated = aws.update_function(
        Name="redirects", IfMatch=made["ETag"], FunctionConfig=V2, FunctionCode=answering("two")
    )
    # boto3 reads the header as the model spells it, scripts as it should be.
    same(headers(updated)["etag"], updated["ETag"])
    same(headers(updated)["ettag"], updated["ETag"])
    same((status(updated), updated["FunctionSummary"]["FunctionMetadata"]["Stage"]), (200, "DEVELOPMENT"))
    same(aws.get_function(Name="redirects", Stage="LIVE")["FunctionCode"].read(), code)
    with refused("PreconditionFailed", 412):
        aws.update_function(Name="redirects", IfMatch=made["ETag"], FunctionConfig=V2, FunctionCode=code)
    with refused("NoSuchFunctionExists", 404):
        aws.update_function(Name="nobody", IfMatch=made["ETag"], FunctionConfig=V2, FunctionCode=code)
    same(status(aws.publish_function(Name="redirects", IfMatch=updated["ETag"])), 200)
    same(aws.get_function(Name="redirects", Stage="LIVE")["FunctionCode"].read(), answering("two"))


def tested():
    # CP-153
    etag = aws.describe_function(Name="redirects")["ETag"]
    event = {
        "version": "1.0",
        "context": {"eventType": "viewer-request"},
        "viewer": {"ip": "198.51.100.1"},
        "request": {"method": "GET", "uri": "/a", "querystring": {}, "headers": {}, "cookies": {}},
    }
    event = json.dumps(event).encode()
    told = aws.test_function(Name="redirects", IfMatch=etag, EventObject=event)["TestResult"]
    same(json.loads(told["FunctionOutput"])["response"]["body"], "two")
    same((told["FunctionErrorMessage"], told["FunctionSummary"]["Name"]), ("", "redirects"))
    assert 0 <= int(told["ComputeUtilization"]) <= 100 and told["FunctionExecutionLogs"] == [], told
    throws = b"function handler(event) { console.log('seen ' + event.request.uri); throw new Error('no'); }"
    made = aws.create_function(Name="throws", FunctionConfig=V2, FunctionCode=throws)
    told = aws.test_function(Name="throws", IfMatch=made["ETag"], EventObject=event, Stage="DEVELOPMENT")["TestResult"]
    assert "no" in told["FunctionErrorMessage"] and "seen /a" in " ".join(told["FunctionExecutionLogs"]), told
    with refused("NoSuchFunctionExists", 404):
        aws.test_function(Name="throws", IfMatch=made["ETag"], EventObject=event, Stage="LIVE")
    with refused("InvalidArgument", 400):
        aws.test_function(Name="throws", IfMatch=made["ETag"], EventObject=b"{")
    with refused("InvalidIfMatchVersion", 400):
        aws.test_function(Name="throws", IfMatch="nothing", EventObject=event)
    with refused("PreconditionFailed", 412):
        aws.test_function(Name="throws", IfMatch=etag, EventObject=event)
    live = aws.test_function(
        Name="redirects",
        Stage="LIVE",
        IfMatch=aws.describe_function(Name="redirects", Stage="LIVE")["ETag"],
        EventObject=event,
    )
    same(live["TestResult"]["FunctionSummary"]["FunctionMetadata"]["Stage"], "LIVE")


def associated():
    # CP-131, CP-133, CP-150, CP-152; in the node that serves
    config = distribution("functions", origin.port)
    of = lambda name: {
        "Quantity": 1,
        "Items": [{"EventType": "viewer-request", "FunctionARN": f"{ARN}:function/{name}"}],
    }
    config["DefaultCacheBehavior"]["FunctionAssociations"] = of("throws")
    with refused("InvalidFunctionAssociation", 400):
        aws.create_distribution(DistributionConfig=config)
    config["DefaultCacheBehavior"]["FunctionAssociations"] = of("redirects")
    made = aws.create_distribution(DistributionConfig=config)
    host = made["Distribution"]["DomainName"]
    same(get("/", host)[2], "two")
    same(aws.describe_function(Name="redirects", Stage="LIVE")["FunctionSummary"]["Status"], "ASSOCIATED")
    etag = aws.describe_function(Name="redirects")["ETag"]
    with refused("FunctionInUse", 409):
        aws.delete_function(Name="redirects", IfMatch=etag)
    # What is in development is served when it is published, and in one step.
    updated = aws.update_function(Name="redirects", IfMatch=etag, FunctionConfig=V2, FunctionCode=answering("three"))
    same(get("/", host)[2], "two")
    aws.publish_function(Name="redirects", IfMatch=updated["ETag"])
    same(get("/", host)[2], "three")
    # One that does not load does not come to be served.
    updated = aws.update_function(
        Name="redirects", IfMatch=updated["ETag"], FunctionConfig=V2, FunctionCode=b"function handler( {"
    )
    with refused("InvalidArgument", 400):
        aws.publish_function(Name="redirects", IfMatch=updated["ETag"])
    same(get("/", host)[2], "three")


def listed():
    # CP-044, CP-150, CP-158
    all = aws.list_functions()["FunctionList"]
    same(
        [(f["Name"], f["FunctionMetadata"]["Stage"]) for f in all["Items"]],
        [("redirects", "DEVELOPMENT"), ("throws", "DEVELOPMENT")],
    )
    assert all["Quantity"] == 2 and "Marker" not in all and "IsTruncated" not in all and "NextMarker" not in all, all
    same([f["Name"] for f in aws.list_functions(Stage="LIVE")["FunctionList"]["Items"]], ["redirects"])
    page = aws.list_functions(MaxItems="1")["FunctionList"]
    same([f["Name"] for f in aws.list_functions(Marker=page["NextMarker"])["FunctionList"]["Items"]], ["throws"])
    with refused("InvalidArgument", 400):
        aws.list_functions(Marker="made up")
    arn = f"{ARN}:function/throws"
    etag = aws.describe_function(Name="throws")["ETag"]
    # CP-041, CP-152
    update = lambda **more: aws.update_function(
        **({"Name": "throws", "IfMatch": etag, "FunctionConfig": V2, "FunctionCode": b"1"} | more)
    )
    for call in [update, lambda **more: aws.delete_function(**({"Name": "throws"} | more))]:
        with refused("InvalidIfMatchVersion", 400):
            call(IfMatch="nothing")
        with refused("PreconditionFailed", 412):
            call(IfMatch="E" + 13 * "A")
    with refused("FunctionSizeLimitExceeded", 413):
        update(FunctionCode=b" " * 10241)
    with refused("InvalidArgument", 400):
        update(FunctionConfig={"Comment": "", "Runtime": "cloudfront-js-9.0"})
    aws.tag_resource(Resource=arn, Tags={"Items": [{"Key": "a", "Value": "1"}]})
    same(aws.list_tags_for_resource(Resource=arn)["Tags"]["Items"], [{"Key": "a", "Value": "1"}])
    same(status(aws.delete_function(Name="throws", IfMatch=etag)), 204)
    with refused("NoSuchFunctionExists", 404):
        aws.delete_function(Name="throws", IfMatch=etag)


def stores():
    # CP-041, CP-155..158
    made = aws.create_key_value_store(Name="routes", Comment="where to")
    store = made["KeyValueStore"]
    same((status(made), store["Status"], store["ARN"]), (201, "READY", f"{ARN}:key-value-store/{store['Id']}"))
    assert made["Location"].endswith("/2020-05-31/key-value-store/routes") and len(store["Id"]) == 36
    with refused("EntityAlreadyExists", 409):
        aws.create_key_value_store(Name="routes")
    (HERE / "bucket" / "routes.json").write_text(
        json.dumps({"data": [{"key": f"k{n:02}", "value": str(n)} for n in range(12)]})
    )
    (HERE / "bucket" / "twice.json").write_text('{"data":[{"key":"a","value":"1"},{"key":"a","value":"2"}]}')
    source = lambda key: {"SourceType": "S3", "SourceARN": f"arn:aws:s3:::{key}"}
    filled = aws.create_key_value_store(Name="filled", ImportSource=source("bucket/routes.json"))
    same(kvs.describe_key_value_store(KvsARN=filled["KeyValueStore"]["ARN"])["ItemCount"], 12)
    (HERE / "bucket" / "large.json").write_text(
        json.dumps({"data": [{"key": f"k{n}", "value": "v" * 1000} for n in range(5300)]})
    )
    with refused("EntitySizeLimitExceeded", 413):
        aws.create_key_value_store(Name="bad", ImportSource=source("bucket/large.json"))
    for key in ["bucket/twice.json", "bucket/none.json", "nowhere/routes.json", "bucket/../fourfront.yaml"]:
        with refused("InvalidArgument", 400):
            aws.create_key_value_store(Name="bad", ImportSource=source(key))
    read = aws.describe_key_value_store(Name="routes")
    same((read["KeyValueStore"], read["ETag"]), (store, made["ETag"]))
    updated = aws.update_key_value_store(Name="routes", Comment="changed", IfMatch=made["ETag"])
    same((updated["KeyValueStore"]["Comment"], updated["ETag"] != made["ETag"]), ("changed", True))
    calls = [(aws.update_key_value_store, {"Comment": "x"}), (aws.delete_key_value_store, {})]
    for call, more in calls:
        with refused("PreconditionFailed", 412):
            call(Name="routes", IfMatch=made["ETag"], **more)
        with refused("InvalidIfMatchVersion", 400):
            call(Name="routes", IfMatch="nothing", **more)
        with refused("EntityNotFound", 404):
            call(Name="nobody", IfMatch=made["ETag"], **more)
    with refused("EntityNotFound", 404):
        aws.describe_key_value_store(Name="nobody")
    with refused("InvalidArgument", 400):
        aws.describe_key_value_store(Name="not a name")
    with refused("InvalidArgument", 400):
        aws.update_key_value_store(Name="routes", Comment="x" * 200, IfMatch=updated["ETag"])
    all = aws.list_key_value_stores()["KeyValueStoreList"]
    same(([s["Name"] for s in all["Items"]], all["Quantity"]), (["filled", "routes"], 2))
    same(aws.list_key_value_stores(Status="PROVISIONING")["KeyValueStoreList"]["Quantity"], 0)
    pages = aws.get_paginator("list_key_value_stores").paginate(PaginationConfig={"PageSize": 1})
    same([s["Name"] for page in pages for s in page["KeyValueStoreList"]["Items"]], ["filled", "routes"])
    with refused("InvalidArgument", 400):
        aws.list_key_value_stores(Marker="made up")


def data():
    # CP-008, CP-042, CP-046, CP-157, CP-200..203, CP-206
    arn = aws.describe_key_value_store(Name="filled")["KeyValueStore"]["ARN"]
    management = aws.describe_key_value_store(Name="filled")["ETag"]
    told = kvs.describe_key_value_store(KvsARN=arn)
    etag = told["ETag"]
    same((told["Status"], told["KvsARN"], told["TotalSizeInBytes"]), ("READY", arn, 12 * 3 + 14))
    assert told["Created"].tzinfo and told["LastModified"].tzinfo
    key = "a/b c+d%é?"
    put = kvs.put_key(KvsARN=arn, Key=key, Value="välue", IfMatch=etag)
    same((status(put), put["ItemCount"], put["ETag"] != etag), (200, 13, True))
    same(kvs.get_key(KvsARN=arn, Key=key)["Value"], "välue")
    with refused("ConflictException", 409):
        kvs.put_key(KvsARN=arn, Key="x", Value="y", IfMatch=etag)
    with refused("ValidationException", 400):
        kvs.put_key(KvsARN=arn, Key="x", Value="y", IfMatch="")
    etag = kvs.delete_key(KvsARN=arn, Key=key, IfMatch=put["ETag"])["ETag"]
    with refused("ResourceNotFoundException", 404):
        kvs.get_key(KvsARN=arn, Key=key)
    same(kvs.delete_key(KvsARN=arn, Key=key, IfMatch=etag)["ETag"], etag, "one that is not there")
    done = kvs.update_keys(
        KvsARN=arn, IfMatch=etag, Puts=[{"Key": "n", "Value": "1"}], Deletes=[{"Key": "k00"}, {"Key": "k01"}]
    )
    same((done["ItemCount"], kvs.describe_key_value_store(KvsARN=arn)["ETag"]), (11, done["ETag"]))
    etag = done["ETag"]
    for puts, deletes in [(["p"], ["p"]), (["p", "p"], []), ([f"k{n}" for n in range(51)], [])]:
        with refused("ValidationException", 400):
            kvs.update_keys(
                KvsARN=arn,
                IfMatch=etag,
                Puts=[{"Key": k, "Value": "v"} for k in puts],
                Deletes=[{"Key": k} for k in deletes],
            )
    for call, more in [(kvs.delete_key, {"Key": "n"}), (kvs.update_keys, {"Puts": [{"Key": "n", "Value": "2"}]})]:
        with refused("ConflictException", 409):
            call(KvsARN=arn, IfMatch=put["ETag"], **more)
    with refused("ServiceQuotaExceededException", 402):
        kvs.put_key(KvsARN=arn, Key="long", Value="v" * 1025, IfMatch=etag)
    with refused("ServiceQuotaExceededException", 402):
        kvs.update_keys(KvsARN=arn, Puts=[{"Key": "n", "Value": "v" * 1025}], IfMatch=etag)
    with refused("ValidationException", 400):
        kvs.delete_key(KvsARN=arn, Key="n", IfMatch="")
    with refused("ServiceQuotaExceededException", 402):
        kvs.put_key(KvsARN=arn, Key="k" * 513, Value="v", IfMatch=etag)
    keys = [f"k{n:02}" for n in range(2, 12)] + ["n"]
    first = kvs.list_keys(KvsARN=arn)
    same([i["Key"] for i in first["Items"]], keys[:10])
    same([i["Key"] for i in kvs.list_keys(KvsARN=arn, NextToken=first["NextToken"])["Items"]], keys[10:])
    pages = kvs.get_paginator("list_keys").paginate(KvsARN=arn, PaginationConfig={"PageSize": 4})
    same([i["Key"] for page in pages for i in page["Items"]], keys)
    with refused("ValidationException", 400):
        kvs.list_keys(KvsARN=arn, NextToken="made up")
    with refused("ValidationException", 400):
        kvs.list_keys(KvsARN=arn, MaxResults=51)
    nobody = f"{ARN}:key-value-store/00000000-0000-4000-8000-000000000000"
    calls = [
        (kvs.describe_key_value_store, {}),
        (kvs.list_keys, {}),
        (kvs.get_key, {"Key": "a"}),
        (kvs.put_key, {"Key": "a", "Value": "b", "IfMatch": etag}),
        (kvs.delete_key, {"Key": "a", "IfMatch": etag}),
        (kvs.update_keys, {"IfMatch": etag, "Puts": [{"Key": "a", "Value": "b"}]}),
    ]
    for call, more in calls:
        with refused("ResourceNotFoundException", 404):
            call(KvsARN=nobody, **more)
    # SigV4 with one secret does as well as SigV4a (CP-206).
    same(client("cloudfront-keyvaluestore", "v4").get_key(KvsARN=arn, Key="n")["Value"], "1")
    same(aws.describe_key_value_store(Name="filled")["ETag"], management, "writes of keys leave it (CP-157)")


def writers_at_the_same_time():
    # CP-042, CP-203, CP-289: a conflict is told at once, and nothing that was acknowledged is lost
    arn = aws.create_key_value_store(Name="crowd")["KeyValueStore"]["ARN"]

    def put(name):
        tries = 0
        while True:
            tries += 1
            etag = kvs.describe_key_value_store(KvsARN=arn)["ETag"]
            try:
                kvs.update_keys(
                    KvsARN=arn, IfMatch=etag, Puts=[{"Key": f"{name}-{n}", "Value": name} for n in range(5)]
                )
                return tries
            except kvs.exceptions.ConflictException:
                assert tries < 200, "it never comes to it"

    names = [f"writer-{n}" for n in range(8)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(put, names))
    pages = kvs.get_paginator("list_keys").paginate(KvsARN=arn, PaginationConfig={"PageSize": 50})
    found = {i["Key"]: i["Value"] for page in pages for i in page["Items"]}
    same(found, {f"{name}-{n}": name for name in names for n in range(5)})


def keys_in_functions():
    # CP-154, CP-158, CP-204
    arn = aws.describe_key_value_store(Name="routes")["KeyValueStore"]["ARN"]
    config = V2 | {"KeyValueStoreAssociations": {"Quantity": 1, "Items": [{"KeyValueStoreARN": arn}]}}
    code = b"""
        import cf from 'cloudfront';
        const store = cf.kvs();
        async function handler(event) {
            const name = event.request.uri.slice(1);
            const has = await store.exists(name);
            return { statusCode: has ? 200 : 404, body: has ? await store.get(name) : 'nothing' };
        }"""
    nobody = f"{ARN}:key-value-store/00000000-0000-4000-8000-000000000000"
    for wrong in [
        config | {"Runtime": "cloudfront-js-1.0"},
        config | {"KeyValueStoreAssociations": {"Quantity": 1, "Items": [{"KeyValueStoreARN": nobody}]}},
        config
        | {
            "KeyValueStoreAssociations": {
                "Quantity": 2,
                "Items": [{"KeyValueStoreARN": arn}, {"KeyValueStoreARN": nobody}],
            }
        },
    ]:
        with refused("InvalidArgument", 400):
            aws.create_function(Name="reads", FunctionConfig=wrong, FunctionCode=code)
    made = aws.create_function(Name="reads", FunctionConfig=config, FunctionCode=code)
    aws.publish_function(Name="reads", IfMatch=made["ETag"])
    site = distribution("reads", origin.port)
    site["DefaultCacheBehavior"]["FunctionAssociations"] = {
        "Quantity": 1,
        "Items": [{"EventType": "viewer-request", "FunctionARN": f"{ARN}:function/reads"}],
    }
    host = aws.create_distribution(DistributionConfig=site)["Distribution"]["DomainName"]
    same(get("/a", host)[::2], (404, "nothing"))
    etag = kvs.describe_key_value_store(KvsARN=arn)["ETag"]
    # Each write is seen by the next request, and nothing is deployed.
    for value in ["one", "two", "three"]:
        etag = kvs.put_key(KvsARN=arn, Key="a", Value=value, IfMatch=etag)["ETag"]
        same(get("/a", host)[::2], (200, value))
    etag = kvs.update_keys(KvsARN=arn, IfMatch=etag, Puts=[{"Key": "b", "Value": "four"}], Deletes=[{"Key": "a"}])[
        "ETag"
    ]
    same([get("/a", host)[0], get("/b", host)[2]], [404, "four"])
    with refused("CannotDeleteEntityWhileInUse", 409):
        aws.delete_key_value_store(Name="routes", IfMatch=aws.describe_key_value_store(Name="routes")["ETag"])
    filled = aws.describe_key_value_store(Name="filled")
    same(status(aws.delete_key_value_store(Name="filled", IfMatch=filled["ETag"])), 204)
    with refused("ResourceNotFoundException", 404):
        kvs.list_keys(KvsARN=filled["KeyValueStore"]["ARN"])


run(functions, tested, associated, listed, stores, data, writers_at_the_same_time, keys_in_functions)
