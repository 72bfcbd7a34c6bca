"""Handshake messages, as bytes and as values (RFC 8446 4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeVar

T = TypeVar("T")

CLIENT_HELLO, SERVER_HELLO, ENCRYPTED_EXTENSIONS, CERTIFICATE = 1, 2, 8, 11
CERTIFICATE_VERIFY, FINISHED, KEY_UPDATE, MESSAGE_HASH = 15, 20, 24, 254
SERVER_NAME, SUPPORTED_GROUPS, SIGNATURE_ALGORITHMS, ALPN = 0, 10, 13, 16
PADDING, PRE_SHARED_KEY, EARLY_DATA, SUPPORTED_VERSIONS = 21, 41, 42, 43
COOKIE, PSK_KEY_EXCHANGE_MODES, KEY_SHARE, ENCRYPTED_CLIENT_HELLO = 44, 45, 51, 0xFE0D
TLS12, TLS13 = 0x0303, 0x0304

HELLO_RETRY_REQUEST_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


class Alert(IntEnum):
    """RFC 8446 6."""

    CLOSE_NOTIFY = 0
    UNEXPECTED_MESSAGE = 10
    BAD_RECORD_MAC = 20
    RECORD_OVERFLOW = 22
    HANDSHAKE_FAILURE = 40
    ILLEGAL_PARAMETER = 47
    DECODE_ERROR = 50
    DECRYPT_ERROR = 51
    PROTOCOL_VERSION = 70
    INTERNAL_ERROR = 80
    USER_CANCELED = 90
    MISSING_EXTENSION = 109
    UNRECOGNIZED_NAME = 112
    NO_APPLICATION_PROTOCOL = 120


class TlsError(Exception):
    """The connection cannot go on. ``alert`` tells the peer why; None when the fault is told by the peer itself."""

    def __init__(self, alert: Alert | None, message: str) -> None:
        super().__init__(message)
        self.alert = alert


class Reader:
    """Reads values from the front of some bytes; too few of them are a ``decode_error``."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        start = self._at
        self._at += count
        if self._at > len(self._data):
            raise TlsError(Alert.DECODE_ERROR, "a message is too short")
        return self._data[start : self._at]

    def uint(self, size: int) -> int:
        return int.from_bytes(self.take(size))

    def vector(self, size: int, least: int = 0) -> bytes:
        """Bytes with their length of ``size`` bytes before them."""
        content = self.take(self.uint(size))
        if len(content) < least:
            raise TlsError(Alert.DECODE_ERROR, "a vector is too short")
        return content

    @property
    def is_empty(self) -> bool:
        return self._at == len(self._data)

    def end(self) -> None:
        if not self.is_empty:
            raise TlsError(Alert.DECODE_ERROR, "something follows the end of a message")


@dataclass(frozen=True, slots=True)
class ClientHello:
    """RFC 8446 4.1.2. What its extension does not offer is None."""

    raw: bytes
    legacy_version: int
    random: bytes
    session_id: bytes
    cipher_suites: list[int]
    compression_methods: bytes
    extensions: dict[int, bytes]
    server_name: str | None
    supported_versions: list[int]
    supported_groups: list[int] | None
    signature_algorithms: list[int] | None
    key_shares: dict[int, bytes] | None
    alpn: list[bytes] | None


def parse_client_hello(message: bytes) -> ClientHello:
    """:param message: with its header"""
    reader = Reader(message[4:])
    legacy_version = reader.uint(2)
    random = reader.take(32)
    session_id = reader.vector(1)
    if len(session_id) > 32:
        raise TlsError(Alert.DECODE_ERROR, "the session id is too long")
    cipher_suites = _uint16s(reader.vector(2, 2))
    compression_methods = reader.vector(1, 1)
    extensions: dict[int, bytes] = {}
    if not reader.is_empty:
        block = Reader(reader.vector(2))
        while not block.is_empty:
            kind, content = block.uint(2), block.vector(2)
            if kind in extensions:
                raise TlsError(Alert.ILLEGAL_PARAMETER, f"the ClientHello has the extension {kind} twice")
            extensions[kind] = content
    reader.end()
    if PRE_SHARED_KEY in extensions and list(extensions)[-1] != PRE_SHARED_KEY:
        raise TlsError(Alert.ILLEGAL_PARAMETER, "pre_shared_key is not the last extension")

    def within(kind: int, parse: Callable[[Reader], T]) -> T | None:
        if kind not in extensions:
            return None
        content = Reader(extensions[kind])
        value = parse(content)
        content.end()
        return value

    return ClientHello(
        raw=message,
        legacy_version=legacy_version,
        random=random,
        session_id=session_id,
        cipher_suites=cipher_suites,
        compression_methods=compression_methods,
        extensions=extensions,
        server_name=within(SERVER_NAME, _server_name),
        supported_versions=within(SUPPORTED_VERSIONS, lambda r: _uint16s(r.vector(1, 2))) or [],
        supported_groups=within(SUPPORTED_GROUPS, lambda r: _uint16s(r.vector(2, 2))),
        signature_algorithms=within(SIGNATURE_ALGORITHMS, lambda r: _uint16s(r.vector(2, 2))),
        key_shares=within(KEY_SHARE, _key_shares),
        alpn=within(ALPN, _protocols),
    )


def _uint16s(data: bytes) -> list[int]:
    if len(data) % 2:
        raise TlsError(Alert.DECODE_ERROR, "a list of 16-bit values has an odd length")
    return [int.from_bytes(data[at : at + 2]) for at in range(0, len(data), 2)]


def _server_name(reader: Reader) -> str:
    names = Reader(reader.vector(2, 1))
    if names.uint(1) != 0:
        raise TlsError(Alert.DECODE_ERROR, "server_name has a type that is not known")
    name = names.vector(2, 1)
    names.end()
    if any(byte <= 0x20 or byte >= 0x7F for byte in name):
        raise TlsError(Alert.ILLEGAL_PARAMETER, "server_name is not a host name")
    return name.decode("ascii").lower()


def _key_shares(reader: Reader) -> dict[int, bytes]:
    shares: dict[int, bytes] = {}
    block = Reader(reader.vector(2))
    while not block.is_empty:
        group, share = block.uint(2), block.vector(2, 1)
        if group in shares:
            raise TlsError(Alert.ILLEGAL_PARAMETER, "key_share has a group twice")
        shares[group] = share
    return shares


def _protocols(reader: Reader) -> list[bytes]:
    protocols = []
    block = Reader(reader.vector(2, 2))
    while not block.is_empty:
        protocols.append(block.vector(1, 1))
    return protocols


def check_retried(first: ClientHello, second: ClientHello, group: int) -> None:
    """What a client may change after a HelloRetryRequest for ``group`` (RFC 8446 4.1.2)."""

    def need(condition: bool, why: str) -> None:
        if not condition:
            raise TlsError(Alert.ILLEGAL_PARAMETER, f"the second ClientHello {why}")

    need(
        first.legacy_version == second.legacy_version
        and first.random == second.random
        and first.session_id == second.session_id
        and first.cipher_suites == second.cipher_suites
        and first.compression_methods == second.compression_methods,
        "differs from the first",
    )
    may_change = {KEY_SHARE, EARLY_DATA, COOKIE, PRE_SHARED_KEY, PADDING, ENCRYPTED_CLIENT_HELLO}
    for kind in (first.extensions.keys() | second.extensions.keys()) - may_change:
        need(first.extensions.get(kind) == second.extensions.get(kind), f"changes the extension {kind}")
    need(list(second.key_shares or {}) == [group], "has not the one key share that it was asked for")
    need(EARLY_DATA not in second.extensions, "offers early data")
    need(COOKIE not in second.extensions, "has a cookie that it was not given")


def _vector(size: int, content: bytes) -> bytes:
    return len(content).to_bytes(size) + content


def message(kind: int, body: bytes) -> bytes:
    """A handshake message with its header."""
    return bytes([kind]) + _vector(3, body)


def _extension(kind: int, content: bytes) -> bytes:
    return kind.to_bytes(2) + _vector(2, content)


def server_hello(random: bytes, session_id: bytes, suite: int, group: int, share: bytes | None) -> bytes:
    """:param share: None for a HelloRetryRequest that asks for one of ``group``"""
    key_share = group.to_bytes(2) + (b"" if share is None else _vector(2, share))
    extensions = _extension(SUPPORTED_VERSIONS, TLS13.to_bytes(2)) + _extension(KEY_SHARE, key_share)
    start = TLS12.to_bytes(2) + random + _vector(1, session_id) + suite.to_bytes(2) + b"\0"
    return message(SERVER_HELLO, start + _vector(2, extensions))


def encrypted_extensions(alpn: bytes | None, has_server_name: bool) -> bytes:
    block = b"" if alpn is None else _extension(ALPN, _vector(2, _vector(1, alpn)))
    if has_server_name:
        block += _extension(SERVER_NAME, b"")
    return message(ENCRYPTED_EXTENSIONS, _vector(2, block))


def certificate(chain: list[bytes]) -> bytes:
    """:param chain: DER, leaf first"""
    entries = b"".join(_vector(3, each) + _vector(2, b"") for each in chain)
    return message(CERTIFICATE, _vector(1, b"") + _vector(3, entries))


def certificate_verify(scheme: int, signature: bytes) -> bytes:
    return message(CERTIFICATE_VERIFY, scheme.to_bytes(2) + _vector(2, signature))
