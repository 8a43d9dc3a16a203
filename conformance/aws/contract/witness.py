"""What is asked of a node and what comes of it, seen in the client itself: boto3, and the AWS CLI as a plugin of it (CP-700).

Every answer is held against the shape that botocore has for it (`shapes.py`), because botocore reads more than it has to.
Operations and what came of them go to the file that FOURFRONT_SEEN names, a line each; `outcomes.tsv` says what has to be
among them.
"""

import os

import shapes

# The services whose answers are the node's own.
OWN = {"cloudfront", "cloudfront-keyvaluestore", "iam", "lambda", "logs", "sts"}


def _tell(*words):
    path = os.environ.get("FOURFRONT_SEEN")
    if not path:
        return
    # Whole at once, as the CLI's processes write here too.
    with open(path, "ab", buffering=0) as seen:
        seen.write("\t".join(words).encode() + b"\n")


def seen():
    """What was told so far, of this process and of those that it started."""
    with open(os.environ["FOURFRONT_SEEN"], encoding="utf-8") as lines:
        return lines.read().splitlines()


def _answered(operation_model, response_dict, **_):
    faults = shapes.faults(
        operation_model, response_dict["status_code"], response_dict["headers"], response_dict["body"]
    )
    for fault in faults:
        _tell("fault", operation_model.service_model.service_name, operation_model.name, fault.replace("\n", " "))


def _called(http_response, parsed, model, **_):
    failed = http_response.status_code >= 300
    _tell("seen", model.service_model.service_name, model.name, parsed["Error"]["Code"] if failed else "ok")


def watch(events):
    """Has this emitter of botocore's events tell of every call."""
    events.register("before-parse", _answered)
    events.register("after-call", _called)


# By this name the CLI asks a plugin to begin.
awscli_initialize = watch
