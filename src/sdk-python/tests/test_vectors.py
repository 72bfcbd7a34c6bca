"""The vectors of docs/vectors, which all implementations read."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest
from conftest import vectors

from portal_sdk import NetworkError, SigningRefusedError
from portal_sdk.opening import RAW_TCP, Address, OpeningError, read_opening
from portal_sdk.relay_url import RelayUrl
from portal_sdk.session import Data, ReverseSession, SessionError, SigningAnswer
from portal_sdk.sign_in import check_sign_in_message
from portal_sdk.tls.keys import AES_128, digest
from portal_sdk.tls.messages import parse_client_hello
from portal_sdk.tls.server import certificate_verify_content

Vector = dict[str, object]


def of(name: str, *kinds: str) -> list[object]:
    content = vectors(name)
    return [pytest.param(vector, id=str(vector["name"])) for kind in kinds for vector in content[kind]]


def stream(data: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return reader


class Sink:
    """What a session writes, for those that only read."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.transport = self

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        pass


async def visited(data: bytes, *, signs: bool = False) -> tuple[ReverseSession, Sink, asyncio.StreamReader]:
    """A recycled session whose visitor sends this."""
    sink = Sink()
    reader = stream(b"\2" + bytes(16) + data)
    session = ReverseSession(reader, sink, recycles=True, signs=signs)  # type: ignore[arg-type]
    await session.wait()
    return session, sink, reader


def hexed(vector: Vector) -> bytes:
    # Where there is padding, so many of that byte follow.
    padding = vector.get("padding")
    more = bytes.fromhex(str(padding["byte"])) * int(padding["count"]) if isinstance(padding, dict) else b""
    return bytes.fromhex(str(vector["hex"])) + more


async def opened(vector: Vector) -> tuple[object, bytes]:
    asked = vector["asked"]
    assert isinstance(asked, dict)
    reader = stream(hexed(vector))
    marker = 0
    while marker == 0:
        marker = (await reader.readexactly(1))[0]
    opening = await read_opening(reader, marker, has_binding=asked["binding"], has_proxy=asked["proxy"])
    return opening, await reader.read(-1)


@pytest.mark.parametrize("vector", of("session-openings", "valid"))
async def test_openings_are_read(vector: Vector) -> None:
    opening, rest = await opened(vector)
    assert rest.hex() == vector["rest"]
    assert getattr(opening, "marker", None) == (RAW_TCP if vector["kind"] == "raw_tcp" else 2)
    binding = getattr(opening, "binding", None)
    assert (binding.hex() if binding is not None else None) == vector.get("binding")
    addresses = vector.get("addresses")
    source = addresses["source"] if isinstance(addresses, dict) else None
    expected = None if source is None else Address(source["address"], source["port"])
    assert getattr(opening, "visitor", None) == expected


@pytest.mark.parametrize("vector", of("session-openings", "incomplete"))
async def test_openings_that_end_early_are_not_read(vector: Vector) -> None:
    with pytest.raises(EOFError):
        await opened(vector)


@pytest.mark.parametrize("vector", of("session-openings", "invalid"))
async def test_openings_that_are_not_valid_are_refused(vector: Vector) -> None:
    with pytest.raises(OpeningError):
        await opened(vector)


@pytest.mark.parametrize("vector", of("proxy-headers", "valid"))
async def test_proxy_headers_are_read(vector: Vector) -> None:
    data = hexed(vector)
    reader = stream(data)
    opening = await read_opening(reader, RAW_TCP, has_binding=False, has_proxy=True)
    addresses = vector["addresses"]
    source = addresses["source"] if isinstance(addresses, dict) else None
    assert opening.visitor == (None if source is None else Address(source["address"], source["port"]))
    assert await reader.read(-1) == data[int(str(vector["length"])) :]


@pytest.mark.parametrize("vector", of("proxy-headers", "invalid"))
async def test_proxy_headers_that_are_not_valid_are_refused(vector: Vector) -> None:
    with pytest.raises((OpeningError, EOFError)):
        await read_opening(stream(hexed(vector)), RAW_TCP, has_binding=False, has_proxy=True)


@pytest.mark.parametrize("vector", of("frames", "valid"))
async def test_frames_are_read(vector: Vector) -> None:
    session, sink, reader = await visited(hexed(vector))
    found: list[object] = []
    data = b""
    try:
        async for event in session.events():
            if isinstance(event, Data):
                data += event.data
            else:
                found.append("end")
    except SessionError:
        if sink.written:
            assert sink.written == b"\xff\xff\xff\xff", "who receives a cut, cuts"
            found.append("cut")
    events = vector["events"]
    assert isinstance(events, list)
    assert data.hex() == "".join(event["data"] for event in events if isinstance(event, dict))
    assert found == ["end" if event == "last" else event for event in events if isinstance(event, str)]
    session.end()
    assert session.is_reusable == ("last" not in events and found != [])
    if "unread" in vector:
        assert (await reader.read(-1)).hex() == vector["unread"]


@pytest.mark.parametrize("vector", of("frames", "invalid"))
async def test_frames_that_are_not_valid_end_the_session(vector: Vector) -> None:
    session, _, _ = await visited(hexed(vector))
    with pytest.raises(SessionError):
        async for _ in session.events():
            pass
    assert not session.is_reusable


@pytest.mark.parametrize("vector", of("signing-messages", "requests"))
async def test_signatures_are_asked_for(vector: Vector) -> None:
    session, sink, _ = await visited(b"", signs=True)
    session.request_signature(int(str(vector["scheme"]), 16), bytes.fromhex(str(vector["transcript"])))
    assert sink.written.hex() == vector["hex"]


@pytest.mark.parametrize("vector", of("signing-messages", "responses"))
async def test_signatures_are_read(vector: Vector) -> None:
    session, _, _ = await visited(hexed(vector) + bytes(4), signs=True)
    session.request_signature(0x0403, b"")
    events = [event async for event in session.events()]
    assert events[0] == SigningAnswer(int(str(vector["status"])), bytes.fromhex(str(vector["body"])))


@pytest.mark.parametrize("vector", of("signing-messages", "invalid"))
async def test_signing_messages_that_are_not_valid_end_the_session(vector: Vector) -> None:
    session, _, _ = await visited(hexed(vector), signs=True)
    session.request_signature(0x0403, b"")
    with pytest.raises(SessionError):
        async for _ in session.events():
            pass


async def test_a_signature_that_was_not_asked_for_ends_the_session() -> None:
    session, _, _ = await visited(hexed(vectors("signing-messages")["responses"][0]), signs=True)
    with pytest.raises(SessionError):
        async for _ in session.events():
            pass


def check(vector: Vector) -> None:
    content: dict[str, str] = vectors("sign-in-messages")  # type: ignore[assignment]
    check_sign_in_message(
        str(vector["message"]),
        relay=RelayUrl.parse(content["relay"]),
        address=content["address"],
        challenge_id=content["challenge_id"],
        path=content["path"],
        now=datetime.fromisoformat(content["now"]),
    )


@pytest.mark.parametrize("vector", of("sign-in-messages", "valid"))
def test_a_sign_in_is_signed(vector: Vector) -> None:
    check(vector)


@pytest.mark.parametrize("vector", of("sign-in-messages", "invalid"))
def test_nothing_else_is_signed(vector: Vector) -> None:
    with pytest.raises((SigningRefusedError, NetworkError)):
        check(vector)


@pytest.mark.parametrize("vector", of("transcripts", "valid"))
def test_what_is_signed_is_made_of_the_transcript(vector: Vector) -> None:
    transcript = bytes.fromhex(str(vector["transcript"]))
    assert digest(AES_128, transcript).hex() == vector["hash"]
    assert certificate_verify_content(digest(AES_128, transcript)).hex() == vector["content"]
    hello = parse_client_hello(transcript[: 4 + int.from_bytes(transcript[1:4])])
    assert hello.server_name == "my-app.portal.example.com"
