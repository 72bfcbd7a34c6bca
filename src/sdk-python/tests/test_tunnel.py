"""A service on a public name, through a real relay."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import socket
import ssl
import subprocess

import pytest
from conftest import Relay, Serve, echo, hello, until

from portal_sdk import ApiError, Identity, NetworkError, Tunnel, UsageError, expose


def open_tunnel(relay: Relay, port: int, name: str, **options: object) -> Tunnel:
    return expose(port, relay=relay.url, name=name, ca_file=relay.ca_file, **options)  # type: ignore[arg-type]


async def test_curl_reaches_a_service(relay: Relay, serve: Serve) -> None:
    async with open_tunnel(relay, await serve(hello), "py-curl") as tunnel:
        assert tunnel.url == f"https://py-curl.portal.localhost:{relay.port}"
        host = f"py-curl.portal.localhost:{relay.port}:127.0.0.1"
        process = await asyncio.create_subprocess_exec(
            "curl",
            "-sS",
            "--cacert",
            relay.ca_file,
            "--resolve",
            host,
            f"{tunnel.url}/curl",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        assert out == b"hello from /curl"


async def test_many_visitors_at_once_are_served_and_sessions_are_recycled(relay: Relay, serve: Serve) -> None:
    async with open_tunnel(relay, await serve(hello), "py-many") as tunnel:
        for _ in range(3):
            answers = await asyncio.gather(*(relay.get("py-many.portal.localhost", f"/{n}") for n in range(40)))
            assert answers == [(200, b"hello from /%d" % n) for n in range(40)]
            await until(lambda: tunnel.connections == 0)
        assert len(tunnel._sessions) < 60, "120 visitors"


async def test_much_arrives_intact_both_ways(relay: Relay, serve: Serve) -> None:
    async with open_tunnel(relay, await serve(echo), "py-much"):
        reader, writer = await relay.visit("py-much.portal.localhost")
        block = os.urandom(1_000_000)
        sent, got = hashlib.sha256(), hashlib.sha256()

        async def send() -> None:
            for _ in range(30):
                sent.update(block)
                writer.write(block)
                await writer.drain()

        async def receive() -> None:
            left = 30_000_000
            while left > 0:
                data = await reader.read(65_536)
                assert data
                got.update(data)
                left -= len(data)

        await asyncio.gather(send(), receive())
        assert got.digest() == sent.digest()
        writer.transport.abort()


async def test_a_service_ends_its_direction_and_the_visitor_goes_on(relay: Relay, serve: Serve) -> None:
    heard = asyncio.get_running_loop().create_future()

    async def farewell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"bye")
        writer.write_eof()
        heard.set_result(await reader.read(-1))

    def visit() -> bytes:
        with socket.create_connection(("127.0.0.1", relay.port), timeout=10) as plain:
            tls = relay.context().wrap_socket(plain, server_hostname="py-half.portal.localhost")
            said = b""
            while data := tls.recv(100):
                said += data
            tls.sendall(b"late words")
            tls.unwrap()
            return said

    async with open_tunnel(relay, await serve(farewell), "py-half"):
        assert await asyncio.to_thread(visit) == b"bye"
        async with asyncio.timeout(10):
            assert await heard == b"late words"


async def test_a_visitor_that_breaks_off_ends_its_own_connection_alone(relay: Relay, serve: Serve) -> None:
    cut = asyncio.get_running_loop().create_future()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.readexactly(5)
        if data == b"hello":
            writer.write(b"welcome")
            return
        try:
            await reader.read(-1)
        except OSError as error:
            cut.set_result(error)

    async with open_tunnel(relay, await serve(listen), "py-cut"):
        _, writer = await relay.visit("py-cut.portal.localhost")
        writer.write(b"12345")
        await writer.drain()
        writer.transport.abort()
        async with asyncio.timeout(10):
            assert isinstance(await cut, ConnectionResetError)
        reader, writer = await relay.visit("py-cut.portal.localhost")
        writer.write(b"hello")
        assert await reader.readexactly(7) == b"welcome"
        writer.transport.abort()


async def test_a_service_that_is_down_fails_its_visitor_and_nothing_else(relay: Relay, serve: Serve) -> None:
    async with open_tunnel(relay, 1, "py-down") as tunnel:
        for _ in range(3):
            with pytest.raises((OSError, EOFError)):
                await relay.get("py-down.portal.localhost")
        await until(lambda: tunnel.connections == 0)


async def test_visitors_that_do_not_speak_tls_13_get_an_alert(relay: Relay, serve: Serve) -> None:
    async with open_tunnel(relay, await serve(hello), "py-old") as tunnel:
        context = relay.context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        for _ in range(12):
            with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
                await asyncio.open_connection(
                    "127.0.0.1", relay.port, ssl=context, server_hostname="py-old.portal.localhost"
                )
        assert (await relay.get("py-old.portal.localhost", "/x"))[0] == 200
        await until(lambda: tunnel.connections == 0)


async def test_a_name_is_given_back_at_the_end(relay: Relay, serve: Serve) -> None:
    port = await serve(hello)
    async with open_tunnel(relay, port, "py-back"):
        pass
    async with open_tunnel(relay, port, "py-back") as tunnel:
        assert tunnel.lease.hostname == "py-back.portal.localhost"


async def test_a_name_that_another_has_is_told_at_once(relay: Relay, serve: Serve) -> None:
    port = await serve(hello)
    async with open_tunnel(relay, port, "py-taken"):
        with pytest.raises(ApiError) as failure:
            async with open_tunnel(relay, port, "py-taken"):
                pass
        assert failure.value.code == "hostname_conflict"


async def test_a_tunnel_that_is_replaced_by_its_own_identity_ends(relay: Relay, serve: Serve) -> None:
    port, identity = await serve(hello), Identity.create()
    async with (
        open_tunnel(relay, port, "py-twice", identity=identity) as first,
        open_tunnel(relay, port, "py-twice", identity=identity),
    ):
        async with asyncio.timeout(20):
            with pytest.raises(ApiError) as failure:
                await first.wait_closed()
        assert failure.value.code == "hostname_conflict"
        assert (await relay.get("py-twice.portal.localhost"))[0] == 200


async def test_a_lease_outlives_its_first_end(relay: Relay, serve: Serve) -> None:
    async with open_tunnel(relay, await serve(hello), "py-long", ttl=2) as tunnel:
        first = tunnel._keeper.access_token
        await until(lambda: tunnel._keeper.access_token != first)
        assert (await relay.get("py-long.portal.localhost"))[0] == 200


async def test_a_tunnel_is_back_after_its_relay_was_killed(own_relay: Relay, serve: Serve) -> None:
    async with open_tunnel(own_relay, await serve(hello), "py-killed"):
        assert (await own_relay.get("py-killed.portal.localhost"))[0] == 200
        own_relay.kill()
        own_relay.start()
        async with asyncio.timeout(30):
            while True:
                try:
                    assert (await own_relay.get("py-killed.portal.localhost"))[0] == 200
                    break
                except (OSError, EOFError):
                    await asyncio.sleep(0.1)


async def test_a_visitor_that_cannot_be_served_does_not_end_the_tunnel(
    relay: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    # No resolver takes such a label: it is no OSError.
    target = f"{'x' * 64}.example:80"
    async with expose(target, relay=relay.url, name="py-unserved", ca_file=relay.ca_file) as tunnel:
        for _ in range(2):
            with pytest.raises((OSError, EOFError)):
                await relay.get("py-unserved.portal.localhost")
        await until(lambda: tunnel.connections == 0)
        assert caplog.text.count("a connection could not be served") == 2
        assert tunnel._run is not None
        assert not tunnel._run.done()


async def test_a_relay_of_another_ca_ends_the_tunnel_at_once(relay: Relay) -> None:
    with pytest.raises(NetworkError) as failure:
        async with expose(1, relay=relay.url, name="py-ca"):
            pass
    assert failure.value.reason == "certificate"


async def test_no_token_and_no_binding_is_logged(relay: Relay, serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with open_tunnel(relay, await serve(hello), "py-log") as tunnel:
        await relay.get("py-log.portal.localhost")
        token = tunnel._keeper.access_token
    assert token not in caplog.text


@pytest.mark.parametrize(
    ("target", "options"),
    [("nothing", {}), ("host:", {}), ("host:99999", {}), (0, {}), (80, {"ready": 9}), (80, {"max_connections": 0})],
)
def test_wrong_usage_is_told(target: str | int, options: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        expose(target, relay="https://relay.example.com", name="x", **options)  # type: ignore[arg-type]
