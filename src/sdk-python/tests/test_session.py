"""Frames of a reverse session, from a peer that is played here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from portal_sdk.session import Data, ReverseSession

OPENING = b"\x02" + bytes(16)
END = bytes(4)


@asynccontextmanager
async def played() -> AsyncIterator[tuple[ReverseSession, asyncio.StreamWriter]]:
    """A session, and its other end."""
    accepted: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
    server = await asyncio.start_server(lambda _, writer: accepted.set_result(writer), "127.0.0.1", 0)
    async with server:
        streams = await asyncio.open_connection(*server.sockets[0].getsockname())
        session, relay = ReverseSession(*streams, recycles=True), await accepted
        try:
            yield session, relay
        finally:
            relay.transport.abort()
            await session.close()


async def test_the_rest_of_a_frame_is_dropped_with_its_connection() -> None:
    async with played() as (session, relay):
        # What remains of the frame would be taken for the end of the connection.
        relay.write(OPENING + (24).to_bytes(4) + b"head")
        await session.wait()
        async for event in session.events():
            assert event == Data(b"head")
            break
        session.cut()
        relay.write(END + bytes([0xEE] * 16) + END + OPENING)
        await session.finish()
        assert session.is_reusable
        assert (await session.wait()).binding == bytes(16)
