"""Keys of sites as SST's component writes them (CP-289): what is there is listed, what differs goes out by UpdateKeys in
batches of fifty, and a conflict is tried again after a pause. Several sites share a store, each below a name of its own.
"""

import concurrent.futures
import itertools
import random
import time

from support import ACCOUNT, Origin, client, distribution, fault, get, refused, run, same

aws, kvs = client("cloudfront"), client("cloudfront-keyvaluestore")
origin = Origin()
BATCH = 50
ROUTER = b"""import cf from 'cloudfront';
    async function handler(event) {
        const [, site, ...rest] = event.request.uri.split('/');
        const key = site + ':' + rest.join('/');
        const has = await cf.kvs().exists(key);
        return { statusCode: has ? 200 : 404, body: has ? await cf.kvs().get(key) : 'nothing' };
    }"""


class Written:
    """What came of an update."""

    def __init__(self):
        self.batches, self.conflicts = 0, 0


def present(arn, site):
    """The keys of a site that are in the store."""
    pages = kvs.get_paginator("list_keys").paginate(KvsARN=arn, PaginationConfig={"PageSize": BATCH})
    items = [item for page in pages for item in page["Items"]]
    return {i["Key"]: i["Value"] for i in items if i["Key"].startswith(f"{site}:")}


def synchronize(arn, site, entries, purge=True):
    """Makes the keys of a site be these."""
    wanted = {f"{site}:{name}": value for name, value in entries.items()}
    found = present(arn, site)
    changes = [("Puts", {"Key": k, "Value": v}) for k, v in wanted.items() if found.get(k) != v]
    if purge:
        changes += [("Deletes", {"Key": k}) for k in found if k not in wanted]
    written = Written()
    for start in range(0, len(changes), BATCH):
        batch = {"Puts": [], "Deletes": []}
        for kind, change in changes[start : start + BATCH]:
            batch[kind].append(change)
        write(arn, batch, written)
    return written


def write(arn, batch, written):
    """One batch, as often as it takes."""
    for attempt in itertools.count():
        etag = kvs.describe_key_value_store(KvsARN=arn)["ETag"]
        try:
            kvs.update_keys(KvsARN=arn, IfMatch=etag, **batch)
            written.batches += 1
            return
        except kvs.exceptions.ConflictException:
            written.conflicts += 1
            assert attempt < 100, "it never comes to it"
            # As its client does it: longer each time, and not all at once.
            time.sleep(random.uniform(0, min(0.5, 0.01 * 2**attempt)))


def assets(site, version, count):
    return {f"assets/{n:03}.js": f"{site} {version} {n}" for n in range(count)}


state = {}


def one_site_is_written_changed_and_purged():
    # CP-289, CP-202: 230 keys are five batches, and what did not change is not written again
    arn = state["arn"] = aws.create_key_value_store(Name="sites")["KeyValueStore"]["ARN"]
    same(synchronize(arn, "one", assets("one", 1, 230)).batches, 5)
    same(len(present(arn, "one")), 230)
    etag = kvs.describe_key_value_store(KvsARN=arn)["ETag"]
    same(synchronize(arn, "one", assets("one", 1, 230)).batches, 0)
    same(kvs.describe_key_value_store(KvsARN=arn)["ETag"], etag, "a second run writes nothing")
    # Ten of them change, sixty go.
    changed = assets("one", 1, 170) | assets("one", 2, 10)
    same(synchronize(arn, "one", changed).batches, 2)
    same(present(arn, "one"), {f"one:{name}": value for name, value in changed.items()})
    told = kvs.describe_key_value_store(KvsARN=arn)
    same(told["ItemCount"], 170)
    same(told["TotalSizeInBytes"], sum(len(f"one:{k}") + len(v) for k, v in changed.items()))
    # What is kept without a purge.
    same(synchronize(arn, "one", {"index.html": "home"}, purge=False).batches, 1)
    same(len(present(arn, "one")), 171)
    # One more than a batch holds is refused whole.
    with refused("ValidationException", 400):
        puts = [{"Key": f"more-{n}", "Value": "x"} for n in range(BATCH + 1)]
        kvs.update_keys(KvsARN=arn, IfMatch=kvs.describe_key_value_store(KvsARN=arn)["ETag"], Puts=puts)
    same(kvs.describe_key_value_store(KvsARN=arn)["ItemCount"], 171)


def sites_are_deployed_at_the_same_time():
    # CP-289, CP-042, CP-203: they get into each other's way, and all come to their end
    arn, sites = state["arn"], ["two", "three", "four", "five"]
    with concurrent.futures.ThreadPoolExecutor(len(sites)) as pool:
        done = list(pool.map(lambda site: synchronize(arn, site, assets(site, 1, 120)), sites))
    same([written.batches for written in done], [3] * len(sites))
    print(f"{sum(written.conflicts for written in done)} conflicts in {3 * len(sites)} batches")
    for site in sites:
        same(present(arn, site), {f"{site}:{k}": v for k, v in assets(site, 1, 120).items()}, site)
    same(len(present(arn, "one")), 171, "and nobody else's are touched")
    # A conflict is told at once: clients have a pause of their own.
    stale = kvs.describe_key_value_store(KvsARN=arn)["ETag"]
    kvs.put_key(KvsARN=arn, Key="other", Value="1", IfMatch=stale)
    began = time.monotonic()
    with refused("ConflictException", 409):
        kvs.update_keys(KvsARN=arn, IfMatch=stale, Puts=[{"Key": "late", "Value": "1"}])
    if time.monotonic() - began > 1:
        fault("a conflict takes its time")


def what_was_written_is_served():
    # CP-204, CP-289: each deploy of a site is seen by the next request, and no function is published for it
    arn = state["arn"]
    config = {
        "Comment": "",
        "Runtime": "cloudfront-js-2.0",
        "KeyValueStoreAssociations": {"Quantity": 1, "Items": [{"KeyValueStoreARN": arn}]},
    }
    made = aws.create_function(Name="router", FunctionConfig=config, FunctionCode=ROUTER)
    aws.publish_function(Name="router", IfMatch=made["ETag"])
    site = distribution("router", origin.port)
    site["DefaultCacheBehavior"]["FunctionAssociations"] = {
        "Quantity": 1,
        "Items": [{"EventType": "viewer-request", "FunctionARN": f"arn:aws:cloudfront::{ACCOUNT}:function/router"}],
    }
    host = aws.create_distribution(DistributionConfig=site)["Distribution"]["DomainName"]
    same(get("/two/assets/007.js", host)[::2], (200, "two 1 7"))
    synchronize(arn, "two", assets("two", 2, 60))
    same(get("/two/assets/007.js", host)[::2], (200, "two 2 7"))
    same(get("/two/assets/100.js", host)[0], 404)
    same(get("/three/assets/100.js", host)[2], "three 1 100")
    etag = aws.describe_key_value_store(Name="sites")["ETag"]
    updated = aws.update_key_value_store(Name="sites", Comment="of many", IfMatch=etag)
    # The state that a tool keeps has the management ETag, which keys leave alone (CP-273).
    synchronize(arn, "two", {})
    same(aws.describe_key_value_store(Name="sites")["ETag"], updated["ETag"])


run(one_site_is_written_changed_and_purged, sites_are_deployed_at_the_same_time, what_was_written_is_served)
