"""Cipher suites, key exchange and the key schedule (RFC 8446 7)."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .messages import Alert, TlsError

TAG_LENGTH = 16
MAX_RECORDS_PER_KEY = 2**24
"""Fewer than AES-GCM takes with one key (RFC 8446 5.5)."""


@dataclass(frozen=True, slots=True)
class CipherSuite:
    number: int
    hash: Callable[[], hashes.HashAlgorithm]
    hash_name: str
    hash_length: int
    key_length: int
    aead: Callable[[bytes], AESGCM | ChaCha20Poly1305]


AES_128 = CipherSuite(0x1301, hashes.SHA256, "sha256", 32, 16, AESGCM)
AES_256 = CipherSuite(0x1302, hashes.SHA384, "sha384", 48, 32, AESGCM)
CHACHA20 = CipherSuite(0x1303, hashes.SHA256, "sha256", 32, 32, ChaCha20Poly1305)
CIPHER_SUITES = (AES_128, AES_256, CHACHA20)
"""Most preferred first."""

SECP256R1, X25519 = 0x0017, 0x001D
GROUPS = (X25519, SECP256R1)
"""Most preferred first."""


def agree(group: int, share: bytes) -> tuple[bytes, bytes]:
    """
    :param share: of the client
    :returns: the server's share and the shared secret
    """
    try:
        if group == X25519:
            own = x25519.X25519PrivateKey.generate()
            secret = own.exchange(x25519.X25519PublicKey.from_public_bytes(share))
            return own.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw), secret
        if len(share) != 65 or share[0] != 4:  # RFC 8446 4.2.8.2: uncompressed.
            raise ValueError("not an uncompressed point")
        peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), share)
        private = ec.generate_private_key(ec.SECP256R1())
        point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return point, private.exchange(ec.ECDH(), peer)
    except ValueError as error:
        raise TlsError(Alert.ILLEGAL_PARAMETER, "the client's key share is not valid") from error


class Secret:
    """A secret of the key schedule, and what is derived from it."""

    __slots__ = ("suite", "value")

    def __init__(self, suite: CipherSuite, value: bytes) -> None:
        self.suite = suite
        self.value = value

    def expand(self, label: str, context: bytes, length: int) -> bytes:
        """HKDF-Expand-Label (RFC 8446 7.1)."""
        name = b"tls13 " + label.encode()
        info = length.to_bytes(2) + bytes([len(name)]) + name + bytes([len(context)]) + context
        return HKDFExpand(self.suite.hash(), length, info).derive(self.value)

    def derive(self, label: str, transcript_hash: bytes) -> Secret:
        """Derive-Secret, for a transcript that is hashed already."""
        return Secret(self.suite, self.expand(label, transcript_hash, self.suite.hash_length))

    def extract(self, material: bytes) -> Secret:
        """HKDF-Extract with this as the salt."""
        return Secret(self.suite, hmac.digest(self.value, material, self.suite.hash_name))

    def finished(self, transcript_hash: bytes) -> bytes:
        """The content of a Finished message (RFC 8446 4.4.4)."""
        key = self.expand("finished", b"", self.suite.hash_length)
        return hmac.digest(key, transcript_hash, self.suite.hash_name)


def handshake_secret(suite: CipherSuite, shared_secret: bytes) -> Secret:
    zeros = bytes(suite.hash_length)
    early = Secret(suite, zeros).extract(zeros)
    return early.derive("derived", digest(suite, b"")).extract(shared_secret)


def master_secret(handshake: Secret) -> Secret:
    suite = handshake.suite
    return handshake.derive("derived", digest(suite, b"")).extract(bytes(suite.hash_length))


def digest(suite: CipherSuite, data: bytes) -> bytes:
    hashed = hashes.Hash(suite.hash())
    hashed.update(data)
    return hashed.finalize()


class Protection:
    """Encrypts or decrypts the records of one direction (RFC 8446 5.2, 5.3)."""

    def __init__(self, secret: Secret) -> None:
        self._install(secret)

    def _install(self, secret: Secret) -> None:
        suite = secret.suite
        self._secret = secret
        self._aead = suite.aead(secret.expand("key", b"", suite.key_length))
        self._iv = int.from_bytes(secret.expand("iv", b"", 12))
        self._count = 0

    def _nonce(self) -> bytes:
        nonce = (self._iv ^ self._count).to_bytes(12)
        self._count += 1
        return nonce

    @property
    def is_worn(self) -> bool:
        """Whether this key has protected as many records as one should."""
        return self._count >= MAX_RECORDS_PER_KEY

    def update(self) -> None:
        """The next key (RFC 8446 7.2)."""
        suite = self._secret.suite
        self._install(Secret(suite, self._secret.expand("traffic upd", b"", suite.hash_length)))

    def seal(self, kind: int, content: bytes) -> bytes:
        """A record with its header."""
        header = b"\x17\x03\x03" + (len(content) + 1 + TAG_LENGTH).to_bytes(2)
        return header + self._aead.encrypt(self._nonce(), content + bytes([kind]), header)

    def open(self, header: bytes, body: bytes) -> tuple[int, bytes]:
        """:returns: the content's type, and the content"""
        try:
            padded = self._aead.decrypt(self._nonce(), body, header)
        except InvalidTag as error:
            self._count -= 1
            raise TlsError(Alert.BAD_RECORD_MAC, "a record does not authenticate") from error
        content = padded.rstrip(b"\0")
        if not content:
            raise TlsError(Alert.UNEXPECTED_MESSAGE, "a record without a type")
        return content[-1], content[:-1]
