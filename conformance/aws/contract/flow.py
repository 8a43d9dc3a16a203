"""What a person does with the AWS CLI, as `aws` in a terminal: acceptance D1 of the control plane (CP-250..258)."""

import configparser
import json
import os
import pathlib
import subprocess
import time

import witness
from support import (
    ACCOUNT,
    ADMIN,
    ROLE,
    Origin,
    distribution,
    fault,
    get,
    handler,
    run,
    same,
    zipped,
)

origin = Origin()
HERE = pathlib.Path(os.environ["FOURFRONT_DIR"])
HOST = "localhost:" + ADMIN.rsplit(":", 1)[1]
# The CLI loads `witness.py` as a plugin of it.
PLUGIN = "[plugins]\nwitness = witness\n"
(HERE / "aws-config").write_text(PLUGIN)
ENVIRONMENT = os.environ | {
    "AWS_CONFIG_FILE": str(HERE / "aws-config"),
    "PYTHONPATH": os.pathsep.join([os.path.dirname(witness.__file__), os.environ["PYTHONPATH"]]),
    "AWS_ENDPOINT_URL": f"http://{ADMIN}",
    "AWS_ENDPOINT_URL_CLOUDFRONT_KEYVALUESTORE": f"http://{HOST}",
    "AWS_MAX_ATTEMPTS": "1",
}


def aws(line, *more, fails=False, environment=ENVIRONMENT):
    """Runs `aws` with these words and further arguments; what it prints, read as JSON if there is anything."""
    done = subprocess.run(["aws", *line.split(), *more], cwd=HERE, env=environment, capture_output=True, text=True)
    if fails:
        assert done.returncode != 0, f"aws {line}: {done.stdout}"
        return done.stderr
    assert done.returncode == 0, f"aws {line}: {done.stderr}"
    return json.loads(done.stdout) if done.stdout.strip() else None


def write(name, value):
    path = HERE / name
    path.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
    return f"file://{name}"


def wait(line, *more):
    """A waiter: it asks once, and ends in under two seconds beside what the program takes to start."""
    before = len(witness.seen())
    began = time.monotonic()
    aws(line, *more)
    took = time.monotonic() - began
    same(len(witness.seen()) - before, 1, f"aws {line}: how often it asks")
    if took - state["start"] >= 2:
        fault(f"aws {line} takes {took:.1f} s, and any command takes {state['start']:.1f} s")


state = {}


def function_is_made_and_associated():
    began = time.monotonic()
    same(aws("sts get-caller-identity")["Account"], ACCOUNT)
    state["start"] = time.monotonic() - began
    write(
        "one.zip",
        zipped(index__js=handler("response.headers['x-hook'] = [{ key: 'X-Hook', value: 'one' }]; return response;")),
    )
    write(
        "two.zip",
        zipped(index__js=handler("response.headers['x-hook'] = [{ key: 'X-Hook', value: 'two' }]; return response;")),
    )
    create = "lambda create-function --function-name edge --runtime nodejs22.x --handler index.handler --zip-file fileb://one.zip"
    # CP-250: made and published by one call; publishing it again gives that version.
    made = aws(create, "--publish", "--role", ROLE)
    same((made["State"], made["Version"]), ("Active", "1"))
    wait("lambda wait function-active-v2 --function-name edge")
    wait("lambda wait published-version-active --function-name edge --qualifier 1")
    first = aws("lambda publish-version --function-name edge")["FunctionArn"]
    same(first, f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:edge:1")
    config = distribution("flow", origin.port)
    made = aws("cloudfront create-distribution --distribution-config", write("site.json", config))
    state.update(id=made["Distribution"]["Id"], host=made["Distribution"]["DomainName"], first=first)
    status, headers, body = get("/page", state["host"])
    same((status, headers.get("x-hook"), body), (200, None, "1 /page"))
    read = aws("cloudfront get-distribution-config --id", state["id"])
    associate(read, first)
    wait("cloudfront wait distribution-deployed --id", state["id"])
    same(get("/page", state["host"])[1].get("x-hook"), "one")


def associate(read, arn):
    """As one does by hand: the configuration that was read, edited, and put with its ETag."""
    config = read["DistributionConfig"]
    config["DefaultCacheBehavior"]["LambdaFunctionAssociations"] = {
        "Quantity": 1,
        "Items": [{"LambdaFunctionARN": arn, "EventType": "viewer-response", "IncludeBody": False}],
    }
    update = f"cloudfront update-distribution --id {state['id']} --if-match {read['ETag']} --distribution-config"
    return aws(update, write("site.json", config))


def code_is_updated_and_rolled_back():
    aws("lambda update-function-code --function-name edge --zip-file fileb://two.zip")
    wait("lambda wait function-updated-v2 --function-name edge")
    second = aws("lambda publish-version --function-name edge")["FunctionArn"]
    same(get("/page", state["host"])[1].get("x-hook"), "one", "nothing is served that is not associated")
    updated = associate(aws("cloudfront get-distribution-config --id", state["id"]), second)
    same(get("/page", state["host"])[1].get("x-hook"), "two")
    back = {"ETag": updated["ETag"], "DistributionConfig": updated["Distribution"]["DistributionConfig"]}
    associate(back, state["first"])
    same(get("/page", state["host"])[1].get("x-hook"), "one")
    # With an ETag that is no longer the one.
    stale = f"cloudfront update-distribution --id {state['id']} --if-match {back['ETag']} --distribution-config file://site.json"
    assert "PreconditionFailed" in aws(stale, fails=True)


def objects_are_invalidated():
    same(get("/page", state["host"])[2], "1 /page", "from the cache")
    made = aws(f"cloudfront create-invalidation --distribution-id {state['id']} --paths /page /other/*")
    id = made["Invalidation"]["Id"]
    wait(f"cloudfront wait invalidation-completed --distribution-id {state['id']} --id {id}")
    same(get("/page", state["host"])[2], "2 /page")


def conveniences_of_the_cli():
    # CP-254, CP-255: it reads, changes and writes by itself
    updated = aws(f"cloudfront update-distribution --id {state['id']} --default-root-object page")
    same(updated["Distribution"]["DistributionConfig"]["DefaultRootObject"], "page")
    same(get("/", state["host"])[1].get("x-hook"), "one")
    made = aws("cloudfront create-distribution --origin-domain-name app.example.test --default-root-object index.html")
    same(
        made["Distribution"]["DistributionConfig"]["Origins"]["Items"][0]["CustomOriginConfig"]["OriginProtocolPolicy"],
        "http-only",
    )


def a_profile_names_the_node():
    # CP-259: a section of services in the place of the environment, or the endpoint of one service alone
    keys = configparser.ConfigParser()
    keys.read(os.environ["AWS_SHARED_CREDENTIALS_FILE"])
    services = "".join(f"{name} =\n  endpoint_url = http://{ADMIN}\n" for name in ["cloudfront", "lambda", "sts"])
    secrets = "".join(f"{name} = {value}\n" for name, value in keys["default"].items())
    (HERE / "aws-config").write_text(
        f"{PLUGIN}[profile node]\nregion = eu-central-1\nservices = node\n{secrets}[services node]\n{services}"
    )
    bare = {name: value for name, value in ENVIRONMENT.items() if not name.startswith("AWS_ENDPOINT_URL")}
    same(aws("--profile node sts get-caller-identity", environment=bare)["Account"], ACCOUNT)
    functions = aws("--profile node lambda list-functions", environment=bare)["Functions"]
    same([f["FunctionName"] for f in functions], ["edge"])
    own = bare | {"AWS_ENDPOINT_URL_LAMBDA": f"http://{ADMIN}"}
    same(len(aws("lambda list-functions", environment=own)["Functions"]), 1)


def edge_function_reads_a_store():
    store = aws("cloudfront create-key-value-store --name routes")["KeyValueStore"]["ARN"]
    code = b"""import cf from 'cloudfront';
        async function handler(event) {
            const to = await cf.kvs().get(event.request.uri.slice(1));
            return { statusCode: 302, headers: { location: { value: to } } };
        }"""
    write("redirects.js", code)
    config = write(
        "function.json",
        {
            "Comment": "",
            "Runtime": "cloudfront-js-2.0",
            "KeyValueStoreAssociations": {"Quantity": 1, "Items": [{"KeyValueStoreARN": store}]},
        },
    )
    made = aws(
        f"cloudfront create-function --name redirects --function-code fileb://redirects.js --function-config {config}"
    )
    arn = made["FunctionSummary"]["FunctionMetadata"]["FunctionARN"]
    etag = aws("cloudfront-keyvaluestore describe-key-value-store --kvs-arn", store)["ETag"]
    etag = aws(f"cloudfront-keyvaluestore put-key --key go --value /there --if-match {etag} --kvs-arn", store)["ETag"]
    write(
        "event.json",
        {
            "version": "1.0",
            "context": {"eventType": "viewer-request"},
            "viewer": {"ip": "198.51.100.1"},
            "request": {"method": "GET", "uri": "/go", "querystring": {}, "headers": {}, "cookies": {}},
        },
    )
    test = f"cloudfront test-function --name redirects --if-match {made['ETag']} --event-object fileb://event.json"
    output = json.loads(aws(test)["TestResult"]["FunctionOutput"])
    same(output["response"]["headers"]["location"]["value"], "/there")
    aws(f"cloudfront publish-function --name redirects --if-match {made['ETag']}")
    site = distribution("redirects", origin.port)
    site["DefaultCacheBehavior"]["FunctionAssociations"] = {
        "Quantity": 1,
        "Items": [{"FunctionARN": arn, "EventType": "viewer-request"}],
    }
    host = aws("cloudfront create-distribution --distribution-config", write("redirects.json", site))["Distribution"][
        "DomainName"
    ]
    same(get("/go", host)[1]["location"], "/there")
    aws(f"cloudfront-keyvaluestore put-key --key go --value /elsewhere --if-match {etag} --kvs-arn", store)
    same(get("/go", host)[1]["location"], "/elsewhere", "and nothing was deployed")


run(
    function_is_made_and_associated,
    code_is_updated_and_rolled_back,
    objects_are_invalidated,
    conveniences_of_the_cli,
    a_profile_names_the_node,
    edge_function_reads_a_store,
)
