"""A service of this machine on a public name."""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType

from .client import RelayClient
from .contract import Lease, Metadata
from .errors import AnswerError, ApiError, NetworkError, PortalError, UsageError
from .identity import Identity
from .lease import LeaseKeeper, LeaseWish
from .opening import Opening
from .retry import Backoff, decide
from .session import ReverseSession, SessionError
from .tls import CertificateChain
from .visitor import Service, Signer, UnsignedError, serve_visitor

log = logging.getLogger("portal_sdk")

_CONNECT_TIMEOUT = 10.0
_APPROVAL_WAIT = 15.0


def expose(
    target: str | int,
    *,
    relay: str,
    name: str,
    identity: Identity | None = None,
    ca_file: str | None = None,
    ttl: int | None = None,
    metadata: Metadata | None = None,
    tcp: bool = False,
    ready: int = 4,
    max_connections: int = 256,
) -> Tunnel:
    """
    Puts a service of this machine on a public name, for as long as the context is open::

        async with expose(3000, relay="https://relay.example.com", name="my-app") as tunnel:
            print(tunnel.url)
            await tunnel.wait_closed()

    :param target: ``host:port``, or a port of this machine; bytes are passed on as they are, HTTP or not
    :param name: one DNS label
    :param identity: a new one, which nobody else has and which is gone afterwards, if it is None
    :param ca_file: PEM, of a relay whose certificate is from a CA that this machine does not know
    :param ttl: of the lease, in seconds; it is renewed all the while
    :param tcp: also ask for a public TCP port, whose bytes are passed on without TLS
    :param ready: sessions that wait for visitors
    :param max_connections: visitors at once; what is more waits at the relay
    :raises UsageError:
    """
    host, port = _parse_target(target)
    if not 1 <= ready <= 8:
        raise UsageError("ready is from 1 to 8: a relay lets no more sessions wait")
    if max_connections < 1:
        raise UsageError("max_connections is at least 1")

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with asyncio.timeout(_CONNECT_TIMEOUT):
            return await asyncio.open_connection(host, port)

    wish = LeaseWish(name=name, ttl=ttl, metadata=metadata, tcp=tcp)
    client = RelayClient(relay, ca_file=ca_file)
    return Tunnel(client, identity or Identity.create(), wish, connect, ready=ready, max_connections=max_connections)


class Tunnel:
    """What ``expose`` returns. Enter it as a context."""

    def __init__(
        self,
        client: RelayClient,
        identity: Identity,
        wish: LeaseWish,
        service: Service,
        *,
        ready: int,
        max_connections: int,
    ) -> None:
        self._client = client
        self._service = service
        self._ready = ready
        self._most = ready + max_connections
        self._keeper = LeaseKeeper(client, identity, wish, self._learn_certificate)
        self._chain: CertificateChain | None = None
        self._key_id = ""
        self._waiting = 0
        self._sessions: set[asyncio.Task[None]] = set()
        self._run: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()
        self._stopped: asyncio.Future[None] | None = None
        self.connections = 0
        """Visitors now."""

    @property
    def lease(self) -> Lease:
        """The lease. Only while the context is open."""
        if self._keeper.lease is None:
            raise UsageError("the tunnel is not open")
        return self._keeper.lease

    @property
    def url(self) -> str:
        """Where visitors come to."""
        port = self.lease.sni_port
        return f"https://{self.lease.hostname}{'' if port in (None, 443) else f':{port}'}"

    async def __aenter__(self) -> Tunnel:
        """
        Waits for the lease and for the first session.

        :raises PortalError: when the relay refuses for good; while it is not reached, it is tried again and again
        """
        self._stopped = asyncio.get_running_loop().create_future()
        self._run = asyncio.create_task(self._keep())
        tried = asyncio.create_task(self._tried.wait())
        try:
            await asyncio.wait({self._run, tried}, return_when=asyncio.FIRST_COMPLETED)
            if self._run.done():
                await self._run
        except BaseException:
            await self.close()
            raise
        finally:
            tried.cancel()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def wait_closed(self) -> None:
        """
        Waits until the tunnel ends.

        :raises PortalError: that nothing helps against
        """
        if self._run is not None:
            await asyncio.wait({self._run})
            if not self._run.cancelled():
                self._run.result()

    async def close(self) -> None:
        """Gives the name back, and ends the connections."""
        await _cancel({task for task in [self._run] if task is not None})
        await _cancel(self._sessions)
        await self._keeper.give_back()
        await self._client.close()

    async def _keep(self) -> None:
        """The lease and its sessions; ends with the error that ends either."""
        lease = asyncio.create_task(self._keeper.run())
        try:
            self._refill()
            assert self._stopped is not None
            await asyncio.wait({lease, self._stopped}, return_when=asyncio.FIRST_COMPLETED)
            if self._stopped.done():
                self._stopped.result()
            await lease
        except Exception as error:
            log.error("the tunnel ends: %s", error)
            raise
        finally:
            await _cancel({lease})

    async def _learn_certificate(self, lease: Lease) -> None:
        domain = await self._client.get_domain()
        if domain.root_host != self._client.relay.host:
            raise AnswerError(
                f"the relay is {domain.root_host[:253]!r}, not {self._client.relay.host}: use its own URL"
            )
        keyless = domain.keyless
        if keyless is None or "transcript" not in keyless.modes:
            raise ApiError("feature_unavailable", "the relay does not sign handshakes", 404)
        try:
            self._chain = CertificateChain.from_pem(keyless.certificate_chain)
        except ValueError as error:
            raise AnswerError(f"the relay's certificate chain is not usable: {error}") from error
        self._key_id = keyless.key_id

    # Sessions

    def _refill(self) -> None:
        """Keeps ``ready`` sessions waiting, as long as there is room for their visitors."""
        while self._waiting < self._ready and len(self._sessions) < self._most:
            self._waiting += 1
            task = asyncio.create_task(self._session())
            self._sessions.add(task)
            task.add_done_callback(self._session_ended)

    def _session_ended(self, task: asyncio.Task[None]) -> None:
        self._sessions.discard(task)
        if task.cancelled() or self._stopped is None or self._stopped.done():
            return
        error = task.exception()
        if error is not None:
            self._stopped.set_exception(error)
            return
        self._refill()

    async def _session(self) -> None:
        """
        One session after the other. One that is recycled goes on waiting, also where enough others wait: to close it
        would cut a visitor that it may have been given already. The relay closes those that it does not need.
        """
        is_waiting = True
        session: ReverseSession | None = None
        backoff = Backoff()
        try:
            while True:
                await self._keeper.has_lease.wait()
                token = self._keeper.access_token
                try:
                    if session is None:
                        session = await ReverseSession.open(self._client, token)
                        self._keeper.accepted()
                        self._tried.set()
                    opening = await session.wait()
                except (PortalError, SessionError) as error:
                    if session is not None:
                        await session.close()
                        session = None
                    if self._waiting > self._ready:
                        return
                    await self._recover(error, token, backoff)
                    continue
                backoff.reset()
                self._waiting -= 1
                is_waiting = False
                self.connections += 1
                self._refill()
                try:
                    await self._serve(session, opening)
                except Exception:
                    # It ends this connection, and no other.
                    log.exception("a connection could not be served")
                    return
                finally:
                    self.connections -= 1
                if not session.is_reusable:
                    return
                self._waiting += 1
                is_waiting = True
        finally:
            if is_waiting:
                self._waiting -= 1
            if session is not None:
                await session.close()

    async def _recover(self, error: Exception, token: str, backoff: Backoff) -> None:
        """Waits until another session may be opened. Raises what ends the tunnel."""
        if isinstance(error, SessionError):
            # A relay closes sessions that it does not need, and restarts.
            await asyncio.sleep(backoff.wait_after(error))
            return
        self._tried.set()
        decision = decide(error, "connect", has_served=self._keeper.has_served)
        if decision == "stop":
            raise error
        if isinstance(error, ApiError):
            if decision in ("register", "register_once"):
                self._keeper.lose(token, error)
            if error.code == "lease_rejected":
                log.warning("the relay's operator has not approved this lease yet")
                await asyncio.sleep(_APPROVAL_WAIT)
                return
        level = logging.DEBUG if isinstance(error, ApiError) and error.code == "rate_limited" else logging.WARNING
        delay = backoff.wait_after(error)
        log.log(level, "no session, trying again in %.0f s: %s", delay, error)
        await asyncio.sleep(delay)

    async def _serve(self, session: ReverseSession, opening: Opening) -> None:
        assert self._chain is not None
        signer = Signer(self._client, self._chain, self._key_id, self._keeper.access_token)
        try:
            await serve_visitor(session, opening, self._service, signer, self.lease.hostname)
        except UnsignedError as error:
            log.warning("the relay does not sign a handshake: %s", error)
            try:
                await self._learn_certificate(self.lease)
            except (ApiError, AnswerError, NetworkError) as failure:
                log.warning("the relay's certificate was not fetched: %s", failure)


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _parse_target(target: str | int) -> tuple[str, int]:
    if isinstance(target, int):
        host, port = "127.0.0.1", target
    else:
        host, _, digits = target.rpartition(":")
        host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
        if not digits.isascii() or not digits.isdigit():
            raise UsageError(f"not a target: {target!r} (host:port, or a port)")
        port = int(digits)
    if not 1 <= port <= 65_535:
        raise UsageError(f"not a port: {port}")
    return host, port
