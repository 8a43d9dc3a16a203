"""Whatever may change something leaves one entry in the audit log, done or refused, and nothing else leaves any.

Operations and routes come on standard input, as the node's own tables have them; requests are those that botocore was seen
to send (proxy/control/aws/tests/vectors).
"""

import hashlib
import json

import support
from requests_seen import aws, known, made, path_of, send
from support import Origin, distribution, fault, run, same

FIRST = support._session.get_credentials()


def log(limit=1000):
    status, _, body = send("GET", f"/_fourfront/v1/audit?limit={limit}", "fourfront", FIRST)
    same(status, 200, body)
    return json.loads(body)["items"]


def news(since):
    """What came to the log, oldest first, and the number to go on from."""
    found = [entry for entry in reversed(log(50)) if entry["number"] > since]
    return found, found[-1]["number"] if found else since


def numbers():
    entries = log(1)
    return entries[0]["number"] if entries else 0


def every_operation():
    # CP-433: with the first key, and with one that may only read
    reader = made("key")
    for key, name_of in [(FIRST, "admin"), (reader, "read")]:
        last, entered = numbers(), 0
        for service, name, _, changes in known["operations"]:
            status, _, body = aws(service, name, key)
            found, last = news(last)
            told = [(e["operation"], e["key"], e["outcome"] == "ok") for e in found]
            wanted = [(f"{service}:{name}", key.access_key, status < 300)] if changes else []
            if told != wanted:
                fault(f"{name_of} {service}:{name}: {status} {body}: {found}")
            if any(e["source"] != "127.0.0.1" for e in found):
                fault(f"{name}: from where? {found}")
            entered += len(found)
            if name_of == "read" and any(not e["outcome"].startswith("AccessDenied") for e in found):
                fault(f"{name}: it is denied, and told as {found}")
            if name_of == "read" and entered >= 60:
                break  # So many of a key are told in a minute.
        assert entered >= 60, entered


def every_route():
    # CP-433, CP-620
    last, entered = numbers(), 0
    for method, template, _, changes in known["routes"]:
        path = path_of(template)
        if path == "logs":
            continue  # It goes on for as long as somebody listens.
        status, _, body = send(method, f"/_fourfront/v1/{path}", "fourfront", FIRST)
        found, last = news(last)
        told = [(e["operation"], e["key"], e["outcome"] == "ok") for e in found]
        wanted = [(f"fourfront:{method} {template}", FIRST.access_key, status < 300)] if changes else []
        if told != wanted:
            fault(f"{method} {template}: {status} {body}: {found}")
        entered += len(found)
    assert entered > 10, entered


def what_was_done():
    # CP-433: revisions before and after; a purge and an artifact, which are no documents; nothing that was sent
    cloudfront, store = support.client("cloudfront"), "secret-value"
    last = numbers()
    config = distribution("audited", Origin().port, Comment=store)
    made_one = cloudfront.create_distribution(DistributionConfig=config)
    id, etag = made_one["Distribution"]["Id"], made_one["ETag"]
    config["Comment"] = store + "2"
    told = cloudfront.get_distribution_config(Id=id)["DistributionConfig"]
    told["Comment"] = store + "2"
    cloudfront.update_distribution(Id=id, IfMatch=etag, DistributionConfig=told)
    with support.refused("PreconditionFailed", 412):
        cloudfront.update_distribution(Id=id, IfMatch=etag, DistributionConfig=told)
    batch = {"CallerReference": "r", "Paths": {"Quantity": 1, "Items": ["/*"]}}
    cloudfront.create_invalidation(DistributionId=id, InvalidationBatch=batch)
    purge = json.dumps({"distribution": id, "paths": ["/" + store]})
    status, _, body = send("POST", "/_fourfront/v1/purge", "fourfront", FIRST, body=purge)
    same(status, 201, body)
    sum = hashlib.sha256(store.encode()).hexdigest()
    status, _, body = send("PUT", f"/_fourfront/v1/artifacts/sha256/{sum}", "fourfront", FIRST, body=store)
    same(status, 201, body)
    found, _ = news(last)
    same(
        [(e["operation"], e["resource"], e["outcome"]) for e in found],
        [
            ("cloudfront:CreateDistribution", "", "ok"),
            ("cloudfront:UpdateDistribution", id, "ok"),
            ("cloudfront:UpdateDistribution", id, "PreconditionFailed"),
            ("cloudfront:CreateInvalidation", id, "ok"),
            ("fourfront:POST purge", id, "ok"),
            ("fourfront:PUT artifacts/sha256/{hex}", sum, "ok"),
        ],
    )
    created, updated, refused = [e["changes"] for e in found[:3]]
    same([(c["kind"], c["id"], c["before"]) for c in created], [("distribution", id, None)])
    same(updated[0]["before"], created[0]["after"], "revisions go on from one to the next")
    same(refused, [], "what is refused changes nothing")
    text = json.dumps(log())
    if store in text or FIRST.secret_key in text:
        fault(f"what was sent is told: {text}")


run(every_operation, every_route, what_was_done)
