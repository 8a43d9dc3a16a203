"""Holds answers against the shapes of botocore's models, to the letter (CP-025, CP-026, CP-027, CP-030, CP-031, CP-032).

botocore itself takes what it knows and passes over the rest: a misspelt element, a member that has to be there and is
not, a number that is a text. A client with a stricter parser than Python's would stumble over these.
"""

import base64
import json
import re
import uuid
from email.utils import parsedate_to_datetime
from xml.etree import ElementTree

# Elements that a test itself gave to a distribution, as an SDK to come may (CP-023).
NOVELTIES = set()

SPACES = {
    "cloudfront": "http://cloudfront.amazonaws.com/doc/2020-05-31/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
}
# Members that the model requires and that AWS leaves out: of a function without a code signing configuration nothing is told.
ABSENT = {("GetFunctionCodeSigningConfigResponse", name) for name in ["FunctionName", "CodeSigningConfigArn"]}
# CP-040
ETAG = re.compile(r"E[A-Z0-9]{13}")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
MOMENT_OF_LAMBDA = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000")
# An answer without a body: what it says is its status.
EMPTY = b""


def faults(operation, status, headers, body):
    """What is wrong with an answer; `body` is no bytes where the client reads it as a stream."""
    check = _Check(operation)
    headers = {name.lower(): value for name, value in headers.items()}
    check.common(headers)
    if status >= 300:
        check.error(status, headers, body)
    else:
        check.success(status, headers, body)
    return check.found


class _Check:
    def __init__(self, operation):
        self.operation = operation
        self.service = operation.service_model
        self.protocol = self.service.metadata["protocol"]
        self.space = SPACES.get(self.service.service_name)
        self.found = []

    def say(self, at, text):
        self.found.append(f"{at}: {text}")

    def common(self, headers):
        """CP-011"""
        try:
            uuid.UUID(headers["x-amzn-requestid"])
            parsedate_to_datetime(headers["date"])
        except (KeyError, ValueError) as e:
            self.say("headers", f"{e!r}")

    # --- errors

    def error(self, status, headers, body):
        if self.protocol in ("rest-xml", "query"):
            self.media_type(headers, "text/xml")
            root = self.document(body, "ErrorResponse")
            if root is None:
                return
            self.children(root, ["Error", "RequestId"])
            error = {self.name(e): e.text or "" for e in root[0]} if len(root) else {}
            self.same("the members of Error", list(error), ["Type", "Code", "Message"])
            self.same("Type", error.get("Type"), "Sender" if status < 500 else "Receiver")
            self.same("RequestId", root[-1].text, headers.get("x-amzn-requestid"))
            self.declared(error.get("Code", ""), status)
            return
        if self.protocol == "rest-json":
            self.media_type(headers, "application/json")
            told = self.json(body)
            code = headers.get("x-amzn-errortype", "")
            self.declared(code, status)
            plain = code in ("ValidationException", "AccessDeniedException", "RequestEntityTooLargeException")
            wanted = {"message", "Message"} | (set() if plain else {"Type"})
            self.same("the members of the error", set(told), wanted)
            self.same("both spellings of the message", told.get("message"), told.get("Message"))
            if not plain:
                self.same("Type", told.get("Type"), "User" if status < 500 else "Service")

    def declared(self, code, status):
        """A code has the status that the model gives it, whichever operation answers with it."""
        for name in self.service.shape_names:
            shape = self.service.shape_for(name)
            if getattr(shape, "metadata", {}).get("exception") and (shape.error_code or name) == code:
                self.same(
                    f"the status of {code}", status, shape.metadata.get("error", {}).get("httpStatusCode", status)
                )
                return

    # --- what went well

    def success(self, status, headers, body):
        output = self.operation.output_shape
        members = dict(output.members) if output else {}
        statuses = [n for n, m in members.items() if m.serialization.get("location") == "statusCode"]
        if not statuses:
            self.same("the status", status, self.operation.http.get("responseCode", 200))
        for name, member in list(members.items()):
            place = member.serialization.get("location")
            if place is None:
                continue
            del members[name]
            if place == "header":
                wire = member.serialization.get("name", name).lower()
                if wire in headers:
                    self.text(name, member, headers[wire], is_header=True)
                elif name in output.required_members:
                    self.say(name, "the header is not there")
        if headers.get("location", "http").split(":")[0] != "http":
            self.say("Location", headers["location"])
        if not isinstance(body, bytes):
            return
        payload = output.serialization.get("payload") if output else None
        if payload and members[payload].type_name in ("blob", "string"):
            return
        if self.protocol == "query":
            self.media_type(headers, "text/xml")
            root = self.document(body, f"{self.operation.name}Response")
            wrapper = output.serialization.get("resultWrapper") if output else None
            if root is not None:
                self.children(root, [name for name in [wrapper, "ResponseMetadata"] if name])
                if wrapper and len(root):
                    self.element(wrapper, output, root[0])
        elif not members:
            self.same("the body", (body, headers.get("content-type")), (EMPTY, None))
        elif self.protocol == "rest-xml":
            self.media_type(headers, "text/xml")
            shape = members[payload] if payload else output
            root = self.document(body, shape.name)
            if root is not None:
                self.element(shape.name, shape, root)
        else:
            self.media_type(
                headers, "application/json" if self.protocol == "rest-json" else "application/x-amz-json-1.1"
            )
            self.value(output.name, output, self.json(body), set(members))

    def media_type(self, headers, wanted):
        self.same("Content-Type", headers.get("content-type"), wanted)

    def same(self, at, found, wanted):
        if found != wanted:
            self.say(at, f"found {found!r}, wanted {wanted!r}")

    # --- XML

    def document(self, body, name):
        if not body.startswith(b'<?xml version="1.0"?>\n<'):
            self.say("the body", f"has no XML declaration: {body[:60]!r}")
        try:
            root = ElementTree.fromstring(body)
        except ElementTree.ParseError as e:
            self.say("the body", str(e))
            return None
        # With a namespace of its own for everything, and no prefixes.
        if f'xmlns="{self.space}"'.encode() not in body.split(b">", 2)[1]:
            self.say("the root", "does not set the default namespace")
        self.same("the root", self.name(root), name)
        return root

    def name(self, element):
        space, _, name = element.tag.rpartition("}")
        if space != "{" + self.space:
            self.say(name, f"is in the namespace {space!r}")
        return name

    def children(self, element, wanted):
        self.same(f"the children of {self.name(element)}", [self.name(e) for e in element], wanted)

    def element(self, at, shape, element):
        if element.attrib:
            self.say(at, f"has attributes: {element.attrib}")
        if len(element) and (element.text or "").strip():
            self.say(at, f"has text beside its elements: {element.text!r}")
        if shape.type_name == "structure":
            return self.structure(at, shape, element)
        if shape.type_name == "list":
            return self.list(at, shape, list(element))
        if shape.type_name == "map":
            return self.say(at, "is a map, which no answer in XML has")
        if len(element):
            self.say(at, "has children")
        self.text(at, shape, element.text or "")

    def structure(self, at, shape, element):
        known = {m.serialization.get("name", n): (n, m) for n, m in shape.members.items()}
        order, met = list(known), []
        for child in element:
            name = self.name(child)
            if name not in known:
                if name not in NOVELTIES:
                    self.say(at, f"has an element {name} that the model does not have")
                continue
            met.append(name)
            self.element(f"{at}.{name}", known[name][1], child)
        # Also that none comes twice.
        self.same(f"{at}: the order of elements", met, sorted(set(met), key=order.index))
        quantity, items = element.find("{*}Quantity"), element.find("{*}Items")
        # CP-022: Items may be absent when Quantity is 0, also where the model requires them.
        none = {"Items"} if quantity is not None and quantity.text == "0" else set()
        self.required(at, shape, {known[name][0] for name in met} | none)
        if quantity is not None and "Items" in known:
            self.same(f"{at}.Quantity", quantity.text, str(0 if items is None else len(items)))

    def required(self, at, shape, met):
        for name in shape.required_members:
            in_body = "location" not in shape.members[name].serialization
            if in_body and name not in met and (shape.name, name) not in ABSENT:
                self.say(at, f"has no {name}")

    def list(self, at, shape, elements):
        if shape.serialization.get("flattened"):
            return self.say(at, "is flattened, which no list of these answers is")
        wanted = shape.member.serialization.get("name", "member")
        for number, child in enumerate(elements):
            self.same(f"{at}[{number}]", self.name(child), wanted)
            self.element(f"{at}[{number}]", shape.member, child)
        self.length(at, shape, len(elements))

    # --- JSON

    def json(self, body):
        def once(pairs):
            names = [name for name, _ in pairs]
            if len(names) != len(set(names)):
                self.say("the body", f"has a member twice: {names}")
            return dict(pairs)

        try:
            return json.loads(body, object_pairs_hook=once)
        except ValueError as e:
            self.say("the body", f"{e}: {body[:60]!r}")
            return {}

    def value(self, at, shape, value, members=None):
        kind = shape.type_name
        if kind == "structure":
            if not isinstance(value, dict):
                return self.say(at, f"is no object: {value!r}")
            known = {m.serialization.get("name", n): (n, m) for n, m in shape.members.items()}
            for name, inner in value.items():
                if name not in known or (members is not None and known[name][0] not in members):
                    self.say(at, f"has a member {name} that the model does not have")
                elif inner is None:
                    self.say(f"{at}.{name}", "is null")
                else:
                    self.value(f"{at}.{name}", known[name][1], inner)
            return self.required(at, shape, {known[name][0] for name in value if name in known})
        if kind == "list":
            if not isinstance(value, list):
                return self.say(at, f"is no array: {value!r}")
            for number, inner in enumerate(value):
                self.value(f"{at}[{number}]", shape.member, inner)
            return self.length(at, shape, len(value))
        if kind == "map":
            if not isinstance(value, dict):
                return self.say(at, f"is no object: {value!r}")
            for name, inner in value.items():
                self.text(f"{at}: {name}", shape.key, name)
                self.value(f"{at}.{name}", shape.value, inner)
            return self.length(at, shape, len(value))
        wanted = {
            "boolean": bool,
            "integer": int,
            "long": int,
            "double": (int, float),
            "float": (int, float),
            "timestamp": (int, float),
        }.get(kind, str)
        if not isinstance(value, wanted) or (wanted is not bool and isinstance(value, bool)):
            return self.say(at, f"is no {kind}: {value!r}")
        if kind == "timestamp":
            # Seconds since 1970, and not milliseconds.
            if not 1e9 < value < 1e10:
                self.say(at, f"is no moment: {value!r}")
        elif kind in ("string", "blob"):
            self.text(at, shape, value)
        elif kind != "boolean":
            self.range(at, shape, value)

    # --- both

    def text(self, at, shape, text, is_header=False):
        """A scalar as it is written in XML or in a header, and a text wherever."""
        kind = shape.type_name
        pattern = {
            "boolean": "true|false",
            "integer": r"-?\d+",
            "long": r"-?\d+",
            "float": r"-?\d+(\.\d+)?",
            "double": r"-?\d+(\.\d+)?",
        }.get(kind)
        if pattern:
            if not re.fullmatch(pattern, text):
                return self.say(at, f"is no {kind}: {text!r}")
            if kind != "boolean":
                self.range(at, shape, float(text))
        elif kind == "timestamp":
            if not MOMENT.fullmatch(text):
                self.say(at, f"is no moment: {text!r}")
        elif kind == "blob":
            try:
                base64.b64decode(text, validate=True)
            except ValueError as e:
                self.say(at, f"is not base64: {e}")
        else:
            if at.endswith("LastModified") and not MOMENT_OF_LAMBDA.fullmatch(text):
                self.say(at, f"is no moment: {text!r}")
            if is_header and at == "ETag" and not ETAG.fullmatch(text):
                self.say(at, f"is no ETag: {text!r}")
            values = shape.metadata.get("enum")
            if values and text not in values:
                self.say(at, f"{text!r} is none of {values}")
            self.length(at, shape, len(text))
            pattern = shape.metadata.get("pattern")
            # Python's expressions are not those of the models; what it cannot read is not judged.
            if pattern and "\\p" not in pattern and not re.fullmatch(pattern, text, re.DOTALL):
                self.say(at, f"{text!r} does not match {pattern}")

    def range(self, at, shape, value):
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        if (least is not None and value < least) or (most is not None and value > most):
            self.say(at, f"{value} is not within {least}..{most}")

    def length(self, at, shape, length):
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        if (least is not None and length < least) or (most is not None and length > most):
            self.say(at, f"its length {length} is not within {least}..{most}")
