"""The relay's certificate, as a handshake needs it."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

_MAX_CERTIFICATES = 10

SCHEME_NAMES = {
    0x0403: "ecdsa_secp256r1_sha256",
    0x0503: "ecdsa_secp384r1_sha384",
    0x0603: "ecdsa_secp521r1_sha512",
    0x0804: "rsa_pss_rsae_sha256",
    0x0805: "rsa_pss_rsae_sha384",
    0x0806: "rsa_pss_rsae_sha512",
    0x0807: "ed25519",
}
"""IANA's numbers and names of signature schemes (RFC 8446 4.2.3)."""


@dataclass(frozen=True, slots=True)
class CertificateChain:
    """A chain, and the signature schemes that fit its leaf's key."""

    certificates: list[bytes]
    """DER, leaf first."""
    schemes: list[int]
    """Most preferred first."""

    @classmethod
    def from_pem(cls, pem: str) -> CertificateChain:
        """:raises ValueError: when it is no chain, or its key is none that TLS 1.3 can use"""
        parsed = x509.load_pem_x509_certificates(pem.encode())
        if len(parsed) > _MAX_CERTIFICATES:
            raise ValueError("too many certificates")
        schemes = _schemes(parsed[0])
        if not schemes:
            raise ValueError("TLS 1.3 cannot use this key")
        return cls([each.public_bytes(Encoding.DER) for each in parsed], schemes)


def _schemes(leaf: x509.Certificate) -> list[int]:
    key = leaf.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return [0x0804, 0x0805, 0x0806]
    if isinstance(key, ed25519.Ed25519PublicKey):
        return [0x0807]
    if isinstance(key, ec.EllipticCurvePublicKey):
        by_curve = {"secp256r1": 0x0403, "secp384r1": 0x0503, "secp521r1": 0x0603}
        return [by_curve[key.curve.name]] if key.curve.name in by_curve else []
    return []
