"""Calls of the service in service.py, by way of a node; says "well" when all went well.

    client.py PORT ROOTS
"""

import sys
import threading

import grpc

PORT, ROOTS = sys.argv[1:]
LARGE = 10 * 1024 * 1024


def channel(*options):
    """A connection to the node, as viewer.test."""
    with open(ROOTS, "rb") as roots:
        credentials = grpc.ssl_channel_credentials(roots.read())
    options = [
        ("grpc.ssl_target_name_override", "viewer.test"),
        ("grpc.max_receive_message_length", -1),
        ("grpc.max_send_message_length", -1),
        *options,
    ]
    return grpc.secure_channel(f"127.0.0.1:{PORT}", credentials, options)


def method(made, name):
    """A method of the service, whose messages are bytes."""
    return made(f"/test.Service/{name}")


def unary(to):
    call = method(to.unary_unary, "Echo").with_call
    answer, call = call(b"hello", metadata=(("x-metadata", "mine"),), timeout=30)
    assert answer == b"hello", answer
    initial, trailing = dict(call.initial_metadata()), dict(call.trailing_metadata())
    assert initial["x-initial"] == "mine", initial
    assert initial["x-cache"].startswith("Miss"), initial
    assert (trailing["x-trailing"], trailing["x-bytes-bin"]) == ("sent", b"\x00\x01\xff"), trailing
    assert call.code() == grpc.StatusCode.OK


def compressed(to):
    """The messages are compressed by the ends, and the node looks at none of them."""
    answer = method(to.unary_unary, "Echo")(b"a" * 100_000, compression=grpc.Compression.Gzip, timeout=30)
    assert answer == b"a" * 100_000


def large(to):
    message = bytes(range(256)) * (LARGE // 256)
    assert method(to.unary_unary, "Echo")(message, timeout=60) == message


def server_streaming(to):
    answers = list(method(to.unary_stream, "Counts")(b"1000", timeout=60))
    assert answers == [str(n).encode() for n in range(1000)], len(answers)


def client_streaming(to):
    answer = method(to.stream_unary, "Sums")((b"x" * 1000 for _ in range(1000)), timeout=60)
    assert answer == b"1000000", answer


def bidirectional(to):
    """Each message is sent once the answer to the one before is there."""
    answered = threading.Semaphore(1)

    def asks():
        for n in range(100):
            answered.acquire()
            yield str(n).encode()

    got = []
    for answer in method(to.stream_stream, "Talks")(asks(), timeout=60):
        got.append(answer)
        answered.release()
    assert got == [b"re: %d" % n for n in range(100)], got


def deadlines(to):
    left = float(method(to.unary_unary, "Deadline")(b"", timeout=20))
    # The library rounds up what it sends.
    assert 10 < left < 21, left
    waiting = method(to.unary_unary, "Waits").future(b"", timeout=3)
    assert method(to.unary_unary, "IsWaiting")(b"", timeout=60) == b"yes"
    assert waiting.exception().code() == grpc.StatusCode.DEADLINE_EXCEEDED, waiting
    assert method(to.unary_unary, "WasCancelled")(b"", timeout=60) == b"yes"


def cancels(to):
    waiting = method(to.unary_unary, "Waits").future(b"")
    endless = method(to.unary_stream, "Endless")(b"")
    assert next(endless).endswith(b"0")
    assert method(to.unary_unary, "IsWaiting")(b"", timeout=60) == b"yes"
    waiting.cancel()
    endless.cancel()
    for _ in range(2):
        assert method(to.unary_unary, "WasCancelled")(b"", timeout=60) == b"yes"


def errors(to):
    try:
        method(to.unary_unary, "Fails")(b"x", timeout=30)
        raise AssertionError("it answered")
    except grpc.RpcError as e:
        assert e.code() == grpc.StatusCode.NOT_FOUND, e
        assert e.details() == "nothing of that name: \u00e4", e
        assert dict(e.trailing_metadata())["grpc-status-details-bin"] == b"\x08\x05details of x"
    try:
        method(to.unary_unary, "Unknown")(b"x", timeout=30)
        raise AssertionError("it answered")
    except grpc.RpcError as e:
        assert e.code() == grpc.StatusCode.UNIMPLEMENTED, e


def many(to):
    """A thousand calls on one connection, fifty at a time."""
    echo = method(to.unary_unary, "Echo")
    for begin in range(0, 1000, 50):
        calls = [(n, echo.future(b"%d" % n, timeout=60)) for n in range(begin, begin + 50)]
        for n, call in calls:
            assert call.result() == b"%d" % n


def main():
    with channel() as to:
        for test in [
            unary, compressed, large, server_streaming, client_streaming, bidirectional, deadlines, cancels, errors,
            many,
        ]:
            test(to)
    print("well")


if __name__ == "__main__":
    main()
