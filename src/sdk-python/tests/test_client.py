"""Calls: what relays may answer, and what they may not."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import time
from pathlib import Path

import pytest
from conftest import Relay, Serve, vectors

from portal_sdk import (
    AnswerError,
    ApiError,
    Identity,
    LeaseWish,
    NetworkError,
    PortalError,
    RelayClient,
    SigningRefusedError,
    UsageError,
    register,
)
from portal_sdk.contract import (
    ERROR_CATALOGUE,
    Health,
    IdentityInput,
    RegisterChallengeRequest,
    RenewRequest,
    UnregisterRequest,
)
from portal_sdk.relay_url import RelayUrl

GZIP = "Content-Encoding: gzip\r\n"


def answer(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


async def ask(serve: Serve, response: bytes, timeout: float = 5) -> object:
    """What ``get_health`` makes of a response."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response)
        await writer.drain()
        await reader.read(1)

    async with RelayClient(f"http://127.0.0.1:{await serve(handler)}", timeout=timeout) as client:
        return await client.get_health()


async def test_a_relay_tells_what_it_is(relay: Relay) -> None:
    async with RelayClient(relay.url, ca_file=relay.ca_file) as client:
        domain = await client.get_domain()
        assert domain.root_host == "portal.localhost"
        assert (await client.get_health()).status == "ok"
        assert abs(client.now().timestamp() - time.time()) < 5


async def test_a_name_is_leased_renewed_and_given_back(relay: Relay) -> None:
    async with RelayClient(relay.url, ca_file=relay.ca_file) as client:
        identity = Identity.create()
        lease = await register(client, identity, LeaseWish(name="py-lease", ttl=60))
        assert lease.hostname == "py-lease.portal.localhost"
        assert lease.identity.address == identity.address
        renewal = await client.renew_lease(RenewRequest(ttl=120), access_token=lease.access_token)
        status = await client.get_tunnel_status(lease.hostname, access_token=renewal.access_token)
        assert not status.service_alive
        with pytest.raises(ApiError) as taken:
            await register(client, Identity.create(), LeaseWish(name="py-lease"))
        assert taken.value.code == "hostname_conflict"
        await client.unregister_lease(UnregisterRequest(), access_token=renewal.access_token)
        with pytest.raises(ApiError) as gone:
            await client.renew_lease(RenewRequest(), access_token=renewal.access_token)
        assert (gone.value.code, gone.value.status, gone.value.retry) == ("lease_not_found", 404, "reauthenticate")


async def test_a_relay_of_another_ca_is_not_believed(relay: Relay) -> None:
    async with RelayClient(relay.url) as client:
        with pytest.raises(NetworkError) as failure:
            await client.get_domain()
        assert failure.value.reason == "certificate"


async def test_a_relay_that_is_not_there_is_unreachable() -> None:
    async with RelayClient("https://127.0.0.1:1") as client:
        with pytest.raises(NetworkError) as failure:
            await client.get_domain()
        assert failure.value.reason == "unreachable"


@pytest.mark.parametrize("code", sorted(ERROR_CATALOGUE))
async def test_every_error_code_is_told(serve: Serve, code: str) -> None:
    entry = ERROR_CATALOGUE[code]
    body = json.dumps({"ok": False, "error": {"code": code, "message": "why"}}).encode()
    with pytest.raises(ApiError) as failure:
        await ask(serve, answer(body, f"{entry.status} X"))
    assert (failure.value.code, failure.value.message, failure.value.retry) == (code, "why", entry.retry)
    assert failure.value.retry_after == entry.retry_after_seconds


async def test_a_code_that_is_not_known_is_treated_by_its_status(serve: Serve) -> None:
    body = json.dumps({"ok": False, "error": {"code": "of_tomorrow", "message": "\x1b[31mred"}}).encode()
    with pytest.raises(ApiError) as failure:
        await ask(serve, answer(body, "429 Too Many Requests", "Retry-After: 7\r\n"))
    assert (failure.value.retry, failure.value.retry_after) == ("after_delay", 7)
    assert "\x1b" not in str(failure.value)
    with pytest.raises(ApiError) as failure:
        await ask(serve, answer(body, "418 X", "Retry-After: 99999999999999\r\n"))
    assert (failure.value.retry, failure.value.retry_after) == ("never", None)


async def test_fields_that_are_not_known_are_left_out(serve: Serve) -> None:
    body = b'{"ok":true,"data":{"status":"ok","of_tomorrow":[1]},"more":1}'
    assert await ask(serve, answer(body)) == Health(status="ok")


@pytest.mark.parametrize(
    "response",
    [
        answer(b"no json"),
        answer(b"[]"),
        answer(b"{}"),
        answer(b'{"ok":true}'),
        answer(b'{"ok":true,"data":{}}'),
        answer(b'{"ok":true,"data":{"status":7}}'),
        answer(b'{"ok":true,"data":{"status":"ok","degraded":"store"}}'),
        answer(b'{"ok":true,"data":{"status":"ok"}}', "500 X"),
        answer(b'{"ok":false,"error":{"code":7,"message":"x"}}', "500 X"),
        answer(b'{"ok":false}', "500 X"),
        answer(b"[" * 100_000),
        answer(b'{"ok":true,"data":{"status":"' + b"a" * 300_000 + b'"}}'),
        answer(b"{}", "302 Found", "Location: https://other.example.com/\r\n"),
        answer(gzip.compress(b'{"ok":true,"data":{"status":"ok"}}' + b" " * 50_000_000), "200 OK", GZIP),
    ],
    ids=lambda response: str(response[:15] + response[-20:]),
)
async def test_what_the_contract_does_not_have_is_an_answer_error(serve: Serve, response: bytes) -> None:
    with pytest.raises(AnswerError):
        await ask(serve, response)


@pytest.mark.parametrize("response", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000])
async def test_what_is_not_http_is_a_network_error(serve: Serve, response: bytes) -> None:
    with pytest.raises(NetworkError):
        await ask(serve, response, timeout=1)


async def test_a_relay_that_is_slow_is_given_up(serve: Serve) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with RelayClient(f"http://127.0.0.1:{await serve(drip)}", timeout=0.5) as client:
        with pytest.raises(NetworkError) as failure:
            await client.get_health()
        assert failure.value.reason == "timeout"


async def test_no_other_message_than_a_sign_in_is_signed(serve: Serve) -> None:
    """A relay passes on the challenge of another relay."""
    message = str(vectors("sign-in-messages")["valid"][0]["message"])
    asked: list[bytes] = []

    async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split()[1])
        data = {"challenge_id": "chl_01", "expires_at": "2026-03-01T12:02:00Z", "siwe_message": message}
        writer.write(answer(json.dumps({"ok": True, "data": data}).encode()))
        await writer.drain()

    async with RelayClient(f"http://127.0.0.1:{await serve(lie)}") as client:
        with pytest.raises(SigningRefusedError, match="domain"):
            await register(client, Identity.create(), LeaseWish(name="victim"))
    assert asked == [b"/sdk/register/challenge"], "nothing was signed, nothing was sent"


@pytest.mark.parametrize(
    "url",
    [
        "http://relay.example.com",
        "https://relay.example.com/path",
        "https://user:pass@relay.example.com",
        "https://relay.example.com?x",
        "ftp://relay.example.com",
        "https://relay.example.com:99999",
        "https://",
        "https://relay.example.com\r\nX: y",
        "",
    ],
)
def test_what_is_no_relay_url_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError):
        RelayUrl.parse(url)


def test_relay_urls_are_read() -> None:
    assert RelayUrl.parse("relay.example.com").origin == "https://relay.example.com"
    assert RelayUrl.parse("https://Relay.Example.com:443/").authority == "relay.example.com"
    assert RelayUrl.parse("https://portal.localhost:8443").authority == "portal.localhost:8443"
    assert RelayUrl.parse("https://[::1]:8443").authority == "[::1]:8443"


def test_an_identity_signs_as_ethereum_does() -> None:
    # The first account of the mnemonic that test networks use, and what its wallets sign.
    identity = Identity(bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"))
    assert identity.address == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    signature = identity.sign("hello")
    assert len(signature) == 132
    assert signature[-2:] in ("1b", "1c")


def test_an_identity_is_kept_in_a_file_that_nobody_else_can_read(tmp_path: Path) -> None:
    file = tmp_path / "new" / "identity.json"
    identity = Identity.load(file)
    assert Identity.load(file).address == identity.address
    assert os.stat(file).st_mode & 0o777 == 0o600
    assert [each.name for each in file.parent.iterdir()] == ["identity.json"]
    file.chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        Identity.load(file)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"address":"0x1","private_key":"0x2"}', "x" * 5_000])
def test_a_file_that_is_no_identity_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "identity.json"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(UsageError, match="identity file"):
        Identity.load(file)


def test_all_errors_have_one_base() -> None:
    assert all(issubclass(kind, PortalError) for kind in (ApiError, NetworkError, AnswerError, UsageError))


async def test_requests_are_as_the_contract_has_them(relay: Relay) -> None:
    async with RelayClient(relay.url, ca_file=relay.ca_file) as client:
        with pytest.raises(ApiError) as failure:
            await client.create_register_challenge(
                RegisterChallengeRequest(identity=IdentityInput(name="x", address="nobody"))
            )
        assert failure.value.code == "invalid_address"
