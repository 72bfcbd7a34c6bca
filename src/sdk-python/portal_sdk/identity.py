"""An Ethereum account, and the file that keeps it."""

from __future__ import annotations

import json
import os
import secrets
import stat
from pathlib import Path

from coincurve import PrivateKey
from Crypto.Hash import keccak

from .errors import UsageError

_MAX_FILE_BYTES = 4096


def _keccak256(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()


def checksum_address(address: str) -> str:
    """
    The address with upper and lower case as EIP-55 has them.

    :raises UsageError: unless it is ``0x`` and 40 hexadecimal digits
    """
    digits = address[2:].lower()
    if address[:2] not in ("0x", "0X") or len(digits) != 40 or any(digit not in "0123456789abcdef" for digit in digits):
        raise UsageError(f"not an Ethereum address: {address!r}")
    digest = _keccak256(digits.encode()).hex()
    return "0x" + "".join(d.upper() if int(at, 16) >= 8 else d for d, at in zip(digits, digest, strict=False))


class Identity:
    """A secp256k1 key. Its address owns names at relays, and its signatures are how it proves that."""

    def __init__(self, private_key: bytes) -> None:
        """
        :param private_key: 32 bytes
        :raises UsageError: when they are no key
        """
        try:
            self._key = PrivateKey(private_key)
        except ValueError as error:
            raise UsageError("not a private key of secp256k1") from error
        public = self._key.public_key.format(compressed=False)[1:]
        self.address = checksum_address("0x" + _keccak256(public)[12:].hex())
        """With its EIP-55 checksum."""

    @classmethod
    def create(cls) -> Identity:
        """A new one, which nobody else has."""
        while True:
            try:
                return cls(secrets.token_bytes(32))
            except UsageError:  # As likely as guessing somebody's key.
                continue

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Identity:
        """
        Reads the identity of a file, or creates both: ``{"address": "0x...", "private_key": "0x..."}``, with mode 0600.
        ``portal expose`` keeps its own in the same form.

        :raises UsageError: when others can read the file, or it is no identity
        """
        file = Path(path)
        try:
            if not file.exists():
                cls._write(file, cls.create())
            return cls._read(file)
        except OSError as error:
            raise UsageError(f"identity file {file}: {error.strerror or error}") from error
        except UsageError as error:
            raise UsageError(f"identity file {file}: {error}") from error

    def sign(self, message: str) -> str:
        """Signs a text by ``personal_sign`` (EIP-191): r, s and v as hexadecimal digits."""
        data = message.encode()
        digest = _keccak256(b"\x19Ethereum Signed Message:\n" + str(len(data)).encode() + data)
        signature = self._key.sign_recoverable(digest, hasher=None)
        return "0x" + (signature[:64] + bytes([27 + signature[64]])).hex()

    @classmethod
    def _read(cls, file: Path) -> Identity:
        with file.open("rb") as opened:
            status = os.fstat(opened.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UsageError("not a regular file")
            if os.name == "posix" and status.st_mode & 0o077:
                raise UsageError(f"readable by others: run chmod 600 {file}")
            text = opened.read(_MAX_FILE_BYTES + 1)
        if len(text) > _MAX_FILE_BYTES:
            raise UsageError("too large")
        try:
            fields = json.loads(text)
            address, private_key = fields["address"], fields["private_key"]
            key = bytes.fromhex(private_key.removeprefix("0x"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError('needs "address" and "private_key"') from error
        identity = cls(key)
        if not isinstance(address, str) or identity.address.lower() != address.lower():
            raise UsageError("its address is not that of its key")
        return identity

    @staticmethod
    def _write(file: Path, identity: Identity) -> None:
        """Whole or not at all. If another process creates the file first, its identity stays."""
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fields = {"address": identity.address, "private_key": "0x" + identity._key.secret.hex()}
        draft = file.with_name(f"{file.name}.{secrets.token_hex(6)}")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
                opened.write(json.dumps(fields, indent=2) + "\n")
                opened.flush()
                os.fsync(opened.fileno())
            os.link(draft, file)
        except FileExistsError:
            pass
        finally:
            draft.unlink(missing_ok=True)
