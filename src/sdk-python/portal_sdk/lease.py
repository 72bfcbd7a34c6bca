"""A lease, kept for as long as it is wanted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from .client import RelayClient
from .contract import (
    IdentityInput,
    Lease,
    Metadata,
    RegisterChallengeRequest,
    RegisterRequest,
    RenewRequest,
    UnregisterRequest,
)
from .errors import AnswerError, ApiError, PortalError
from .identity import Identity
from .retry import Backoff, Call, decide
from .sign_in import check_sign_in_message

log = logging.getLogger("portal_sdk")

_LEAST_RENEWAL = 1.0
_UNREGISTER_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class LeaseWish:
    """What to ask a relay for."""

    name: str
    """One DNS label."""
    ttl: int | None = None
    """Seconds; the relay's own choice, if it is None."""
    metadata: Metadata | None = None
    tcp: bool = False
    """Also ask for a public TCP port."""


async def register(client: RelayClient, identity: Identity, wish: LeaseWish) -> Lease:
    """
    Signs in and takes the name.

    :raises SigningRefusedError: when the relay wants something else signed
    """
    challenge = await client.create_register_challenge(
        RegisterChallengeRequest(
            identity=IdentityInput(name=wish.name, address=identity.address),
            ttl=wish.ttl,
            metadata=wish.metadata,
            tcp_enabled=wish.tcp or None,
        )
    )
    check_sign_in_message(
        challenge.siwe_message,
        relay=client.relay,
        address=identity.address,
        challenge_id=challenge.challenge_id,
    )
    return await client.register_lease(
        RegisterRequest(
            challenge_id=challenge.challenge_id,
            siwe_message=challenge.siwe_message,
            siwe_signature=identity.sign(challenge.siwe_message),
        )
    )


class LeaseKeeper:
    """
    Registers, renews at half of what is left, and registers again when the lease is gone. ``run`` ends with the error
    that nothing helps against.
    """

    def __init__(
        self,
        client: RelayClient,
        identity: Identity,
        wish: LeaseWish,
        on_lease: Callable[[Lease], Awaitable[None]],
    ) -> None:
        """:param on_lease: called with each new lease, before it counts"""
        self._client = client
        self._identity = identity
        self._wish = wish
        self._on_lease = on_lease
        self._has_served = False
        self._gone = asyncio.Event()
        self._loss: ApiError | None = None
        self._is_refused = False
        """A token was refused, and none was accepted since."""
        self.has_lease = asyncio.Event()
        self.lease: Lease | None = None
        self.access_token = ""
        """The newest one: use no other."""

    @property
    def has_served(self) -> bool:
        """Whether this relay has ever granted a lease."""
        return self._has_served

    def lose(self, token: str, error: ApiError) -> None:
        """Says that the relay has refused a token: the lease is registered again, unless there is a newer one."""
        if token == self.access_token:
            self._loss = error
            self._gone.set()

    def accepted(self) -> None:
        """Says that the relay has taken the token."""
        self._is_refused = False

    async def run(self) -> None:
        """Never returns."""
        backoff = Backoff()
        while True:
            try:
                lease = await register(self._client, self._identity, self._wish)
                await self._on_lease(lease)
            except PortalError as error:
                self._give_up(error, "register")
                delay = backoff.wait_after(error)
                log.warning("not registered, trying again in %.0f s: %s", delay, error)
                await asyncio.sleep(delay)
                continue
            self._has_served = True
            self._gone.clear()
            self.lease, self.access_token = lease, lease.access_token
            self.has_lease.set()
            try:
                loss = await self._renew(lease.expires_at, backoff)
            finally:
                self.has_lease.clear()
            self._give_up(loss, "renew")
            log.warning("the lease is gone, registering again: %s", loss)

    def _give_up(self, error: PortalError, during: Call) -> None:
        """Raises an error that nothing helps against. A token is refused once, and not the next one as well."""
        decision = decide(error, during, has_served=self._has_served)
        if decision == "stop" or (decision == "register_once" and self._is_refused):
            raise error
        self._is_refused = decision == "register_once"

    async def _renew(self, expires_at: str, backoff: Backoff) -> PortalError:
        """Returns the error by which the lease is gone."""
        delay = self._seconds_left(expires_at) / 2
        while True:
            try:
                async with asyncio.timeout(max(delay, _LEAST_RENEWAL)):
                    await self._gone.wait()
                    return self._loss or AnswerError("the lease is gone")
            except TimeoutError:
                pass
            try:
                renewal = await self._client.renew_lease(RenewRequest(), access_token=self.access_token)
                self.accepted()
                self.access_token, expires_at = renewal.access_token, renewal.expires_at
                await self._refresh()
            except PortalError as error:
                left = self._seconds_left(expires_at)
                if decide(error, "renew", has_served=True) != "wait" or left <= 0:
                    return error
                delay = min(backoff.wait_after(error), max(left, _LEAST_RENEWAL))
                log.warning("not renewed, trying again in %.0f s: %s", delay, error)
                continue
            backoff.reset()
            delay = self._seconds_left(expires_at) / 2

    async def _refresh(self) -> None:
        """The certificate chain may have changed."""
        if self.lease is not None:
            await self._on_lease(self.lease)

    def _seconds_left(self, expires_at: str) -> float:
        """By the relay's clock."""
        try:
            return (datetime.fromisoformat(expires_at) - self._client.now()).total_seconds()
        except (ValueError, TypeError) as error:
            raise AnswerError(f"the relay gives a lease with an odd end: {expires_at[:64]!r}") from error

    async def give_back(self) -> None:
        """Unregisters, where there is a lease. Never raises an error of the relay."""
        if not self.access_token:
            return
        try:
            async with asyncio.timeout(_UNREGISTER_TIMEOUT):
                await self._client.unregister_lease(UnregisterRequest(), access_token=self.access_token)
        except (PortalError, TimeoutError) as error:
            log.debug("the name was not given back, and is kept until the lease ends: %s", error)
        self.access_token = ""
