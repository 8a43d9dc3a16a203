"""A service with a method of each kind, for scenarios of gRPC. Messages are bytes as they are.

    service.py CERTIFICATE KEY

prints its port, and serves until its standard input ends.
"""

import sys
import threading
from concurrent import futures

import grpc

MANY = 1_000


def echo(request, context):
    """One message, and metadata both ways."""
    metadata = dict(context.invocation_metadata())
    context.send_initial_metadata((("x-initial", metadata.get("x-metadata", "none")),))
    context.set_trailing_metadata((("x-trailing", "sent"), ("x-bytes-bin", b"\x00\x01\xff")))
    return request


def deadline(_, context):
    """How much time there is, as it came here."""
    return f"{context.time_remaining():.3f}".encode()


def fails(request, context):
    """A status with details of its own."""
    context.set_trailing_metadata((("grpc-status-details-bin", b"\x08\x05details of " + request),))
    context.abort(grpc.StatusCode.NOT_FOUND, "nothing of that name: \u00e4")


WAITING = threading.Semaphore(0)
CANCELLED = threading.Semaphore(0)


def waits(_, context):
    """Answers when nobody wants it any more."""
    done = threading.Event()
    context.add_callback(lambda: (CANCELLED.release(), done.set()))
    WAITING.release()
    done.wait(60)
    return b"late"


def is_waiting(_, __):
    """Whether a call waits."""
    return b"yes" if WAITING.acquire(timeout=30) else b"no"


def was_cancelled(_, __):
    """Whether a call that waits was cancelled."""
    return b"yes" if CANCELLED.acquire(timeout=30) else b"no"


def counts(request, _):
    """As many messages as are asked for."""
    for n in range(int(request)):
        yield str(n).encode()


def sums(requests, _):
    """The length of all messages."""
    return str(sum(len(r) for r in requests)).encode()


def talks(requests, _):
    """An answer to each message before the next one comes."""
    for request in requests:
        yield b"re: " + request


def endless(_, context):
    """Messages until it is cancelled."""
    n = 0
    context.add_callback(CANCELLED.release)
    while context.is_active():
        yield b"x" * 10_000 + str(n).encode()
        n += 1


def main():
    certificate, key = sys.argv[1:]
    one, stream, upload, both = (
        grpc.unary_unary_rpc_method_handler,
        grpc.unary_stream_rpc_method_handler,
        grpc.stream_unary_rpc_method_handler,
        grpc.stream_stream_rpc_method_handler,
    )
    methods = {
        "Echo": one(echo),
        "Deadline": one(deadline),
        "Fails": one(fails),
        "Waits": one(waits),
        "IsWaiting": one(is_waiting),
        "WasCancelled": one(was_cancelled),
        "Counts": stream(counts),
        "Endless": stream(endless),
        "Sums": upload(sums),
        "Talks": both(talks),
    }
    unlimited = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=32), options=unlimited)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Service", methods),))
    with open(key, "rb") as k, open(certificate, "rb") as c:
        credentials = grpc.ssl_server_credentials(((k.read(), c.read()),))
    print(server.add_secure_port("127.0.0.1:0", credentials), flush=True)
    server.start()
    sys.stdin.read()
    server.stop(0)


if __name__ == "__main__":
    main()
