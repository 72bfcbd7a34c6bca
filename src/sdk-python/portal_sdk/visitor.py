"""One visitor's connection: from its first byte to its last."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import cast

from .client import RelayClient
from .contract import SignatureScheme, TranscriptSignRequest
from .errors import PortalError
from .opening import TENANT_TLS, Opening
from .session import Data, End, ReverseSession, SessionError, SigningAnswer
from .tls import (
    ApplicationData,
    CertificateChain,
    CloseNotify,
    Event,
    HandshakeDone,
    SignatureNeeded,
    TlsError,
    TlsServer,
)
from .tls.chain import SCHEME_NAMES

log = logging.getLogger("portal_sdk")

_HANDSHAKE_TIMEOUT = 10.0
_CHUNK = 64 * 1024

Service = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
"""Connects to the service that is exposed."""


class UnsignedError(Exception):
    """The relay does not sign this handshake: its certificate may have changed."""


class Signer:
    """What a handshake needs of the relay: its chain, and signatures."""

    def __init__(self, client: RelayClient, chain: CertificateChain, key_id: str, access_token: str) -> None:
        self.chain = chain
        self._client = client
        self._key_id = key_id
        self._access_token = access_token

    async def sign(self, binding: bytes, needed: SignatureNeeded) -> bytes:
        """:raises UnsignedError:"""
        body = TranscriptSignRequest(
            key_id=self._key_id,
            binding=base64.b64encode(binding).decode(),
            signature_scheme=cast(SignatureScheme, SCHEME_NAMES[needed.scheme]),
            transcript=base64.b64encode(needed.transcript).decode(),
        )
        try:
            answer = await self._client.sign_handshake(body, access_token=self._access_token)
            return base64.b64decode(answer.signature, validate=True)
        except (PortalError, ValueError) as error:
            raise UnsignedError(str(error)) from error


async def serve_visitor(
    session: ReverseSession, opening: Opening, service: Service, signer: Signer, server_name: str
) -> None:
    """
    Serves the connection that has come on a session, until both sides have ended it. Leaves the session so that it may
    be used again, where that is possible.

    :raises UnsignedError: fetch the certificate anew, and go on
    """
    connection = (
        _TlsConnection(session, opening, service, signer, server_name)
        if opening.marker == TENANT_TLS
        else _Connection(session, service)
    )
    try:
        await connection.run()
    except (SessionError, TlsError, OSError, TimeoutError) as error:
        log.debug("a connection ends: %s", error)
        session.cut()
    finally:
        await connection.stop()
        session.cut()
    await session.finish()


class _Connection:
    """Raw TCP: bytes are passed on as they are."""

    def __init__(self, session: ReverseSession, service: Service) -> None:
        self._session = session
        self._connect = service
        self._writer: asyncio.StreamWriter | None = None
        self._from_service: asyncio.Task[None] | None = None

    async def run(self) -> None:
        await self._start_service()
        async for event in self._session.events():
            if isinstance(event, Data):
                await self._to_service(event.data)
            elif isinstance(event, End):
                self._end_service()
            else:
                raise SessionError("a signing message on raw TCP")
        await self._service_is_done()

    async def stop(self) -> None:
        """Closes the service's connection: cleanly once it has ended, else with a reset."""
        task, writer = self._from_service, self._writer
        is_clean = task is not None and task.done() and not task.cancelled() and task.exception() is None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if writer is not None:
            if is_clean:
                writer.close()
            else:
                _reset(writer)

    async def _start_service(self) -> None:
        reader, self._writer = await self._connect()
        self._from_service = asyncio.create_task(self._copy(reader))

    async def _to_service(self, data: bytes) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(data)
            await self._writer.drain()

    def _end_service(self) -> None:
        if self._writer is not None and self._writer.can_write_eof() and not self._writer.is_closing():
            self._writer.write_eof()

    async def _service_is_done(self) -> None:
        if self._from_service is not None:
            await self._from_service

    async def _copy(self, reader: asyncio.StreamReader) -> None:
        try:
            while data := await reader.read(_CHUNK):
                self._send(data)
                await self._session.drain()
            self._send_end()
            self._session.end()
        except (OSError, SessionError):
            self._session.cut()
            raise

    def _send(self, data: bytes) -> None:
        self._session.write(data)

    def _send_end(self) -> None:
        pass


class _TlsConnection(_Connection):
    """TLS of the visitor ends here."""

    def __init__(
        self, session: ReverseSession, opening: Opening, service: Service, signer: Signer, server_name: str
    ) -> None:
        super().__init__(session, service)
        self._opening = opening
        self._signer = signer
        self._tls = TlsServer(signer.chain, server_name=server_name, alpn=(b"http/1.1",))
        self._has_signed = False
        self._deadline = asyncio.timeout(_HANDSHAKE_TIMEOUT)

    async def run(self) -> None:
        try:
            async with self._deadline:
                async for event in self._session.events():
                    await self._take(event)
                await self._service_is_done()
        except TlsError:
            await self._fail()
            raise
        except UnsignedError:
            self._tls.refuse()
            await self._fail()
            raise

    async def _fail(self) -> None:
        """The alert is sent, then the connection ends."""
        self._flush()
        await self._session.drain()
        self._session.end()

    async def _take(self, event: Data | End | SigningAnswer) -> None:
        if isinstance(event, Data):
            await self._feed(event.data)
        elif isinstance(event, End):
            self._tls.receive_eof()
        elif event.status == 200:
            self._tls.sign(event.content)
            self._flush()
            await self._feed(b"")
        else:
            raise UnsignedError(_code_of(event.content))

    async def _feed(self, data: bytes) -> None:
        for event in self._tls.receive(data):
            await self._handle(event)
        self._flush()
        if self._has_signed:
            self._has_signed = False
            await self._feed(b"")

    async def _handle(self, event: Event) -> None:
        if isinstance(event, ApplicationData):
            await self._to_service(event.data)
        elif isinstance(event, CloseNotify):
            self._end_service()
        elif isinstance(event, HandshakeDone):
            self._deadline.reschedule(None)
            self._flush()
            await self._start_service()
        elif isinstance(event, SignatureNeeded):
            if self._opening.binding is None:
                raise SessionError("TLS without a binding")
            if self._session.signs:
                self._session.request_signature(event.scheme, event.transcript)
            else:
                self._tls.sign(await self._signer.sign(self._opening.binding, event))
                self._has_signed = True

    def _flush(self) -> None:
        self._session.write(self._tls.take_output())

    def _send(self, data: bytes) -> None:
        self._tls.send(data)
        self._flush()

    def _send_end(self) -> None:
        self._tls.close()
        self._flush()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Closes a connection so that its peer takes it for cut, not for ended."""
    connection: socket.socket | None = writer.get_extra_info("socket")
    if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _code_of(envelope: bytes) -> str:
    try:
        return str(json.loads(envelope)["error"]["code"])[:64]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "no envelope"
