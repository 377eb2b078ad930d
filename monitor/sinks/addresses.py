"""Which addresses a sink may connect to: names are resolved once, checked, and the checked address is the one used.

A URL that a person typed, or a name whose owner changes its records, must not become a way into the private network.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

Address = IPv4Address | IPv6Address
#: what `socket.getaddrinfo` is
Resolve = Callable[..., list[tuple[Any, ...]]]
#: NAT64: the IPv4 address stands in the last 32 bits and decides
_NAT64 = "64:ff9b::"


class ForbiddenAddress(Exception):
    """The name leads to an address that is not allowed."""


def resolved(host: str, port: int, resolve: Resolve = socket.getaddrinfo) -> list[Address]:
    """All addresses of a name, in the order in which they are to be tried. Raises OSError when there is none."""
    found = resolve(host, port, type=socket.SOCK_STREAM)
    # a scope (fe80::1%eth0) is only in link-local addresses
    return list(dict.fromkeys(ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))


def is_global(address: Address) -> bool:
    """Whether the address is of the public internet, also when it is wrapped in another."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or _nat64(address)
        if inner is not None:
            return is_global(inner)
        if address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast


def checked(host: str, port: int, *, allow_private: bool, resolve: Resolve = socket.getaddrinfo) -> list[Address]:
    """The addresses of a name. Raises OSError when there is none, ForbiddenAddress when one of them is private.

    One private address among public ones is refused too: the next try could land there.
    """
    addresses = resolved(host, port, resolve)
    if not allow_private:
        for address in addresses:
            if not is_global(address):
                raise ForbiddenAddress(f"{host} leads to {address}, which is not a public address")
    return addresses


def _nat64(address: IPv6Address) -> IPv4Address | None:
    if address.packed[:12] == IPv6Address(_NAT64).packed[:12]:
        return IPv4Address(address.packed[12:])
    return None
