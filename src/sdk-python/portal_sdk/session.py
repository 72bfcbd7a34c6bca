"""Reverse sessions: connections to a relay on which visitors come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TypeVar

import h11

from .client import RelayClient, api_error, network_error
from .errors import AnswerError, NetworkError
from .opening import KEEPALIVE, Opening, OpeningError, read_opening

T = TypeVar("T")

_CONNECT_TIMEOUT = 10.0
_SILENCE = 45.0
"""Seconds without a byte after which a session that waits is dead."""
_CUT_GRACE = 5.0
_MAX_REFUSAL_BYTES = 64 * 1024
_MAX_FRAME = 2**20
_MAX_SIGNING_MESSAGE = 65_538
_CHUNK = 64 * 1024
_END, _LAST, _CUT, _SIGNING = 0, 0xFFFF_FFFE, 0xFFFF_FFFF, 0xFFFF_FFFD


class SessionError(Exception):
    """The session was cut, or the relay does not keep to the protocol. The visitor's connection is gone with it."""


@dataclass(frozen=True, slots=True)
class Data:
    """Bytes of the visitor."""

    data: bytes


@dataclass(frozen=True, slots=True)
class End:
    """The visitor sends nothing more. It may still receive."""


@dataclass(frozen=True, slots=True)
class SigningAnswer:
    """What the relay says to ``request_signature``."""

    status: int
    content: bytes
    """The signature, or else the error's envelope."""


class ReverseSession:
    """
    One session. It waits for a visitor, serves it, and, if the relay recycles sessions, waits again.

    Whoever serves reads ``events`` until they end, writes by ``write`` and ``drain``, and ends its own direction by
    ``end`` or ``cut``.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        head: bytes = b"",
        has_proxy: bool = False,
        recycles: bool = False,
        signs: bool = False,
    ) -> None:
        self._reader = _Ahead(reader, head)
        self._writer = writer
        self._has_proxy = has_proxy
        self._recycles = recycles
        self.signs = signs
        """Whether handshakes are signed inside the session."""
        self._has_ended = True
        """Whether this side has ended its direction."""
        self._peer_has_ended = True
        self._is_last = False
        self._was_cut = False
        self._expects_signature = False
        self._left = 0
        """Bytes of a frame that are still to be read."""

    @classmethod
    async def open(cls, client: RelayClient, access_token: str, *, visitor_addresses: bool = False) -> ReverseSession:
        """
        Opens one.

        :raises ApiError: when the relay refuses
        :raises NetworkError: when it is not reached, or does not answer
        """
        relay = client.relay
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT):
                is_secure = relay.scheme == "https"
                reader, writer = await asyncio.open_connection(
                    relay.address,
                    relay.port,
                    ssl=client.session_ssl_context if is_secure else None,
                    server_hostname=relay.server_name if is_secure else None,
                )
                try:
                    return await cls._switch(reader, writer, client, access_token, visitor_addresses)
                except BaseException:
                    writer.transport.abort()
                    raise
        except TimeoutError as error:
            raise NetworkError("timeout", f"no answer from {relay} within {_CONNECT_TIMEOUT:g} s") from error
        except OSError as error:
            raise network_error(error, relay) from error

    @classmethod
    async def _switch(
        cls,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        client: RelayClient,
        access_token: str,
        visitor_addresses: bool,
    ) -> ReverseSession:
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=16 * 1024)
        headers = [
            ("Host", client.relay.authority),
            ("Connection", "Upgrade"),
            ("Upgrade", "portal-reverse"),
            ("X-Portal-Access-Token", access_token),
            ("X-Portal-Binding", "1"),
            ("X-Portal-Recycle", "1"),
            ("X-Portal-Sign", "1"),
        ]
        if visitor_addresses:
            headers.append(("X-Portal-Proxy", "2"))
        request = connection.send(h11.Request(method="GET", target="/sdk/connect", headers=headers))
        rest = connection.send(h11.EndOfMessage())
        writer.write((request or b"") + (rest or b""))
        body = bytearray()
        refusal: h11.Response | None = None
        try:
            while True:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    connection.receive_data(await reader.read(_CHUNK))
                elif isinstance(event, h11.InformationalResponse) and event.status_code == 101:
                    agreed = {name for name, value in event.headers if value == b"1"}
                    recycles = b"x-portal-recycle" in agreed
                    return cls(
                        reader,
                        writer,
                        head=connection.trailing_data[0],
                        has_proxy=visitor_addresses,
                        recycles=recycles,
                        signs=recycles and b"x-portal-sign" in agreed,
                    )
                elif isinstance(event, h11.Response):
                    refusal = event
                elif isinstance(event, h11.Data):
                    body += event.data
                    if len(body) > _MAX_REFUSAL_BYTES:
                        raise AnswerError("the relay's answer is too large")
                elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed) or event is h11.PAUSED:
                    break
        except h11.RemoteProtocolError as error:
            raise AnswerError(f"{client.relay} does not answer by HTTP: {error}") from error
        if refusal is None:
            raise NetworkError("unreachable", f"{client.relay} closes the connection without an answer")
        if refusal.status_code < 400:
            raise AnswerError(f"{client.relay} answers with {refusal.status_code}", refusal.status_code)
        after = next((value.decode("latin-1") for name, value in refusal.headers if name == b"retry-after"), None)
        raise api_error(bytes(body), refusal.status_code, after)

    @property
    def is_reusable(self) -> bool:
        """Whether it can wait for another visitor."""
        done = self._has_ended and self._peer_has_ended
        return self._recycles and done and not self._is_last and not self._was_cut

    async def wait(self) -> Opening:
        """
        Waits for a visitor.

        :raises SessionError: when the session ends first; that is no failure of the relay
        """
        try:
            while True:
                async with asyncio.timeout(_SILENCE):
                    marker = (await self._reader.readexactly(1))[0]
                    if marker == KEEPALIVE:
                        continue
                    opening = await read_opening(self._reader, marker, has_binding=True, has_proxy=self._has_proxy)
                    self._has_ended = self._peer_has_ended = self._expects_signature = False
                    return opening
        except (OSError, EOFError, OpeningError) as error:
            raise SessionError(str(error) or "the session was silent for too long") from error

    async def events(self) -> AsyncIterator[Data | End | SigningAnswer]:
        """
        What comes from the visitor, up to ``End``.

        :raises SessionError: when the connection was cut
        """
        try:
            if self._recycles:
                async for event in self._frames():
                    yield event
            else:
                while data := await self._reader.read(_CHUNK):
                    yield Data(data)
                self._peer_has_ended = True
                yield End()
        except (OSError, EOFError) as error:
            self._was_cut = True
            raise SessionError("the session broke off") from error

    async def _frames(self) -> AsyncIterator[Data | End | SigningAnswer]:
        while not self._peer_has_ended:
            if self._left > 0:
                data = await self._reader.read(min(self._left, _CHUNK))
                if not data:
                    raise EOFError
                self._left -= len(data)
                yield Data(data)
                continue
            length = int.from_bytes(await self._reader.readexactly(4))
            if length in (_END, _LAST):
                self._peer_has_ended = True
                self._is_last = self._is_last or length == _LAST
                yield End()
            elif length == _CUT:
                self._peer_has_ended = True
                self.cut()
                raise SessionError("the visitor's connection was cut")
            elif length == _SIGNING:
                yield await self._signing_answer()
            elif length > _MAX_FRAME:
                self._was_cut = True
                raise SessionError("a frame is too long")
            else:
                self._left = length

    async def _signing_answer(self) -> SigningAnswer:
        length = int.from_bytes(await self._reader.readexactly(4))
        if not self._expects_signature or not 2 <= length <= _MAX_SIGNING_MESSAGE:
            self._was_cut = True
            raise SessionError("a signing message out of turn")
        self._expects_signature = False
        message = await self._reader.readexactly(length)
        return SigningAnswer(int.from_bytes(message[:2]), message[2:])

    def request_signature(self, scheme: int, transcript: bytes) -> None:
        """Asks for the signature of this connection's handshake: the answer is among the events."""
        self._expects_signature = True
        message = scheme.to_bytes(2) + transcript
        self._writer.write(_SIGNING.to_bytes(4) + len(message).to_bytes(4) + message)

    def write(self, data: bytes) -> None:
        """Sends bytes to the visitor."""
        if self._has_ended or not data:
            return
        if self._recycles:
            for at in range(0, len(data), _MAX_FRAME):
                part = data[at : at + _MAX_FRAME]
                self._writer.write(len(part).to_bytes(4) + part)
        else:
            self._writer.write(data)

    async def drain(self) -> None:
        """
        Waits until more can be written.

        :raises SessionError:
        """
        try:
            await self._writer.drain()
        except OSError as error:
            self._was_cut = True
            raise SessionError("the session broke off") from error

    def end(self) -> None:
        """
        Ends this side's direction. A session that is not recycled has no half-close: TLS of asyncio cannot. It is
        closed once the visitor has ended too, or by ``close``.
        """
        if not self._has_ended and self._recycles:
            self._writer.write(_END.to_bytes(4))
        self._has_ended = True

    def cut(self) -> None:
        """Breaks the visitor's connection off."""
        if self._has_ended:
            return
        self._has_ended = True
        if self._recycles:
            self._writer.write(_CUT.to_bytes(4))
        else:
            self._was_cut = True
            self._writer.transport.abort()

    async def finish(self) -> None:
        """Drops what still comes of a connection that this side has cut, so that the session may wait again."""
        try:
            async with asyncio.timeout(_CUT_GRACE):
                while not self._peer_has_ended and not self._was_cut:
                    async for _ in self.events():
                        pass
        except (SessionError, TimeoutError):
            self._was_cut = self._was_cut or not self._peer_has_ended

    async def close(self) -> None:
        """Closes the session, and cuts a connection that is on it."""
        self.cut()
        self._writer.close()
        try:
            async with asyncio.timeout(_CUT_GRACE):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self._writer.transport.abort()


class _Ahead:
    """A stream some bytes of which were read already."""

    def __init__(self, reader: asyncio.StreamReader, head: bytes) -> None:
        self._reader = reader
        self._head = head

    async def readexactly(self, count: int, /) -> bytes:
        if not self._head:
            return await self._reader.readexactly(count)
        taken, self._head = self._head[:count], self._head[count:]
        return taken + (await self._reader.readexactly(count - len(taken)) if len(taken) < count else b"")

    async def read(self, most: int) -> bytes:
        if not self._head:
            return await self._reader.read(most)
        taken, self._head = self._head[:most], self._head[most:]
        return taken
