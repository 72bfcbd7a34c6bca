"""What a relay writes into a reverse session before a visitor's own bytes."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Protocol

KEEPALIVE, RAW_TCP, TENANT_TLS = 0, 1, 2
_BINDING_LENGTH = 16
_PROXY_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_MAX_PROXY_BODY = 536


class OpeningError(Exception):
    """What the relay writes is no opening. Close the session, and open another."""


@dataclass(frozen=True, slots=True)
class Address:
    ip: str
    port: int


@dataclass(frozen=True, slots=True)
class Opening:
    """A visitor has come."""

    marker: int
    """``RAW_TCP`` or ``TENANT_TLS``."""
    binding: bytes | None
    """A secret of this connection, for ``signHandshake``. Never log it."""
    visitor: Address | None
    """None where it was not asked for, or the relay cannot tell."""


class ExactReader(Protocol):
    """Reads so many bytes, or raises."""

    async def readexactly(self, n: int, /) -> bytes: ...


async def read_opening(reader: ExactReader, marker: int, *, has_binding: bool, has_proxy: bool) -> Opening:
    """
    Reads what follows a marker.

    :raises OpeningError:
    """
    if marker not in (RAW_TCP, TENANT_TLS):
        raise OpeningError(f"the relay starts a session with the byte {marker}")
    binding = await reader.readexactly(_BINDING_LENGTH) if has_binding and marker == TENANT_TLS else None
    visitor = await _read_proxy_header(reader) if has_proxy else None
    return Opening(marker, binding, visitor)


async def _read_proxy_header(reader: ExactReader) -> Address | None:
    """The PROXY protocol, version 2: the source's address."""
    head = await reader.readexactly(16)
    length = int.from_bytes(head[14:16])
    if head[:12] != _PROXY_SIGNATURE or head[12] not in (0x20, 0x21) or length > _MAX_PROXY_BODY:
        raise OpeningError("the relay writes a PROXY header that is not valid")
    body = await reader.readexactly(length)
    if head[12] == 0x20:  # LOCAL: the relay cannot tell.
        return None
    size = {0x11: 4, 0x21: 16}.get(head[13])
    if size is None or length < 2 * size + 4:
        raise OpeningError("the relay writes a PROXY header that is not of TCP over IPv4 or IPv6")
    source, port = body[:size], body[2 * size : 2 * size + 2]
    return Address(str(ipaddress.ip_address(source)), int.from_bytes(port))
