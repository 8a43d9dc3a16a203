#!/usr/bin/env python3
"""Captures what botocore writes and reads, as vectors for the tests of fourfront-aws. For development alone.

    python3 conformance/aws/capture.py

Requests: for every operation of tiers M and S an input is made up from the model, once with every member and once with
the required ones, and botocore writes the request. Answers: outputs are made up the same way, the crate writes the
answer (through its example `answer`), and botocore has to read from it what went in; answers that it reads are stored.
Both become JSON lines under proxy/control/aws/tests/vectors. `cargo test` needs them and no Python.

The operations and the botocore to install are those of proxy/control/aws/generate.py.
"""

import base64
import datetime
import importlib.util
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CRATE = ROOT / "proxy" / "control" / "aws"
VECTORS = CRATE / "tests" / "vectors"

spec = importlib.util.spec_from_file_location("generate", CRATE / "generate.py")
generate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generate)
generate.__file__ = __file__

# Values for patterns that made-up text does not match. The first that is part of the shape's name counts.
TEXTS = [
    ("KeyValueStoreARN", "arn:aws:cloudfront::000000000000:key-value-store/8e1a4c5e-0000-4000-8000-000000000001"),
    ("FunctionARN", "arn:aws:cloudfront::000000000000:function/rewrite"),
    ("ResourceARN", "arn:aws:cloudfront::000000000000:distribution/E1ABCDEFGHIJK"),
    ("KvsARN", "arn:aws:cloudfront::000000000000:key-value-store/8e1a4c5e-0000-4000-8000-000000000001"),
    ("LambdaFunctionARN", "arn:aws:lambda:us-east-1:000000000000:function:edge:1"),
    ("OriginShieldRegion", "us-east-1"),
    ("CodeSigningConfigArn", "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0"),
    ("CapacityProviderArn", "arn:aws:lambda:us-east-1:000000000000:capacity-provider:one"),
    ("FileSystemArn", "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0"),
    ("LocalMountPath", "/mnt/data"),
    ("LayerVersionArn", "arn:aws:lambda:us-east-1:000000000000:layer:one:1"),
    ("RoleArn", "arn:aws:iam::000000000000:role/edge"),
    ("KMSKeyArn", "arn:aws:kms:us-east-1:000000000000:key/1"),
    ("FunctionArn", "arn:aws:lambda:us-east-1:000000000000:function:edge"),
    ("TaggableResource", "arn:aws:lambda:us-east-1:000000000000:function:edge"),
    ("TagsErrorCode", "ServiceException"),
    ("FunctionRuntimeArn", "arn:aws:lambda:us-east-1:000000000000:runtime/one"),
    ("RuntimeVersionArn", "arn:aws:lambda:us-east-1::runtime:one"),
    ("DurableExecutionArn", "arn:aws:lambda:us-east-1:000000000000:function:edge:1/durable-execution/a/b"),
    ("MasterRegion", "us-east-1"),
    ("SourceOwner", "000000000000"),
    ("PrincipalOrgID", "o-0123456789"),
    ("Principal", "edgelambda.amazonaws.com"),
    ("Action", "lambda:GetFunction"),
    ("pathType", "/"),
    ("PathType", "/"),
    ("Version", "1"),
    ("Qualifier", "1"),
    ("VpcId", "vpc-1"),
    ("SubnetId", "subnet-0a"),
    ("SecurityGroupId", "sg-0a"),
    ("AccountId", "000000000000"),
    ("accountId", "000000000000"),
    ("ArnList", "arn:aws:iam::000000000000:policy/one"),
    ("arnType", "arn:aws:iam::000000000000:policy/one"),
    ("Arn", "arn:aws:sqs:us-east-1:000000000000:one"),
    ("ARN", "arn:aws:cloudfront::000000000000:distribution/E1ABCDEFGHIJK"),
]
PLAIN = ["a/b <&> \"c\" '\u00e9'", "edge", "1", "edge-1"]
MOMENT = datetime.datetime(2026, 11, 22, 23, 58, 11, 990000, tzinfo=datetime.timezone.utc)


class Maker:
    """Makes up values of shapes. Those of the service's own model, not of botocore's classes: they carry the patterns."""

    def __init__(self, model):
        self.model = model
        self.count = 0

    def value(self, name, full, depth=0, plain=False):
        shape = self.model["shapes"][name]
        kind = shape["type"]
        if kind == "structure":
            required = shape.get("required", [])
            made = {}
            for member, inner in shape["members"].items():
                if member in required or (full and depth < 9):
                    simple = plain or inner.get("location") in ("header", "uri")
                    made[member] = self.value(inner["shape"], full, depth + 1, simple)
            if "Quantity" in made and isinstance(made["Quantity"], int):
                made["Quantity"] = len(made.get("Items", []))
            return made
        if kind == "list":
            return [self.value(shape["member"]["shape"], full, depth + 1) for _ in range(max(1, shape.get("min", 0)))]
        if kind == "map":
            return {self.value(shape["key"]["shape"], full, depth + 1): self.value(shape["value"]["shape"], full, depth + 1)}
        if kind == "string":
            return self.text(name, shape, plain)
        if kind in ("integer", "long"):
            self.count += 1
            return max(shape.get("min", 0), min(shape.get("max", 1 << 40), self.count % 50))
        return {
            "boolean": True,
            "double": max(shape.get("min", 0), 0.15) * 1.0,
            "float": 0.125,
            "timestamp": MOMENT,
            "blob": b"function handler(event) { return '\xc3\xa9' }\n",
        }[kind]

    def text(self, name, shape, plain):
        if "enum" in shape:
            return shape["enum"][0]
        fits = [text for part, text in TEXTS if part in name]
        for text in fits + (PLAIN[1:] if plain else PLAIN):
            text = text[: shape.get("max", 1 << 20)]
            text = text + "x" * (shape.get("min", 0) - len(text))
            if self.matches(shape, text):
                return text
        sys.exit(f"no text for {name}: {shape}")

    @staticmethod
    def matches(shape, text):
        import re

        if "pattern" not in shape:
            return True
        pattern = shape["pattern"].replace(r"\p{L}\p{Z}\p{N}", "a-zA-Z0-9 ").replace(r"\u10000-\u10FFFF", "")
        return re.fullmatch(pattern, text, re.S) is not None


def shown(value):
    """A value of botocore's in the crate's JSON."""
    if isinstance(value, dict):
        return {key: shown(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shown(inner) for inner in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime.datetime):
        utc = value.astimezone(datetime.timezone.utc)
        return utc.strftime("%Y-%m-%dT%H:%M:%S.") + f"{utc.microsecond // 1000:03}Z"
    return value


def requests(module, name, version, service, model, operations):
    from botocore.awsrequest import prepare_request_dict
    from botocore.awsrequest import create_request_object
    from botocore.serialize import create_serializer
    from botocore.validate import ParamValidator

    serializer = create_serializer(service.metadata["protocol"], include_validation=False)
    maker = Maker(model)
    for operation in operations:
        modelled = service.operation_model(operation)
        for full in (True, False):
            given = model["operations"][operation].get("input")
            value = maker.value(given["shape"], full) if given else {}
            report = ParamValidator().validate(value, modelled.input_shape) if given else None
            assert not (report and report.has_errors()), (operation, report.generate_report())
            written = serializer.serialize_to_request(value, modelled)
            prepare_request_dict(written, endpoint_url="http://127.0.0.1:9400")
            request = create_request_object(written).prepare()
            path, _, query = request.url.removeprefix("http://127.0.0.1:9400").partition("?")
            body = request.body or b""
            body = body.read() if isinstance(body, io.IOBase) else body
            body = body.encode() if isinstance(body, str) else body
            headers = {key: text(value) for key, value in request.headers.items() if key != "Content-Length"}
            expected = shown(value)
            yield {
                "service": name,
                "operation": operation,
                "method": request.method,
                "path": path,
                "query": query,
                "headers": headers,
                "body": base64.b64encode(body).decode() if raw(body) else body.decode(),
                "raw": raw(body),
                "input": expected,
            }


def raw(body):
    try:
        body.decode()
        return False
    except UnicodeDecodeError:
        return True


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def answers(module, name, version, service, model, operations):
    """Outputs, and what botocore is to read from their answers."""
    maker = Maker(model)
    for operation in operations:
        result = model["operations"][operation].get("output")
        for full in (True, False):
            value = maker.value(result["shape"], full) if result else {}
            payload = result and model["shapes"][result["shape"]].get("payload")
            if payload and payload not in value:
                value[payload] = maker.value(model["shapes"][result["shape"]]["members"][payload]["shape"], full)
            for key in list(value):
                member = model["shapes"][result["shape"]]["members"][key]
                if member.get("location") == "statusCode":
                    del value[key]
            yield {"service": name, "operation": operation, "output": shown(value)}


def parse(service, vector):
    from botocore.awsrequest import HeadersDict
    from botocore.parsers import create_parser

    modelled = service.operation_model(vector["operation"])
    parser = create_parser(service.metadata["protocol"])
    body = base64.b64decode(vector["body"])
    answer = {"headers": HeadersDict(vector["headers"]), "status_code": vector["status"], "body": body}
    streamed = modelled.output_shape is not None and modelled.get_streaming_output() is not None
    if streamed:
        answer["body"] = io.BytesIO(body)
    found = parser.parse(answer, modelled.output_shape)
    found.pop("ResponseMetadata", None)
    found.pop("StatusCode", None)
    if vector["operation"] == "GetFunction" and "ContentType" not in vector["output"]:
        # The media type that answers have when nobody stored one.
        assert found.pop("ContentType", "application/octet-stream") == "application/octet-stream"
    return {key: value.read() if isinstance(value, io.BytesIO) else value for key, value in found.items()}


def main():
    try:
        import botocore

        found = botocore.__version__
    except ImportError:
        found = None
    if found != generate.PINNED:
        generate.restart()
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    VECTORS.mkdir(parents=True, exist_ok=True)
    asked, outputs, services = [], [], {}
    for row in generate.SERVICES:
        module, _, name, version, must, should = row
        model = generate.load(name, version)
        service = ServiceModel(Loader().load_service_model(name, "service-2", version), name)
        services[name] = service
        operations = sorted(must + should)
        asked += requests(module, name, version, service, model, operations)
        outputs += answers(module, name, version, service, model, operations)
    write("requests.jsonl", asked)
    command = ["cargo", "run", "--quiet", "--locked", "-p", "fourfront-aws", "--example", "answer"]
    lines = "".join(json.dumps(row) + "\n" for row in outputs)
    done = subprocess.run(command, cwd=ROOT, input=lines, text=True, capture_output=True)
    if done.returncode:
        sys.exit(done.stderr)
    answered = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answered) == len(outputs)
    wrong = 0
    for vector in answered:
        read = shown(parse(services[vector["service"]], vector))
        if read != vector["output"]:
            wrong += 1
            print(vector["service"], vector["operation"], "\n  read", read, "\n  not ", vector["output"], file=sys.stderr)
        body = base64.b64decode(vector["body"])
        vector["raw"] = raw(body)
        if not vector["raw"]:
            vector["body"] = body.decode()
    if wrong:
        sys.exit(f"{wrong} of {len(answered)} answers are read otherwise than they were meant")
    write("answers.jsonl", answered)
    print(f"{len(asked)} requests, {len(answered)} answers")


def write(name, rows):
    lines = (json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows)
    (VECTORS / name).write_text("".join(lines))


if __name__ == "__main__":
    main()
