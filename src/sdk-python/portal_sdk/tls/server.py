"""A TLS 1.3 server without sockets: bytes go in and come out, and what happened is told by events."""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterator
from dataclasses import dataclass

from . import messages as m
from .chain import CertificateChain
from .keys import (
    AES_128,
    CHACHA20,
    CIPHER_SUITES,
    GROUPS,
    TAG_LENGTH,
    CipherSuite,
    Protection,
    Secret,
    agree,
    digest,
    handshake_secret,
    master_secret,
)
from .messages import Alert, ClientHello, TlsError

_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _APPLICATION_DATA = 20, 21, 22, 23
_CHANGE_CIPHER_SPEC_RECORD = bytes([_CHANGE_CIPHER_SPEC, 3, 3, 0, 1, 1])
_MAX_PLAINTEXT = 2**14
_MAX_CLIENT_HELLO = 16 * 1024
_MAX_EARLY_DATA = 16 * 1024
_MAX_KEY_UPDATES_IN_ROW = 32
_MAX_EMPTY_RECORDS_IN_ROW = 32


@dataclass(frozen=True, slots=True)
class SignatureNeeded:
    """Have this signed, then call ``sign``."""

    scheme: int
    transcript: bytes
    """The messages from ClientHello to Certificate, with their headers."""
    content: bytes
    """What the signature is over (RFC 8446 4.4.3)."""


@dataclass(frozen=True, slots=True)
class HandshakeDone:
    """The client has proven that it has the keys."""

    alpn: bytes | None


@dataclass(frozen=True, slots=True)
class ApplicationData:
    data: bytes


@dataclass(frozen=True, slots=True)
class CloseNotify:
    """The client sends nothing more. It may still receive."""


Event = SignatureNeeded | HandshakeDone | ApplicationData | CloseNotify


class TlsServer:
    """
    One connection. ``receive`` takes bytes of the client and gives events; ``take_output`` gives what is to be sent.
    Every method raises ``TlsError`` when the connection cannot go on: send ``take_output`` then, which has the alert.
    """

    def __init__(
        self, chain: CertificateChain, *, server_name: str | None = None, alpn: tuple[bytes, ...] = ()
    ) -> None:
        """
        :param server_name: the one that is served; any, if it is None
        :param alpn: protocols, most preferred first; a client that offers none of them is refused
        """
        self._chain = chain
        self._server_name = server_name
        self._protocols = alpn
        self._input = bytearray()
        self._output = bytearray()
        self._message = bytearray()
        """The beginning of a handshake message."""
        self._retried: tuple[ClientHello, bytes, int] | None = None
        """The first ClientHello, the HelloRetryRequest and the group that it asks for."""
        self._transcript = b""
        self._suite: CipherSuite = AES_128
        self._scheme = 0
        self._alpn: bytes | None = None
        self._hello: ClientHello | None = None
        self._server_hello = b""
        self._flight = b""
        """EncryptedExtensions and Certificate."""
        self._handshake_secret: Secret | None = None
        self._client_finished = b""
        self._client_secret: Secret | None = None
        """For what the client sends after its Finished."""
        self._opener: Protection | None = None
        self._sealer: Protection | None = None
        self._early_data_left = 0
        self._state = "hello"
        self._is_closed = False
        self._key_updates = 0
        self._empty_records = 0

    @property
    def is_secure(self) -> bool:
        """Whether the handshake is complete."""
        return self._state in ("open", "ended")

    def take_output(self) -> bytes:
        """What is to be sent to the client now."""
        output = bytes(self._output)
        self._output.clear()
        return output

    def receive(self, data: bytes) -> Iterator[Event]:
        """Takes bytes of the client. All events must be read."""
        if self._state == "ended":
            return
        self._input += data
        try:
            yield from self._records()
        except TlsError as error:
            self._fail(error)
            raise

    def receive_eof(self) -> None:
        """The transport has ended: an attack, unless close_notify came before it."""
        if self._state != "ended":
            raise TlsError(None, "the connection was cut off")

    def sign(self, signature: bytes) -> None:
        """Answers ``SignatureNeeded``: the server's flight is sent."""
        if self._state != "signature" or self._handshake_secret is None or self._hello is None:
            raise ValueError("no signature is needed now")
        suite, secret = self._suite, self._handshake_secret
        at_hello = digest(suite, self._transcript)
        client = secret.derive("c hs traffic", at_hello)
        server = secret.derive("s hs traffic", at_hello)
        verify = m.certificate_verify(self._scheme, signature)
        signed = self._transcript + self._flight + verify
        finished = m.message(m.FINISHED, server.finished(digest(suite, signed)))
        whole = digest(suite, signed + finished)
        self._output += _plain(_HANDSHAKE, self._server_hello)
        # One for each handshake: with a retry it was sent behind the HelloRetryRequest (RFC 8446 D.4).
        if self._retried is None and self._hello.session_id:
            self._output += _CHANGE_CIPHER_SPEC_RECORD
        self._seal(Protection(server), _HANDSHAKE, self._flight + verify + finished)
        master = master_secret(secret)
        self._opener = Protection(client)
        self._client_finished = client.finished(whole)
        self._client_secret = master.derive("c ap traffic", whole)
        self._sealer = Protection(master.derive("s ap traffic", whole))
        self._state = "finished"

    def refuse(self, alert: Alert = Alert.INTERNAL_ERROR) -> None:
        """Ends the connection with an alert, as when there is no signature."""
        self._fail(TlsError(alert, "refused"))

    def send(self, data: bytes) -> None:
        """Encrypts application data."""
        if not self.is_secure or self._sealer is None or self._is_closed:
            raise ValueError("nothing can be sent now")
        if self._sealer.is_worn:
            self._update_keys()
        self._seal(self._sealer, _APPLICATION_DATA, data)

    def close(self) -> None:
        """Sends close_notify. The client may still send."""
        if self.is_secure and not self._is_closed:
            self._send_alert(1, Alert.CLOSE_NOTIFY)
        self._is_closed = True

    # Records

    def _records(self) -> Iterator[Event]:
        while self._state not in ("signature", "ended") and len(self._input) >= 5:
            kind, length = self._input[0], int.from_bytes(self._input[3:5])
            most = _MAX_PLAINTEXT + (256 if self._opener is not None else 0)
            if kind not in (_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _APPLICATION_DATA) or self._input[1] != 3:
                raise TlsError(Alert.UNEXPECTED_MESSAGE, "what the client sends is not TLS")
            if length > most:
                raise TlsError(Alert.RECORD_OVERFLOW, "a record is too long")
            if len(self._input) < 5 + length:
                return
            header, body = bytes(self._input[:5]), bytes(self._input[5 : 5 + length])
            del self._input[: 5 + length]
            yield from self._record(kind, header, body)

    def _record(self, kind: int, header: bytes, body: bytes) -> Iterator[Event]:
        if kind == _CHANGE_CIPHER_SPEC:
            if self.is_secure or body != b"\1":
                raise TlsError(Alert.UNEXPECTED_MESSAGE, "change_cipher_spec out of turn")
            self._count_empty(True)
            return
        if self._opener is not None and kind == _APPLICATION_DATA:
            if len(body) < TAG_LENGTH + 1:
                raise TlsError(Alert.DECODE_ERROR, "a record is too short")
            try:
                kind, body = self._opener.open(header, body)
            except TlsError:
                if self._skips_early_data(len(body)):
                    return
                raise
            self._early_data_left = 0
        elif kind == _APPLICATION_DATA and self._skips_early_data(len(body)):
            return
        elif self._opener is not None and not (kind == _ALERT and self._state == "finished"):
            raise TlsError(Alert.UNEXPECTED_MESSAGE, "a record in the clear")
        if len(body) > _MAX_PLAINTEXT:
            raise TlsError(Alert.RECORD_OVERFLOW, "a record is too long")
        if kind == _ALERT:
            yield from self._alert(body)
        elif kind == _HANDSHAKE:
            yield from self._handshake(body)
        elif kind == _APPLICATION_DATA and self.is_secure:
            if self._message:
                raise TlsError(Alert.UNEXPECTED_MESSAGE, "a handshake message is interrupted")
            self._count_empty(not body)
            self._key_updates = 0
            if body:
                yield ApplicationData(body)
        else:
            raise TlsError(Alert.UNEXPECTED_MESSAGE, f"a record of type {kind} out of turn")

    def _skips_early_data(self, length: int) -> bool:
        """Early data is never accepted, but a client may have sent some (RFC 8446 4.2.10)."""
        self._early_data_left -= length
        return self._early_data_left >= 0

    def _count_empty(self, is_empty: bool) -> None:
        self._empty_records = self._empty_records + 1 if is_empty else 0
        if self._empty_records > _MAX_EMPTY_RECORDS_IN_ROW:
            raise TlsError(Alert.UNEXPECTED_MESSAGE, "too many records that say nothing")

    def _alert(self, body: bytes) -> Iterator[Event]:
        if len(body) != 2:
            raise TlsError(Alert.DECODE_ERROR, "an alert has two bytes")
        if body[1] == Alert.USER_CANCELED:
            self._count_empty(True)
            return
        if body[1] == Alert.CLOSE_NOTIFY and self.is_secure:
            self._state = "ended"
            self._input.clear()
            yield CloseNotify()
            return
        name = next((alert.name.lower() for alert in Alert if alert == body[1]), str(body[1]))
        raise TlsError(None, f"the client ends the connection: {name}")

    # Handshake

    def _handshake(self, body: bytes) -> Iterator[Event]:
        if not body:
            raise TlsError(Alert.UNEXPECTED_MESSAGE, "an empty record of the handshake")
        self._message += body
        while len(self._message) >= 4:
            kind, length = self._message[0], int.from_bytes(self._message[1:4])
            if length + 4 > self._longest(kind):
                raise TlsError(Alert.DECODE_ERROR, "a handshake message is too long")
            if len(self._message) < 4 + length:
                return
            message = bytes(self._message[: 4 + length])
            del self._message[: 4 + length]
            # What comes behind these has other keys (RFC 8446 5.1).
            if self._message:
                raise TlsError(Alert.UNEXPECTED_MESSAGE, "a record goes on after a change of keys")
            yield from self._handshake_message(kind, message)

    def _longest(self, kind: int) -> int:
        expected = {"hello": m.CLIENT_HELLO, "finished": m.FINISHED, "open": m.KEY_UPDATE}[self._state]
        if kind != expected:
            raise TlsError(Alert.UNEXPECTED_MESSAGE, f"handshake message {kind} out of turn")
        return {"hello": _MAX_CLIENT_HELLO, "finished": 4 + self._suite.hash_length, "open": 5}[self._state]

    def _handshake_message(self, kind: int, message: bytes) -> Iterator[Event]:
        if kind == m.CLIENT_HELLO:
            needed = self._answer(m.parse_client_hello(message))
            if needed is not None:
                yield needed
        elif kind == m.FINISHED:
            if not hmac.compare_digest(message[4:], self._client_finished):
                raise TlsError(Alert.DECRYPT_ERROR, "Finished is wrong")
            if self._client_secret is None:
                raise TlsError(Alert.INTERNAL_ERROR, "no key for what follows")
            self._opener = Protection(self._client_secret)
            self._state = "open"
            yield HandshakeDone(self._alpn)
        else:
            self._key_update(message)

    def _key_update(self, message: bytes) -> None:
        if len(message) != 5 or message[4] > 1 or self._opener is None:
            raise TlsError(Alert.ILLEGAL_PARAMETER, "KeyUpdate is not valid")
        self._key_updates += 1
        if self._key_updates > _MAX_KEY_UPDATES_IN_ROW:
            raise TlsError(Alert.UNEXPECTED_MESSAGE, "too many KeyUpdate messages")
        self._opener.update()
        if message[4] == 1 and not self._is_closed:
            self._update_keys()

    def _update_keys(self) -> None:
        if self._sealer is not None:
            self._seal(self._sealer, _HANDSHAKE, m.message(m.KEY_UPDATE, b"\0"))
            self._sealer.update()

    def _answer(self, hello: ClientHello) -> SignatureNeeded | None:
        if self._retried is not None:
            m.check_retried(self._retried[0], hello, self._retried[2])
        self._suite = _choose_suite(hello)
        group, share = _choose_group(hello)
        self._scheme = self._choose_scheme(hello)
        self._alpn = self._choose_protocol(hello)
        if self._server_name is not None and hello.server_name not in (None, self._server_name):
            raise TlsError(Alert.UNRECOGNIZED_NAME, "another name is wanted")
        self._early_data_left = _MAX_EARLY_DATA if m.EARLY_DATA in hello.extensions else 0
        if share is None:
            self._ask_for_share(hello, group)
            return None
        own_share, shared_secret = agree(group, share)
        self._hello = hello
        self._server_hello = m.server_hello(os.urandom(32), hello.session_id, self._suite.number, group, own_share)
        self._handshake_secret = handshake_secret(self._suite, shared_secret)
        self._flight = m.encrypted_extensions(self._alpn, hello.server_name is not None) + m.certificate(
            self._chain.certificates
        )
        before = b""
        if self._retried is not None:
            first, retry, _ = self._retried
            # RFC 8446 4.4.1: the first ClientHello counts as its hash.
            self._transcript = m.message(m.MESSAGE_HASH, digest(self._suite, first.raw)) + retry
            before = first.raw + retry
        self._transcript += hello.raw + self._server_hello
        self._state = "signature"
        return SignatureNeeded(
            self._scheme,
            before + hello.raw + self._server_hello + self._flight,
            certificate_verify_content(digest(self._suite, self._transcript + self._flight)),
        )

    def _ask_for_share(self, hello: ClientHello, group: int) -> None:
        retry = m.server_hello(m.HELLO_RETRY_REQUEST_RANDOM, hello.session_id, self._suite.number, group, None)
        self._retried = (hello, retry, group)
        self._output += _plain(_HANDSHAKE, retry)
        if hello.session_id:
            self._output += _CHANGE_CIPHER_SPEC_RECORD

    def _choose_scheme(self, hello: ClientHello) -> int:
        if hello.signature_algorithms is None:
            raise TlsError(Alert.MISSING_EXTENSION, "the client sends no signature_algorithms")
        for scheme in self._chain.schemes:
            if scheme in hello.signature_algorithms:
                return scheme
        raise TlsError(Alert.HANDSHAKE_FAILURE, "no signature scheme in common")

    def _choose_protocol(self, hello: ClientHello) -> bytes | None:
        if hello.alpn is None or not self._protocols:
            return None
        for protocol in self._protocols:
            if protocol in hello.alpn:
                return protocol
        raise TlsError(Alert.NO_APPLICATION_PROTOCOL, "no application protocol in common")

    # Output

    def _seal(self, protection: Protection, kind: int, content: bytes) -> None:
        for at in range(0, len(content), _MAX_PLAINTEXT):
            self._output += protection.seal(kind, content[at : at + _MAX_PLAINTEXT])

    def _send_alert(self, level: int, alert: Alert) -> None:
        content = bytes([level, alert])
        if self._sealer is None:
            self._output += _plain(_ALERT, content)
        else:
            self._output += self._sealer.seal(_ALERT, content)

    def _fail(self, error: TlsError) -> None:
        if error.alert is not None and not self._is_closed:
            self._send_alert(2, error.alert)
        self._is_closed = True
        self._state = "ended"
        self._input.clear()


def certificate_verify_content(transcript_hash: bytes) -> bytes:
    """RFC 8446 4.4.3."""
    return b" " * 64 + b"TLS 1.3, server CertificateVerify\0" + transcript_hash


def _plain(kind: int, content: bytes) -> bytes:
    return bytes([kind, 3, 3]) + len(content).to_bytes(2) + content


def _choose_suite(hello: ClientHello) -> CipherSuite:
    if hello.legacy_version <= 0x0300 or m.TLS13 not in hello.supported_versions:
        raise TlsError(Alert.PROTOCOL_VERSION, "the client does not speak TLS 1.3")
    if hello.compression_methods != b"\0":
        raise TlsError(Alert.ILLEGAL_PARAMETER, "the client offers compression")
    if m.PRE_SHARED_KEY in hello.extensions and m.PSK_KEY_EXCHANGE_MODES not in hello.extensions:
        raise TlsError(Alert.MISSING_EXTENSION, "pre_shared_key without psk_key_exchange_modes")
    ours = {suite.number: suite for suite in CIPHER_SUITES}
    known = [number for number in hello.cipher_suites if number in ours]
    if not known:
        raise TlsError(Alert.HANDSHAKE_FAILURE, "no cipher suite in common")
    # A client that has ChaCha20 first has no AES in hardware.
    if known[0] == CHACHA20.number:
        return CHACHA20
    return next(suite for suite in CIPHER_SUITES if suite.number in known)


def _choose_group(hello: ClientHello) -> tuple[int, bytes | None]:
    """The group, and the client's share for it; None where it must be asked for one."""
    offered, shares = hello.supported_groups, hello.key_shares
    if offered is None or shares is None:
        raise TlsError(Alert.MISSING_EXTENSION, "the client sends no supported_groups or no key_share")
    if any(group not in offered for group in shares):
        raise TlsError(Alert.ILLEGAL_PARAMETER, "a key share belongs to no group that is offered")
    # One that needs no other round trip comes first.
    for group in GROUPS:
        if group in shares and group in offered:
            return group, shares[group]
    for group in GROUPS:
        if group in offered:
            return group, None
    raise TlsError(Alert.HANDSHAKE_FAILURE, "no key exchange group in common")
