"""The URL of a relay, as its user gives it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from .errors import UsageError


@dataclass(frozen=True, slots=True)
class RelayUrl:
    """A relay's origin: signatures are bound to it, so it is taken from the user alone."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> RelayUrl:
        """
        Reads ``https://host[:port]``; the scheme may be left out. Plain HTTP is for the mock on this machine.

        :raises UsageError: for anything else
        """
        whole = text if "://" in text else f"https://{text}"
        try:
            parts = urlsplit(whole)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise UsageError(f"not a relay URL: {text!r}") from error
        if not host or any(ord(character) <= 0x20 or ord(character) >= 0x7F for character in whole):
            raise UsageError(f"not a relay URL: {text!r}")
        is_mock = parts.scheme == "http" and host in ("127.0.0.1", "::1", "localhost")
        if parts.scheme != "https" and not is_mock:
            raise UsageError(f"a relay URL begins with https://, not {parts.scheme}://")
        if parts.username is not None or parts.password is not None:
            raise UsageError("a relay URL carries no credentials")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise UsageError(f"a relay URL is https://host[:port] and nothing after it: {text!r}")
        return cls(parts.scheme, host, port or (443 if parts.scheme == "https" else 80))

    @property
    def authority(self) -> str:
        """The host, with its port unless that is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.scheme == "https" else 80) else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def address(self) -> str:
        """What to connect to: names under ``localhost`` are this machine, whatever the resolver says (RFC 6761)."""
        return "127.0.0.1" if self.host == "localhost" or self.host.endswith(".localhost") else self.host

    @property
    def server_name(self) -> str:
        """For SNI and for the check of the certificate."""
        return self.host

    def __str__(self) -> str:
        return self.origin


def is_address(host: str) -> bool:
    """Whether a host is an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
