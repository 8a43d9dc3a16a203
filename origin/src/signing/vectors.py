"""Prints `vectors.in`: what botocore's signer for S3 makes of requests without a body. Needs `pip install botocore`."""

import datetime

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

TARGETS = [
    "/", "/test.txt", "/photos/2013/may.jpg?versionId=3&acl", "/a%20b/c%2Bd", "/caf%C3%A9%20%281%29.png", "/~user/x%21y%2Az",
    "/list?prefix=J&max-keys=2", "/q?b=2&a=1&A=3", "/q?empty=&none", "/a//b/../c", "/q?x=%2F%20y",
]
KEYS = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")


class Frozen(datetime.datetime):
    @classmethod
    def utcnow(cls):
        return cls(2013, 5, 24)

    @classmethod
    def now(cls, tz=None):
        return cls(2013, 5, 24, tzinfo=tz)


class Signer(botocore.auth.S3SigV4Auth):
    def _should_sha256_sign_payload(self, request):
        return True


def main():
    botocore.auth.datetime = type("module", (), {"datetime": Frozen, "timezone": datetime.timezone})
    if hasattr(botocore.auth, "get_current_datetime"):
        botocore.auth.get_current_datetime = lambda *_, **__: datetime.datetime(2013, 5, 24)
    print("&[")
    for target in TARGETS:
        request = AWSRequest("GET", "https://examplebucket.s3.amazonaws.com" + target, data=b"")
        Signer(KEYS, "s3", "us-east-1").add_auth(request)
        signature = request.headers["Authorization"].rsplit("Signature=", 1)[1]
        assert request.headers["X-Amz-Date"] == "20130524T000000Z", request.headers["X-Amz-Date"]
        print(f'    ("{target}", "{signature}"),')
    print("]")


if __name__ == "__main__":
    main()
