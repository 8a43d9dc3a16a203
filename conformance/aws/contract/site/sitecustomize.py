"""Names below `localhost` are this machine, as RFC 6761 says and as resolvers do that are not a bare `files dns`.

The clients put the account id before the host of key-value stores' data (CP-205). Python reads this file at its start.
"""

import socket

_asked = socket.getaddrinfo


def _answer(host, *args, **more):
    name = host.decode() if isinstance(host, bytes) else host
    if isinstance(name, str) and name.rstrip(".").endswith(".localhost"):
        host = "127.0.0.1"
    return _asked(host, *args, **more)


socket.getaddrinfo = _answer
