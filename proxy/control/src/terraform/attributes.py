"""Prints attributes.tsv from what `terraform providers schema -json` says on standard input."""

import json
import sys

RESOURCES = """
aws_cloudfront_cache_policy aws_cloudfront_continuous_deployment_policy aws_cloudfront_distribution aws_cloudfront_function
aws_cloudfront_key_group aws_cloudfront_key_value_store aws_cloudfront_origin_access_control
aws_cloudfront_origin_request_policy aws_cloudfront_public_key aws_cloudfront_response_headers_policy aws_iam_role
aws_lambda_function
""".split()


def walk(path, block):
    for name, attribute in sorted(block.get("attributes", {}).items()):
        if attribute.get("computed") and not attribute.get("optional"):
            continue
        kind = attribute["type"]
        kind = kind if isinstance(kind, str) else json.dumps(kind)
        print(f"{path}.{name}", kind, *["required"] * attribute.get("required", False), sep="\t")
    for name, inner in sorted(block.get("block_types", {}).items()):
        if name != "timeouts":
            print(f"{path}.{name}", f"block {inner['nesting_mode']}", *["required"] * bool(inner.get("min_items")), sep="\t")
            walk(f"{path}.{name}", inner["block"])


schemas = json.load(sys.stdin)["provider_schemas"]["registry.terraform.io/hashicorp/aws"]["resource_schemas"]
for resource in RESOURCES:
    walk(resource, schemas[resource]["block"])
