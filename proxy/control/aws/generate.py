#!/usr/bin/env python3
"""Writes src/tables/*.rs from the service models of botocore (CP-440).

    python3 proxy/control/aws/generate.py            write the tables
    python3 proxy/control/aws/generate.py --check    fail when the tables differ from the models

The models come from the pinned botocore. When the interpreter has another one, or none, the script makes
a temporary virtual environment, installs the pinned one from PyPI and starts itself again in it.

Operations of tiers M and S come whole. Of the others there is the name, and where they have one the
method and the path, so that they answer "not implemented" and not "unknown" (CP-016).
"""

import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PINNED = "1.44.5"
TABLES = Path(__file__).resolve().parent / "src" / "tables"


def family(one, many, config=True):
    """The six operations of section 3.2 of the control plane's rules."""
    names = [f"{verb}{one}" for verb in ("Create", "Get", "Update", "Delete")] + [f"List{many}"]
    return names + ([f"Get{one}Config"] if config else [])


# (module, service, model's version, tier M, tier S)
SERVICES = [
    (
        "cloudfront",
        "CloudFront",
        "cloudfront",
        "2020-05-31",
        """CreateDistribution CreateDistributionWithTags GetDistribution GetDistributionConfig UpdateDistribution
        DeleteDistribution ListDistributions CreateInvalidation GetInvalidation ListInvalidations TagResource
        UntagResource ListTagsForResource CreateFunction UpdateFunction DescribeFunction GetFunction PublishFunction
        TestFunction DeleteFunction ListFunctions CreateKeyValueStore DescribeKeyValueStore UpdateKeyValueStore
        DeleteKeyValueStore ListKeyValueStores""".split()
        + family("CachePolicy", "CachePolicies")
        + family("OriginRequestPolicy", "OriginRequestPolicies")
        + family("ResponseHeadersPolicy", "ResponseHeadersPolicies")
        + family("OriginAccessControl", "OriginAccessControls"),
        ["CopyDistribution", "UpdateDistributionWithStagingConfig"]
        + family("PublicKey", "PublicKeys")
        + family("KeyGroup", "KeyGroups")
        + family("CloudFrontOriginAccessIdentity", "CloudFrontOriginAccessIdentities")
        + family("ContinuousDeploymentPolicy", "ContinuousDeploymentPolicies"),
    ),
    (
        "lambda",
        "Lambda",
        "lambda",
        "2015-03-31",
        """CreateFunction UpdateFunctionCode UpdateFunctionConfiguration PublishVersion GetFunction
        GetFunctionConfiguration ListFunctions ListVersionsByFunction DeleteFunction Invoke AddPermission
        RemovePermission GetPolicy ListTags TagResource UntagResource GetFunctionCodeSigningConfig""".split(),
        """CreateAlias GetAlias UpdateAlias DeleteAlias ListAliases GetFunctionConcurrency PutFunctionConcurrency
        DeleteFunctionConcurrency GetAccountSettings""".split(),
    ),
    (
        "key_value_store",
        "KeyValueStore",
        "cloudfront-keyvaluestore",
        "2022-07-26",
        "DescribeKeyValueStore GetKey ListKeys PutKey DeleteKey UpdateKeys".split(),
        [],
    ),
    ("sts", "Sts", "sts", "2011-06-15", ["GetCallerIdentity"], []),
    (
        "iam",
        "Iam",
        "iam",
        "2010-05-08",
        [],
        """CreateRole GetRole UpdateAssumeRolePolicy DeleteRole TagRole UntagRole ListRoleTags PutRolePolicy
        GetRolePolicy DeleteRolePolicy ListRolePolicies AttachRolePolicy DetachRolePolicy ListAttachedRolePolicies
        ListInstanceProfilesForRole""".split(),
    ),
    (
        "logs",
        "Logs",
        "logs",
        "2014-03-28",
        [],
        """DescribeLogGroups DescribeLogStreams FilterLogEvents GetLogEvents CreateLogGroup DeleteLogGroup
        PutRetentionPolicy ListTagsForResource""".split(),
    ),
]

# Patterns that look around, which the `regex` crate cannot: what they allow, and of that what they do not.
LOOKING_AROUND = {
    "(?!^[0-9]+$)([a-zA-Z0-9-_]+)": 'Pattern::but(r"(?!^[0-9]+$)([a-zA-Z0-9-_]+)", r"[a-zA-Z0-9-_]+", r"[0-9]+")',
    r"[0-9A-Za-z\.\-_]*(?<!\.)": r'Pattern::but(r"[0-9A-Za-z\.\-_]*(?<!\.)", r"[0-9A-Za-z\.\-_]*", r".*\.")',
}

# Answer codes that the model does not tell: the rules of section 2.1.
CODES = {("lambda", "DeleteFunction"): 204}

# Lists whose pages have a largest size: (default, most). CP-044, CP-045, CP-046.
PAGES = {"cloudfront": (100, 100), "lambda": (50, 50), "cloudfront-keyvaluestore": (10, 50), "iam": (100, 1000), "logs": (50, 10000)}


def text(value):
    """A Rust string literal."""
    return json.dumps(value, ensure_ascii=False)


def raw(value):
    """A Rust raw string literal."""
    marks = "#" * (1 if '"' in value else 0)
    return f'r{marks}"{value}"{marks}'


def constant(name):
    """`DistributionConfig` to `DISTRIBUTION_CONFIG`."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return name.upper()


def option(value, shown=str):
    return "None" if value is None else f"Some({shown(value)})"


class Service:
    def __init__(self, row, model):
        self.module, self.variant, self.name, self.version, self.must, self.should = row
        self.model = model
        self.shapes = model["shapes"]
        self.used = {}
        self.patterns = {}
        for name in self.must + self.should:
            assert name in model["operations"], (self.name, name)
        self.query = model["metadata"]["protocol"] == "query"
        self.rpc = model["metadata"]["protocol"] in ("query", "json")

    def shape(self, name):
        """The name of a shape's constant; the shape is noted as used."""
        if name not in self.used:
            self.used[name] = None
            taken = {value for value in self.used.values() if value}
            fixed = constant(name)
            while fixed in taken:
                fixed += "_"
            self.used[name] = fixed
            shape = self.shapes[name]
            for member in shape.get("members", {}).values():
                self.shape(member["shape"])
            for part in ("member", "key", "value"):
                if part in shape:
                    self.shape(shape[part]["shape"])
        return self.used[name]

    def member(self, owner, name, member):
        call = "need" if name in owner.get("required", []) else "may"
        shown = f"{call}({text(name)}, &{self.shape(member['shape'])})"
        wire = member.get("locationName", name)
        place = {"uri": "Uri", "header": "Header", "querystring": "Query", "statusCode": "Status", None: "Body"}[member.get("location")]
        return shown if place == "Body" and wire == name else f"{shown}.at(Place::{place}, {text(wire)})"

    def pattern(self, value):
        return "&" + self.patterns.setdefault(value, f"P{len(self.patterns)}")

    def static(self, name):
        shape = self.shapes[name]
        kind = shape["type"]
        low, high = option(shape.get("min")), option(shape.get("max"))
        if kind == "structure":
            members = ", ".join(self.member(shape, key, value) for key, value in shape["members"].items())
            shown = f"Kind::Structure {{ payload: {option(shape.get('payload'), text)}, members: &[{members}] }}"
        elif kind == "list":
            item = shape["member"]
            flattened = "true" if shape.get("flattened") else "false"
            shown = (
                f"Kind::List {{ item: &{self.shape(item['shape'])}, element: {text(item.get('locationName', 'member'))}, "
                f"flattened: {flattened}, min: {low}, max: {high} }}"
            )
        elif kind == "map":
            shown = f"Kind::Map {{ key: &{self.shape(shape['key']['shape'])}, value: &{self.shape(shape['value']['shape'])}, min: {low}, max: {high} }}"
        elif kind == "string":
            values = ", ".join(map(text, shape.get("enum", [])))
            pattern = option(shape.get("pattern"), self.pattern)
            shown = f"Kind::Text {{ values: &[{values}], min: {low}, max: {high}, pattern: {pattern} }}"
        elif kind in ("integer", "long"):
            shown = f"Kind::Integer {{ min: {low}, max: {high} }}"
        elif kind in ("double", "float"):
            shown = "Kind::Decimal"
        else:
            shown = {"boolean": "Kind::Boolean", "timestamp": "Kind::Timestamp", "blob": "Kind::Blob"}[kind]
        return f"pub(super) static {self.used[name]}: Shape = Shape {{ name: {text(name)}, kind: {shown} }};"

    def path(self, operation):
        path, _, query = operation["http"]["requestUri"].partition("?")
        segments = []
        for segment in path.strip("/").split("/"):
            label = re.fullmatch(r"\{(\w+)\+?\}", segment)
            segments.append(f"Label({text(label[1])})" if label else f"Literal({text(segment)})")
        if path == "/":
            segments = []
        pairs = [pair.partition("=") for pair in query.split("&") if pair]
        return "&[{}]".format(", ".join(segments)), "&[{}]".format(", ".join(f"({text(k)}, {text(v)})" for k, _, v in pairs))

    def pages(self, operation):
        """How a list is cut into pages, as `Some(Pages { .. })`, or `None`."""
        if "input" not in operation or "output" not in operation or self.name not in PAGES:
            return "None"
        given = self.shapes[operation["input"]["shape"]]["members"]
        output = self.shapes[operation["output"]["shape"]]
        result = output["members"]
        if "payload" in output:
            inner = self.shapes[result[output["payload"]]["shape"]]
            result = inner["members"] if inner["type"] == "structure" else {}
        find = lambda names, where: next((name for name in names if name in where), None)
        token = find(("Marker", "NextToken", "nextToken"), given)
        limit = find(("MaxItems", "MaxResults", "limit"), given)
        following = find(("NextMarker", "NextToken", "nextToken", "nextForwardToken", "Marker"), result)
        if not (token and limit and following):
            return "None"
        default, most = PAGES[self.name]
        echo = "true" if "Marker" in result and following != "Marker" else "false"
        truncated = "true" if "IsTruncated" in result else "false"
        return (
            f"Some(Pages {{ token: {text(token)}, limit: {text(limit)}, next: {text(following)}, "
            f"echo: {echo}, truncated: {truncated}, default: {default}, most: {most} }})"
        )

    def operation(self, name):
        operation = self.model["operations"][name]
        tier = "Must" if name in self.must else "Should" if name in self.should else "Later"
        path, query = self.path(operation)
        start = f"Operation {{ service: Service::{self.variant}, name: {text(name)}, tier: Tier::{tier}, method: {text(operation['http']['method'])}, path: {path}, query: {query}"
        if tier == "Later":
            return f"    {start}, ..LATER }},"
        given, result = operation.get("input"), operation.get("output")
        root = ""
        if given:
            shape = self.shapes[given["shape"]]
            payload = shape.get("payload")
            root = shape["members"][payload].get("locationName", payload) if payload else given.get("locationName", "")
        code = CODES.get((self.name, name), operation["http"].get("responseCode", 200))
        errors = ", ".join(text(self.code(error["shape"])) for error in operation.get("errors", []))
        shown = lambda part: option(part and part["shape"], lambda shape: "&" + self.shape(shape))
        wrapper = option((result or {}).get("resultWrapper"), text)
        return (
            f"    {start}, input: {shown(given)}, root: {text(root)}, output: {shown(result)}, "
            f"wrapper: {wrapper}, code: {code}, errors: &[{errors}], pages: {self.pages(operation)} }},"
        )

    def code(self, shape):
        return self.shapes[shape].get("error", {}).get("code", shape)

    def errors(self):
        """All codes that the service's model declares, for M and S, with their status."""
        found = {}
        for name in self.must + self.should:
            for error in self.model["operations"][name].get("errors", []):
                shape = self.shapes[error["shape"]]
                fallback = 500 if shape.get("fault") else 400
                found[self.code(error["shape"])] = shape.get("error", {}).get("httpStatusCode", fallback)
        return "".join(f"    ({text(code)}, {status}),\n" for code, status in sorted(found.items()))

    def source(self):
        whole = [self.operation(name) for name in sorted(self.must + self.should)]
        later = sorted(set(self.model["operations"]) - set(self.must + self.should))
        named = [] if self.rpc else [self.operation(name) for name in later]
        statics = [self.static(name) for name in sorted(self.used)]
        parts = [f"//! {self.model['metadata']['serviceFullName']}, {self.version}. Generated: see `generate.py`.\n"]
        used = ["Kind", "Operation", "Pages", "Place", "Service", "Shape", "Tier"]
        body = "\n".join(whole + named + statics)
        used = [name for name in used if re.search(rf"\b{name}\b", body)]
        if self.patterns:
            used.append("Pattern")
        used += [name for name in ("may", "need") if re.search(rf"\b{name}\(", body)]
        if any(row.rstrip().endswith("..LATER },") for row in named):
            used.append("LATER")
        parts.append(f"use crate::model::{{{', '.join(used)}}};\n")
        segments = [name for name in ("Label", "Literal") if re.search(rf"\b{name}\(", body)]
        if segments:
            parts.append(f"use crate::model::Segment::{{{', '.join(segments)}}};\n")
        parts.append("\n/// Operations, those that are answered first.\n")
        parts.append("pub(super) static OPERATIONS: &[Operation] = &[\n" + "\n".join(whole + named) + "\n];\n")
        parts.append("\n/// Names of operations that are known and not answered, where a request names its operation.\n")
        names = ", ".join(map(text, later)) if self.rpc else ""
        parts.append(f"pub(super) static LATER_NAMES: &[&str] = &[{names}];\n")
        parts.append("\n/// Codes of errors and the status each is answered with.\n")
        parts.append("pub(super) static ERRORS: &[(&str, u16)] = &[\n" + self.errors() + "];\n\n")
        for value, name in self.patterns.items():
            parts.append(f"static {name}: Pattern = {LOOKING_AROUND.get(value) or f'Pattern::new({raw(value)})'};\n")
        parts.append("\n" + "\n".join(statics).replace("pub(super) static", "static") + "\n")
        return "".join(parts)


def load(service, version):
    import botocore

    path = Path(botocore.__file__).parent / "data" / service / version / "service-2.json"
    packed = path.with_name(path.name + ".gz")
    data = gzip.decompress(packed.read_bytes()) if packed.exists() else path.read_bytes()
    return json.loads(data)


def restart():
    """Runs this script again with the pinned botocore."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = str(Path(folder) / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "--quiet", f"botocore=={PINNED}"], check=True)
        sys.exit(subprocess.run([python, __file__, *sys.argv[1:]], env=os.environ | {"FOURFRONT_GENERATE": "1"}).returncode)


def main():
    try:
        import botocore

        found = botocore.__version__
    except ImportError:
        found = None
    if found != PINNED:
        if "FOURFRONT_GENERATE" in os.environ:
            sys.exit(f"botocore {PINNED} is needed, this is {found}")
        restart()
    differing = []
    for row in SERVICES:
        body = Service(row, load(row[2], row[3])).source()
        head = f"// Generated by generate.py from botocore {PINNED}; not for editing. sha256 of what follows: "
        source = head + hashlib.sha256(body.encode()).hexdigest() + "\n" + body
        path = TABLES / f"{row[0]}.rs"
        if "--check" in sys.argv[1:]:
            if not path.exists() or path.read_text() != source:
                differing.append(path.name)
        else:
            path.write_text(source)
    if differing:
        sys.exit("differ from the models: " + ", ".join(differing))


if __name__ == "__main__":
    main()
