"""A relay for all tests, and what tests need of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import socket
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio

ROOT = Path(__file__).resolve().parents[3]
MAIN = ROOT / "dist/src/cli/main.js"

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def free_port() -> int:
    """Below the ports that the system gives out by itself: nobody takes it while a relay starts again."""
    while True:
        port = random.randrange(10_000, 30_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@dataclass
class Relay:
    """A relay as a process of its own."""

    state: Path
    port: int = field(default_factory=free_port)
    options: list[str] = field(default_factory=list)
    process: subprocess.Popen[str] | None = None
    log: list[str] = field(default_factory=list)
    """What it has printed, of all its starts. A test that fails shows it."""
    _reader: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"https://portal.localhost:{self.port}"

    @property
    def ca_file(self) -> str:
        return str(self.state / "development-ca.pem")

    def start(self) -> None:
        if not MAIN.exists():
            pytest.exit(f"{MAIN} is missing: run npm ci && npm run build", 1)
        command = ["node", str(MAIN), "relay", "--portal-url", self.url, "--state-dir", str(self.state)]
        command += ["--host", "127.0.0.1", "--sni-port", str(self.port), "--api-port", "0", *self.options]
        environment = os.environ | {"LOG_LEVEL": "debug"}
        self.process = process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        has_started = threading.Event()
        self._reader = threading.Thread(target=self._read, args=(process, has_started), daemon=True)
        self._reader.start()
        has_started.wait()
        if process.poll() is not None:
            raise AssertionError(f"the relay does not start: {''.join(self.log)}")

    def _read(self, process: subprocess.Popen[str], has_started: threading.Event) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self.log.append(line)
                if '"relay started"' in line:
                    has_started.set()
        process.wait()
        has_started.set()

    def kill(self) -> None:
        if self.process is not None and self._reader is not None:
            self.process.kill()
            self._reader.join()

    def context(self) -> ssl.SSLContext:
        """Of a visitor."""
        context = ssl.create_default_context(cafile=self.ca_file)
        context.set_alpn_protocols(["http/1.1"])
        return context

    async def visit(self, host: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=self.context(), server_hostname=host)

    async def get(self, host: str, path: str = "/") -> tuple[int, bytes]:
        reader, writer = await self.visit(host)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            return int(head.split()[1]), await reader.read(-1)
        finally:
            writer.transport.abort()


@pytest.fixture(scope="session")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    relay = Relay(tmp_path_factory.mktemp("relay"))
    relay.start()
    yield relay
    relay.kill()


@pytest.fixture
def own_relay(tmp_path: Path) -> Iterator[Relay]:
    """One that a test may kill."""
    relay = Relay(tmp_path / "relay")
    relay.start()
    yield relay
    relay.kill()
    print("".join(relay.log))


Serve = Callable[[Handler], Awaitable[int]]


@pytest_asyncio.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts a service on a free port, with a handler for each connection."""
    servers: list[asyncio.Server] = []

    async def start(handler: Handler) -> int:
        async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await handler(reader, writer)
            except (OSError, EOFError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(guarded, "127.0.0.1", 0)
        servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    yield start
    for server in servers:
        server.close()


async def hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers one HTTP request."""
    head = await reader.readuntil(b"\r\n\r\n")
    body = b"hello from " + head.split()[1]
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    await writer.drain()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


def vectors(name: str) -> dict[str, list[dict[str, object]]]:
    """A file of docs/vectors."""
    content: dict[str, list[dict[str, object]]] = json.loads((ROOT / "docs/vectors" / f"{name}.json").read_text())
    return content


async def until(look: Callable[[], bool], seconds: float = 20) -> None:
    """Waits until something holds."""
    async with asyncio.timeout(seconds):
        while not look():
            await asyncio.sleep(0.02)
