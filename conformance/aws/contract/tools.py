"""One project as a tool left it on disk, deployed to a node, again, and changed (CP-285, CP-287, CP-288).

The argument names a folder of `proxy/control/import/tests/data`: the Serverless Framework's service file and its package, a
template of SAM's and the transformed one, two assemblies of the CDK. None of these tools talks to a node: what they would
send to CloudFormation is read from their files. Deployed once more without a change nothing is made (CP-364), which by the
API is CP-067.
"""

import base64
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

from support import ADMIN, client, fault, get, run, same, zipped

aws, aws_lambda = client("cloudfront"), client("lambda")
TOOL = sys.argv[1]
DATA = pathlib.Path(__file__).parents[3] / "proxy" / "control" / "import" / "tests" / "data"
PROJECT = pathlib.Path(os.environ["FOURFRONT_DIR"]) / "project"
ZIP = "edgesvc.zip"


def program(*words):
    done = subprocess.run(
        [os.environ["FOURFRONT_PROGRAM"], *words, "--node", f"http://{ADMIN}"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done


def laid_out():
    """The files as the tool leaves them, and what to deploy."""
    shutil.copytree(DATA / TOOL.split("/")[0], PROJECT)
    if TOOL == "packaged":
        # Beside a service file, where `serverless package` writes it.
        (PROJECT / ".serverless").mkdir()
        for file in list(PROJECT.glob("*.*")):
            if file.is_file():
                file.rename(PROJECT / ".serverless" / file.name)
        return ".serverless"
    if TOOL == "sam/transformed.json":
        # As after `sam package`: the code lies in a bucket, which is a folder of the node's (CP-075).
        return "transformed.json"
    return "."


def code(answer):
    """Has the function of the project answer this, the way the tool would have built it."""
    text = f"exports.handler = async () => ({{ status: '200', body: '{answer}' }});\n"
    for path in PROJECT.rglob("handler.js"):
        path.write_text(text)
    packages = [*PROJECT.rglob(ZIP)]
    if TOOL == "sam/transformed.json":
        packages = [PROJECT.parent / "bucket" / ZIP]
    for path in packages:
        bytes = zipped(handler__js=text)
        path.write_bytes(bytes)
        # The package says what the code hashes to.
        hashed = base64.b64encode(hashlib.sha256(bytes).digest()).decode()
        for template in PROJECT.rglob("cloudformation-template-update-stack.json"):
            said = re.sub(r'"CodeSha256": "[^"]*"', f'"CodeSha256": "{hashed}"', template.read_text())
            template.write_text(said)


def deployed(path, answer):
    """Deploys it: the release, and all that the API tells of what was made."""
    done = program("deploy", path)
    functions = aws_lambda.list_functions()["Functions"]
    same(len(functions), 1)
    name = functions[0]["FunctionName"]
    [item] = aws.list_distributions()["DistributionList"]["Items"]
    found = aws.get_distribution(Id=item["Id"])
    same(get("/", item["DomainName"])[::2], (200, answer), TOOL)
    told = {
        "release": done.stdout.strip(),
        "function": aws_lambda.get_function_configuration(FunctionName=name)["RevisionId"],
        "versions": [v["Version"] for v in aws_lambda.list_versions_by_function(FunctionName=name)["Versions"]],
        "distribution": found["ETag"],
        "associated": [
            a["LambdaFunctionARN"].rsplit(":", 1)[1]
            for a in found["Distribution"]["DistributionConfig"]["DefaultCacheBehavior"]["LambdaFunctionAssociations"][
                "Items"
            ]
        ],
    }
    return told, done, name


def project():
    # CP-285, CP-287, CP-288, CP-364, CP-067
    path = laid_out()
    code("one")
    first, _, name = deployed(path, "one")
    same((first["versions"], first["associated"]), (["$LATEST", "1"], ["1"]))
    again, done, _ = deployed(path, "one")
    same(again, first, "deployed again without a change")
    if "nothing changed" not in done.stderr:
        fault(done.stderr)
    planned = program("deploy", path, "--dry-run").stdout
    for word in ["create ", "change "]:
        if word in planned:
            fault(f"a plan without a change says {word!r}:\n{planned}")
    # The API finds the same version as well.
    same(aws_lambda.publish_version(FunctionName=name)["Version"], "1")
    code("two")
    second, _, _ = deployed(path, "two")
    same((second["versions"], second["associated"]), (["$LATEST", "1", "2"], ["2"]))
    assert second["release"] != first["release"]
    again, _, _ = deployed(path, "two")
    same(again, second)


run(project)
