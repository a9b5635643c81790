"""Ports for servers that are started later, in another process."""

import contextlib
import random
import socket


def unused_ports(count: int) -> list[int]:
    """Returns ports of this machine that nobody uses.

    Below those that the system itself gives to others, such as the tests that run at the same time.
    """
    ports = []
    for port in random.SystemRandom().sample(range(12_000, 32_000), 1000):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            ports.append(port)
        if len(ports) == count:
            break
    return ports
