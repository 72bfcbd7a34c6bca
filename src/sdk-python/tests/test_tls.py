"""The TLS server against OpenSSL, and against bytes that are not TLS."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import free_port
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from portal_sdk.tls import (
    ApplicationData,
    CertificateChain,
    CloseNotify,
    HandshakeDone,
    SignatureNeeded,
    TlsError,
    TlsServer,
)

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
NAME = "app.portal.example.com"


def certificate(key: Key) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(hours=1))
    builder = builder.not_valid_after(now + timedelta(hours=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


EC_KEY = ec.generate_private_key(ec.SECP256R1())
EC_PEM = certificate(EC_KEY)
EC_CHAIN = CertificateChain.from_pem(EC_PEM)


def sign(key: Key, needed: SignatureNeeded) -> bytes:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(needed.content, ec.ECDSA(hashes.SHA256()))
    return key.sign(needed.content, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


class Client:
    """OpenSSL's client, in memory."""

    def __init__(self, pem: str = EC_PEM, change: Callable[[ssl.SSLContext], object] | None = None) -> None:
        context = ssl.create_default_context(cadata=pem)
        context.set_alpn_protocols(["h2", "http/1.1"])
        if change is not None:
            change(context)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=NAME)

    def handshake(self) -> bool:
        try:
            self.tls.do_handshake()
            return True
        except ssl.SSLWantReadError:
            return False


def exchange(client: Client, server: TlsServer, key: Key = EC_KEY) -> list[object]:
    """Runs both until neither has more to say."""
    events: list[object] = []
    while True:
        is_done = client.handshake()
        data = client.outgoing.read()
        for event in server.receive(data):
            events.append(event)
            if isinstance(event, SignatureNeeded):
                server.sign(sign(key, event))
        answer = server.take_output()
        client.incoming.write(answer)
        if is_done and not answer and not data:
            return events


def test_openssl_completes_a_handshake_and_both_sides_talk_and_close() -> None:
    client, server = Client(), TlsServer(EC_CHAIN, server_name=NAME, alpn=(b"http/1.1",))
    events = exchange(client, server)
    assert isinstance(events[0], SignatureNeeded)
    assert events[-1] == HandshakeDone(b"http/1.1")
    assert client.tls.version() == "TLSv1.3"
    assert client.tls.selected_alpn_protocol() == "http/1.1"
    client.tls.write(b"x" * 100_000)
    received = list(server.receive(client.outgoing.read()))
    assert b"".join(event.data for event in received if isinstance(event, ApplicationData)) == b"x" * 100_000
    server.send(b"y" * 100_000)
    client.incoming.write(server.take_output())
    answer = b""
    while len(answer) < 100_000:
        answer += client.tls.read(65_536)
    assert answer == b"y" * 100_000
    server.close()
    client.incoming.write(server.take_output())
    assert client.tls.read(1) == b""
    with contextlib.suppress(ssl.SSLWantReadError):
        client.tls.unwrap()
    assert list(server.receive(client.outgoing.read())) == [CloseNotify()]
    server.receive_eof()


def test_rsa_certificates_sign_by_pss() -> None:
    key = rsa.generate_private_key(65_537, 2_048)
    pem = certificate(key)
    events = exchange(Client(pem), TlsServer(CertificateChain.from_pem(pem), server_name=NAME), key)
    assert isinstance(events[0], SignatureNeeded)
    assert events[0].scheme == 0x0804


def run_client(command: Callable[[int], list[str]], said: bytes) -> str:
    """A client of another TLS library against the server on a socket: what it prints."""
    port = free_port()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server = TlsServer(EC_CHAIN, server_name=NAME, alpn=(b"http/1.1",))
        try:
            while data := await reader.read(65_536):
                for event in server.receive(data):
                    if isinstance(event, SignatureNeeded):
                        server.sign(sign(EC_KEY, event))
                    elif isinstance(event, HandshakeDone):
                        server.send(b"welcome\n")
                    elif isinstance(event, ApplicationData):
                        server.send(event.data.upper())
                        server.close()
                    elif isinstance(event, CloseNotify):
                        server.close()
                writer.write(server.take_output())
        except TlsError:
            writer.write(server.take_output())
        writer.close()

    async def main() -> str:
        async with await asyncio.start_server(handle, "127.0.0.1", port):
            process = await asyncio.create_subprocess_exec(
                *command(port),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            async with asyncio.timeout(20):
                out, _ = await process.communicate(said)
            return out.decode(errors="replace")

    return asyncio.run(main())


def run_openssl(arguments: list[str]) -> str:
    """``openssl s_client``, which says something once it is connected."""

    def command(port: int) -> list[str]:
        return [
            *["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", NAME, "-ign_eof"],
            *arguments,
        ]

    return run_client(command, b"hello openssl\n")


@pytest.mark.parametrize("suite", ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"])
def test_every_cipher_suite_is_spoken(suite: str) -> None:
    out = run_openssl(["-ciphersuites", suite])
    assert f"Cipher is {suite}" in out
    assert "welcome" in out
    assert "HELLO OPENSSL" in out


def test_a_client_without_a_fitting_key_share_is_asked_for_one() -> None:
    # OpenSSL sends a share of the first group alone.
    out = run_openssl(["-groups", "secp521r1:P-256", "-msg"])
    assert "welcome" in out
    assert out.count("ClientHello") == 2


@pytest.mark.parametrize(
    ("arguments", "alert"),
    [
        (["-tls1_2"], "alert protocol version"),
        (["-groups", "secp521r1"], "alert handshake failure"),
        (["-sigalgs", "ed25519"], "alert handshake failure"),
        (["-alpn", "h2"], "alert no application protocol"),
        (["-servername", "other.portal.example.com"], "unrecognized name"),
    ],
)
def test_clients_that_do_not_fit_get_the_right_alert(arguments: list[str], alert: str) -> None:
    assert alert in run_openssl(arguments)


def hello() -> bytes:
    client = Client()
    client.handshake()
    return client.outgoing.read()


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\xff\xff",
        b"\x16\x03\x01\x00\x00",
        b"\x17\x03\x03\x00\x10" + bytes(16),
        b"\x14\x03\x03\x00\x01\x02",
        b"\x16\x03\x01\x00\x04\x01\x00\xff\xff",
        b"\x16\x03\x01\x00\x04\x02\x00\x00\x01",
        b"\x15\x03\x03\x00\x02\x01\x00",
        b"\x14\x03\x03\x00\x01\x01" * 40,
    ],
)
def test_what_is_not_tls_ends_the_connection(data: bytes) -> None:
    server = TlsServer(EC_CHAIN)
    with pytest.raises(TlsError):
        list(server.receive(data))
    assert list(server.receive(hello())) == [], "nothing is read after that"


def test_hellos_that_were_changed_are_answered_or_refused_and_nothing_else() -> None:
    seed = random.randrange(2**32)
    source = random.Random(seed)
    original = hello()
    for _ in range(3_000):
        changed = bytearray(original)
        for _ in range(source.randint(1, 4)):
            changed[source.randrange(len(changed))] = source.randrange(256)
        server = TlsServer(EC_CHAIN)
        try:
            for event in server.receive(bytes(changed[: source.randint(1, len(changed))])):
                assert isinstance(event, SignatureNeeded), f"seed {seed}"
        except TlsError:
            continue


def test_records_that_were_changed_are_refused() -> None:
    client, server = Client(), TlsServer(EC_CHAIN)
    exchange(client, server)
    client.tls.write(b"secret")
    record = bytearray(client.outgoing.read())
    record[-1] ^= 1
    with pytest.raises(TlsError, match="does not authenticate"):
        list(server.receive(bytes(record)))


def test_a_finished_of_somebody_else_is_refused() -> None:
    client, other = Client(), Client()
    servers = TlsServer(EC_CHAIN), TlsServer(EC_CHAIN)
    for one, server in zip((client, other), servers, strict=True):
        one.handshake()
        for event in server.receive(one.outgoing.read()):
            assert isinstance(event, SignatureNeeded)
            server.sign(sign(EC_KEY, event))
        one.incoming.write(server.take_output())
        one.handshake()
    with pytest.raises(TlsError):
        list(servers[0].receive(other.outgoing.read()))


def test_the_end_of_the_transport_without_close_notify_is_told() -> None:
    client, server = Client(), TlsServer(EC_CHAIN)
    exchange(client, server)
    with pytest.raises(TlsError, match="cut off"):
        server.receive_eof()


def test_keys_are_updated_when_the_peer_asks_and_when_they_are_worn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal_sdk.tls.keys.MAX_RECORDS_PER_KEY", 3)
    client, server = Client(), TlsServer(EC_CHAIN)
    exchange(client, server)
    for count in range(20):
        server.send(b"%d;" % count)
    client.incoming.write(server.take_output())
    text = b""
    while not text.endswith(b";19;"):
        text += client.tls.read(100)
    assert text == b"".join(b"%d;" % count for count in range(20))


def test_a_chain_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(ValueError, match=r".*"):
        CertificateChain.from_pem("nothing")
    with pytest.raises(ValueError, match="too many"):
        CertificateChain.from_pem(EC_PEM * 11)


def test_gnutls_completes_a_handshake(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text(EC_PEM)

    def command(port: int) -> list[str]:
        names = [f"--sni-hostname={NAME}", f"--verify-hostname={NAME}"]
        return ["gnutls-cli", f"--x509cafile={ca}", *names, "--port", str(port), "127.0.0.1"]

    assert "Handshake was completed" in run_client(command, b"")
