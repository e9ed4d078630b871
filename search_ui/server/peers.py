"""Which user of this machine a connection over the loopback comes from, as the system tells (Linux)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_TABLES: Final = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ESTABLISHED: Final = "01"


def is_own_connection(client_port: int, server_port: int) -> bool:
    """Whether the client's end of a connection of this machine belongs to our user, or to root.

    Where the system keeps no such table the answer is True. Lines of /proc/net/tcp: number, local address, remote
    address, state, queues, timer, retransmissions, uid (Linux, Documentation/networking/proc_net_tcp.rst).
    """
    tables = [table for table in _TABLES if table.exists()]
    if not tables:
        return True
    owners: set[int] = set()
    for table in tables:
        for line in table.read_text(encoding="ascii").splitlines()[1:]:
            _, local, remote, state, _, _, _, uid, *_ = line.split()
            if state == _ESTABLISHED and _port(local) == client_port and _port(remote) == server_port:
                owners.add(int(uid))
    # All of them: other addresses of the loopback may use the same two ports.
    return bool(owners) and owners <= {os.geteuid(), 0}


def _port(address: str) -> int:
    return int(address.rsplit(":", 1)[1], 16)
