"""
The server's end of TLS 1.3 (RFC 8446) whose CertificateVerify somebody else signs: no TLS library of Python shows the
messages that a relay wants to see before it signs.
"""

from .chain import CertificateChain
from .messages import Alert, TlsError
from .server import ApplicationData, CloseNotify, Event, HandshakeDone, SignatureNeeded, TlsServer

__all__ = [
    "Alert",
    "ApplicationData",
    "CertificateChain",
    "CloseNotify",
    "Event",
    "HandshakeDone",
    "SignatureNeeded",
    "TlsError",
    "TlsServer",
]
