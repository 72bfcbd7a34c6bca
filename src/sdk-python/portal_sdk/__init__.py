"""
The client of Portal relays: ``expose`` puts a service of this machine on a public name, and ``RelayClient`` has every
operation of a relay's API. The types of the contract are in ``portal_sdk.contract``.
"""

from .client import RelayClient
from .errors import AnswerError, ApiError, NetworkError, PortalError, SigningRefusedError, UsageError
from .identity import Identity
from .lease import LeaseKeeper, LeaseWish, register
from .sign_in import check_sign_in_message
from .tunnel import Tunnel, expose

__all__ = [
    "AnswerError",
    "ApiError",
    "Identity",
    "LeaseKeeper",
    "LeaseWish",
    "NetworkError",
    "PortalError",
    "RelayClient",
    "SigningRefusedError",
    "Tunnel",
    "UsageError",
    "check_sign_in_message",
    "expose",
    "register",
]
