#!/usr/bin/env python3
"""Makes vectors.json: URLs and cookies signed by the signers that CloudFront's users have.

    pip install botocore cryptography && npm install && ./generate.py

The keys are new each time; the private ones are kept nowhere. Needs the network for the two lines above alone, and the
tests that read vectors.json need none of this.
"""

import datetime
import json
import pathlib
import subprocess

import botocore
from botocore.signers import CloudFrontSigner
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

HERE = pathlib.Path(__file__).parent
# Where the clock of a scenario stands: 2026-03-03T09:00:00Z.
NOW = 1_772_528_400
HOUR = 3_600
SITE = "http://viewer.test"
FILE = "/private/a.txt"

KEYS = {
    # Id, and the key: those of the behaviour that the vectors are for, one that another behaviour trusts, and one that
    # nobody does.
    "rsa": ("K1RSAEXAMPLE01", rsa.generate_private_key(65_537, 2_048)),
    "ecdsa": ("K2ECDSAEXAMPLE", ec.generate_private_key(ec.SECP256R1())),
    "elsewhere": ("K3ELSEWHERE001", rsa.generate_private_key(65_537, 2_048)),
    "stranger": ("K4STRANGER0001", rsa.generate_private_key(65_537, 2_048)),
}
# What a node refuses as a key, by its file.
NOT_KEYS = {
    "rsa-1024": rsa.generate_private_key(65_537, 1_024),
    "rsa-3072": rsa.generate_private_key(65_537, 3_072),
    "rsa-4096": rsa.generate_private_key(65_537, 4_096),
    "p384": ec.generate_private_key(ec.SECP384R1()),
    "p521": ec.generate_private_key(ec.SECP521R1()),
    "k256": ec.generate_private_key(ec.SECP256K1()),
}

vectors = {}
js_calls = []


def pem(private):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return private.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def private_pem(private):
    form = serialization.PrivateFormat.PKCS8
    none = serialization.NoEncryption()
    return private.private_bytes(serialization.Encoding.PEM, form, none).decode()


def sign(private, digest):
    def signer(message):
        if isinstance(private, ec.EllipticCurvePrivateKey):
            return private.sign(message, ec.ECDSA(digest))
        return private.sign(message, padding.PKCS1v15(), digest)

    return signer


def keep(name, result, signer, hash_algorithm="SHA1"):
    """One vector: a target, or a Cookie field."""
    assert name not in vectors, name
    if isinstance(result, dict):
        cookies = "; ".join(f"{name}={value}" for name, value in result.items())
        vectors[name] = {"signer": signer, "hash": hash_algorithm, "target": FILE, "cookie": cookies}
        return
    scheme, rest = result.split("://")
    host, target = rest.split("/", 1)
    vectors[name] = {"signer": signer, "hash": hash_algorithm, "target": "/" + target}
    if (scheme, host) != ("http", "viewer.test"):
        vectors[name] |= {"scheme": scheme, "host": host}


def date(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


def boto(name, url=SITE + FILE, *, key="rsa", key_id=None, until=NOW + HOUR, policy=None, sha256=False):
    """Signs with botocore: a canned policy until then, or this custom one."""
    own_id, private = KEYS[key]
    digest = hashes.SHA256() if sha256 else hashes.SHA1()
    signer = CloudFrontSigner(key_id or own_id, sign(private, digest))
    if policy is None:
        signed = signer.generate_presigned_url(url, date_less_than=date(until))
    else:
        signed = signer.generate_presigned_url(url, policy=policy)
    # botocore leaves the choice of the hash, and saying so, to its caller.
    signed += "&Hash-Algorithm=SHA256" if sha256 else ""
    keep(name, signed, "botocore", "SHA256" if sha256 else "SHA1")


def built(resource=SITE + "/private/*", until=NOW + HOUR, **conditions):
    """A custom policy as botocore builds it."""
    signer = CloudFrontSigner("-", None)
    times = {name: date(value) for name, value in conditions.items() if name.startswith("date")}
    return signer.build_policy(resource, date(until), **(conditions | times))


def text(resource=SITE + "/private/*", *, condition=None, statement=""):
    """A custom policy as people write it."""
    if condition is None:
        condition = f'"DateLessThan":{{"AWS:EpochTime":{NOW + HOUR}}}'
    named = "" if resource is None else f'"Resource":"{resource}",'
    return f'{{"Statement":[{{{statement}{named}"Condition":{{{condition}}}}}]}}'


def js(name, *, key="rsa", sha256=False, cookies=False, until=NOW + HOUR, after=None, **options):
    """Signs with the AWS SDK for JavaScript."""
    key_id, private = KEYS[key]
    if "policy" not in options:
        options["dateLessThan"] = date(until).isoformat()
        if after is not None:
            options["dateGreaterThan"] = date(after).isoformat()
    call = {"keyPairId": key_id, "privateKey": private_pem(private), "cookies": cookies}
    call |= {"algorithm": "SHA256"} if sha256 else {}
    call |= {"url": SITE + FILE} if "policy" not in options or not cookies else {}
    js_calls.append((name, call | options, "SHA256" if sha256 else "SHA1"))


# What passes. Canned policies.
boto("canned")
boto("canned with a query", SITE + FILE + "?size=large&page=2")
boto("canned of a root", SITE + "/private/")
boto("canned sha256", sha256=True)
boto("canned ecdsa", key="ecdsa")
boto("canned ecdsa sha256", key="ecdsa", sha256=True)
js("js canned")
js("js canned sha256", sha256=True)
js("js canned ecdsa", key="ecdsa")
js("js canned ecdsa sha256", key="ecdsa", sha256=True)
js("js canned encoded", url=SITE + "/private/été 1.txt?q=a b&q=ü")
# Custom policies.
boto("custom", policy=built())
boto("custom sha256", policy=built(), sha256=True)
boto("custom ecdsa", key="ecdsa", policy=built())
boto("custom ecdsa sha256", key="ecdsa", policy=built(), sha256=True)
boto("custom with all conditions", policy=built(date_greater_than=NOW - 1, ip_address="127.0.0.0/8"))
boto("custom for one address", policy=built(ip_address="127.0.0.1"))
boto("custom of any address of IPv4", policy=built(ip_address="0.0.0.0/0"))
boto("custom with a query", SITE + FILE + "?size=large", policy=built(SITE + "/private/*?size=large"))
boto("custom with a query in CloudFront's spelling", SITE + FILE + "?size=large", policy=text(SITE + r"/private/a.txt\?size=large"))
boto("custom that covers any query", SITE + FILE + "?x=1&y=2", policy=built())
boto("custom of everything", policy=built("*"))
boto("custom of any protocol", policy=built("*://viewer.test/private/?.txt"))
boto("custom of any protocol in the old spelling", policy=built("http*://viewer.test/private/*"))
boto("custom of any host", policy=built("http://*/private/a.txt"))
boto("custom without a resource", policy=text(None))
boto("custom in other words", policy='{ "Statement" : [ { "Condition" : { "DateLessThan" : { "AWS:EpochTime" : %d } },\n"Resource" : "http:\\/\\/viewer.test\\u002fprivate\\/*" } ] }\n' % (NOW + HOUR))
js("js custom", after=NOW - HOUR, ipAddress="127.0.0.1", sha256=True)
js("js custom ecdsa", key="ecdsa", policy=text(), sha256=True)
# Cookies.
js("cookies canned", cookies=True)
js("cookies canned sha256", cookies=True, sha256=True)
js("cookies canned ecdsa", cookies=True, key="ecdsa")
js("cookies custom", cookies=True, policy=text())
js("cookies custom sha256", cookies=True, policy=text(), sha256=True)
js("cookies custom ecdsa", cookies=True, key="ecdsa", policy=text(), sha256=True)
js("cookies custom with all conditions", cookies=True, after=NOW - HOUR, ipAddress="127.0.0.0/8", url=SITE + "/private/*")

# Well signed, and not for this.
boto("expired", until=NOW)
boto("expired long ago", until=1)
boto("custom expired", policy=built(until=NOW - 1))
boto("custom not valid yet", policy=built(date_greater_than=NOW))
boto("custom not valid for an hour", policy=built(date_greater_than=NOW + HOUR, until=NOW + 2 * HOUR))
boto("custom for another address", policy=built(ip_address="192.0.2.1"))
boto("custom for another subnet", policy=built(ip_address="127.0.0.0/32"))
boto("custom for an address of IPv6", policy=text(condition=f'"DateLessThan":{{"AWS:EpochTime":{NOW + HOUR}}},"IpAddress":{{"AWS:SourceIp":"::1/128"}}'))
boto("by a stranger", key="stranger")
boto("by a stranger under a trusted id", key="stranger", key_id=KEYS["rsa"][0])
boto("by a key of another behaviour", key="elsewhere")
boto("by a key of another behaviour under a trusted id", key="elsewhere", key_id=KEYS["rsa"][0])
boto("by an ecdsa key under an rsa id", key="ecdsa", key_id=KEYS["rsa"][0])
boto("for another host", policy=built("http://other.test/private/*"))
boto("for another port", policy=built("http://viewer.test:8443/private/*"))
boto("for another protocol", policy=built("https://viewer.test/private/*"))
boto("canned for another protocol", "https://viewer.test" + FILE)
boto("canned for another host", "http://other.test" + FILE)
boto("canned with a port", "http://viewer.test:80" + FILE)
boto("for another directory", policy=built(SITE + "/public/*"))
boto("for a longer path", policy=built(SITE + "/private/?a.txt"))
boto("for another type", policy=built(SITE + "/private/*.jpg"))
boto("for another case", policy=built(SITE + "/Private/*"))
boto("for a host with a wildcard that stops", policy=built("http://*.viewer.test/private/*"))
boto("for a host without a path", policy=built("http://viewer.test"))
boto("for a path without its query", SITE + FILE + "?x=1", policy=built(SITE + FILE))
boto("for another query", SITE + FILE + "?size=large", policy=built(SITE + "/private/*?size=small"))
boto("for a query that is not there", policy=text(SITE + r"/private/a\?*"))
boto("wildcard of the path that is to reach the query", SITE + "/private/a?b.txt", policy=built(SITE + "/private/*.txt"))
boto("wildcard of the host that is to reach the path", policy=built("http://*.txt"))
boto("for a directory", policy=built(SITE + "/private/public/*"))
# Well signed, and no policy.
boto("resource without a protocol", policy=text("viewer.test/private/*"))
boto("resource of another protocol", policy=text("rtmp://viewer.test/private/*"))
boto("resource that is empty", policy=text(""))
boto("resource that is a list", policy=text().replace('"http://viewer.test/private/*"', '["http://viewer.test/private/*"]'))
boto("no end", policy=text(condition=f'"DateGreaterThan":{{"AWS:EpochTime":{NOW - HOUR}}}'))
boto("end in quotation marks", policy=text(condition=f'"DateLessThan":{{"AWS:EpochTime":"{NOW + HOUR}"}}'))
boto("end with a fraction", policy=text(condition=f'"DateLessThan":{{"AWS:EpochTime":{NOW + HOUR}.5}}'))
boto("end with an exponent", policy=text(condition='"DateLessThan":{"AWS:EpochTime":2e9}'))
boto("end beyond 64 bits", policy=text(condition='"DateLessThan":{"AWS:EpochTime":18446744073709551615}'))
boto("two ends", policy=text(condition=f'"DateLessThan":{{"AWS:EpochTime":{NOW - 1}}},"DateLessThan":{{"AWS:EpochTime":{NOW + HOUR}}}'))
boto("names in another case", policy=text().replace("DateLessThan", "datelessthan"))
boto("two statements", policy=text().replace("]}", "," + text()[len('{"Statement":['):]))
boto("no statement", policy='{"Statement":[]}')
boto("a member that no policy has", policy=text(statement='"Effect":"Allow",'))
boto("a version", policy='{"Version":"2012-10-17",' + text()[1:])
boto("two addresses", policy=text(condition=f'"DateLessThan":{{"AWS:EpochTime":{NOW + HOUR}}},"IpAddress":{{"AWS:SourceIp":["127.0.0.1","192.0.2.1"]}}'))
boto("an address that is none", policy=text(condition=f'"DateLessThan":{{"AWS:EpochTime":{NOW + HOUR}}},"IpAddress":{{"AWS:SourceIp":"127.0.0.1/33"}}'))
boto("text behind the policy", policy=text() + "{}")
boto("no policy at all", policy="not a policy")
# For other viewers than a test has: judged without a node.
boto("https canned", "https://viewer.test" + FILE + "?x=1")
boto("https custom", "https://viewer.test" + FILE, policy=built("https://viewer.test/*"))

results = subprocess.run(
    ["node", "sign.mjs"],
    cwd=HERE,
    input=json.dumps([call for _, call, _ in js_calls]),
    capture_output=True,
    check=True,
    text=True,
).stdout
for (name, _, hash_algorithm), result in zip(js_calls, json.loads(results), strict=True):
    keep(name, result, "@aws-sdk/cloudfront-signer", hash_algorithm)

sdk = json.loads((HERE / "package.json").read_text())["dependencies"]["@aws-sdk/cloudfront-signer"]
document = {
    "made_by": f"generate.py with botocore {botocore.__version__} and @aws-sdk/cloudfront-signer {sdk}",
    "now": NOW,
    "keys": {name: {"id": key_id, "pem": pem(key)} for name, (key_id, key) in KEYS.items()},
    "not_keys": {name: pem(key) for name, key in NOT_KEYS.items()},
    "signed": vectors,
}
(HERE / "vectors.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
