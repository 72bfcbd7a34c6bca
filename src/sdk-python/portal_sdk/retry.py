"""When to try again, and after which error not to."""

from __future__ import annotations

import random
from typing import Literal

from .errors import AnswerError, ApiError, NetworkError

Decision = Literal["stop", "register", "register_once", "wait"]
"""
``stop``: nothing helps, or another try would harm another process. ``register``: the lease is gone. ``register_once``:
the token is refused; stop if the next one is, too. ``wait``: the same may succeed later.
"""
Call = Literal["register", "renew", "connect"]

_FIRST, _MOST = 1.0, 60.0


def decide(error: Exception, during: Call, *, has_served: bool) -> Decision:
    """:param has_served: whether this relay has granted a lease before: what is fatal at the start may pass later"""
    if isinstance(error, ApiError):
        return _by_code(error, during)
    if isinstance(error, NetworkError):
        return "stop" if error.reason == "certificate" and not has_served else "wait"
    if isinstance(error, AnswerError):
        passes = has_served or error.status == 429 or (error.status or 0) >= 500
        return "wait" if passes else "stop"
    return "stop"


def _by_code(error: ApiError, during: Call) -> Decision:
    if error.code == "lease_not_found":
        return "register"
    if error.code == "unauthorized":
        return "register_once"
    if error.code == "lease_rejected":
        # While a lease awaits approval its connections are refused, and nothing else.
        return "wait" if during == "connect" else "stop"
    if error.code == "hostname_conflict":
        # Without a token the name is taken, for good unless the relay says when to ask again; with one, taken over.
        return "wait" if during == "register" and error.retry_after is not None else "stop"
    return "wait" if error.retry in ("after_delay", "new_connection") else "stop"


class Backoff:
    """From one second, doubled up to a minute, with jitter."""

    def __init__(self) -> None:
        self._next = _FIRST

    def reset(self) -> None:
        self._next = _FIRST

    def wait_after(self, error: Exception) -> float:
        """Seconds to wait now: as long as the relay asks for at least."""
        delay = self._next * random.uniform(0.5, 1.0)
        self._next = min(self._next * 2, _MOST)
        return max(delay, getattr(error, "retry_after", None) or 0.0)
