"""What calls of this package raise."""

from __future__ import annotations

from typing import Literal

from .contract import ERROR_CATALOGUE, Retry

NetworkFailure = Literal["timeout", "unreachable", "certificate", "clock"]


class PortalError(Exception):
    """The base of all of them."""


class ApiError(PortalError):
    """The relay refused, as the contract says it may."""

    def __init__(self, code: str, message: str, status: int, retry_after: float | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        """An ``ErrorCode``, or one that is newer than this package."""
        self.message = message
        self.status = status
        self.retry_after = retry_after
        """Seconds, from ``Retry-After`` or else from the catalogue."""

    @property
    def retry(self) -> Retry:
        """Whether and how to try again. A code that is not known is treated by its status."""
        entry = ERROR_CATALOGUE.get(self.code)
        if entry is not None:
            return entry.retry
        return "after_delay" if self.status == 429 or self.status >= 500 else "never"


class NetworkError(PortalError):
    """There was no answer, not in time, or from somebody whose certificate cannot be trusted."""

    def __init__(self, reason: NetworkFailure, message: str) -> None:
        super().__init__(message)
        self.reason: NetworkFailure = reason


class AnswerError(PortalError):
    """The answer is none of the contract: no envelope, too large, a field that is missing, a redirect."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class SigningRefusedError(PortalError):
    """The relay asked to sign something else than a sign-in to itself. Nothing was signed."""


class UsageError(PortalError):
    """The caller's own mistake: a relay URL, a name, an identity file, a target."""
