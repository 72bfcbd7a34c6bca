"""Reads docs/vectors by what docs/protocol.md says, with nothing but Python's own library. Usage: read_vectors.py FOLDER"""

import base64
import hashlib
import hmac
import ipaddress
import json
import struct
import sys
from pathlib import Path

SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
MAX_FRAME = 1 << 20


class More(Exception):
    """What has come is a beginning."""


class Refused(Exception):
    """What has come is to be refused."""


def take(data, at, length):
    if len(data) < at + length:
        raise More
    return data[at : at + length]


def proxy_header(data):
    """-> (length, addresses, fields)"""
    if data[:12] != SIGNATURE[: len(data)]:
        raise Refused("signature")
    head = take(data, 0, 16)
    command, family, length = head[12], head[13], struct.unpack("!H", head[14:])[0]
    if command not in (0x20, 0x21):
        raise Refused("command")
    if length > 536:
        raise Refused("too long")
    size = {0x11: 4, 0x21: 16}.get(family)
    if command == 0x21 and family != 0 and (size is None or length < 2 * size + 4):
        raise Refused("not TCP")
    body = take(data, 16, length)
    if command == 0x20:
        return 16 + length, None, None
    if family == 0:
        return 16 + length, None, body
    ports = struct.unpack("!HH", body[2 * size : 2 * size + 4])
    ends = [
        {"address": str(ipaddress.ip_address(body[i * size : (i + 1) * size])), "port": ports[i]}
        for i in range(2)
    ]
    return 16 + length, {"source": ends[0], "destination": ends[1]}, body[2 * size + 4 :]


def opening(data, asked):
    at = 0
    while take(data, at, 1)[0] == 0:
        at += 1
    kind = {1: "raw_tcp", 2: "tenant_tls"}.get(data[at])
    if kind is None:
        raise Refused("marker")
    at += 1
    found = {"kind": kind}
    if kind == "tenant_tls" and asked["binding"]:
        found["binding"] = take(data, at, 16).hex()
        at += 16
    if asked["proxy"]:
        if len(data) == at:
            raise More
        length, found["addresses"], _ = proxy_header(data[at:])
        at += length
    found["rest"] = data[at:].hex()
    return found


def frames(data):
    events, content, at = [], b"", 0
    while len(data) >= at + 4:
        length = struct.unpack("!I", data[at : at + 4])[0]
        at += 4
        end = {0: "end", 0xFFFFFFFE: "last", 0xFFFFFFFF: "cut"}.get(length)
        if end is not None:
            events.append(end)
            break
        if length > MAX_FRAME:
            raise Refused("too long")
        content += data[at : at + length]
        at += length
    return ([{"data": content.hex()}] if content else []) + events, data[at:].hex()


def datagram(data):
    flow = 0
    for at in range(8):
        if at >= len(data):
            raise Refused("number")
        flow |= (data[at] & 0x7F) << (7 * at)
        if data[at] < 0x80:
            break
    else:
        raise Refused("number")
    if flow >= 1 << 53 or len(data) - at - 1 > 65507:
        raise Refused("too large")
    return {"flow": flow, "payload": data[at + 1 :].hex()}


def hop_header(data):
    length, addresses, rest = proxy_header(data)
    wanted = {0x05: ("connection_id", 16), 0xE0: ("token", 32), 0xE1: ("binding", 16)}
    found = {"length": length, "addresses": addresses}
    at = 0
    while rest is not None and at < len(rest):
        if len(rest) < at + 3:
            raise Refused("cut")
        kind, size = rest[at], struct.unpack("!H", rest[at + 1 : at + 3])[0]
        if len(rest) < at + 3 + size:
            raise Refused("cut")
        if kind in wanted:
            name, expected = wanted[kind]
            if name in found or size != expected:
                raise Refused(name)
            found[name] = rest[at + 3 : at + 3 + size].hex()
        at += 3 + size
    if len(found) != 5:
        raise Refused("missing")
    return found


def signing(data):
    head, length = struct.unpack("!II", data[:8])
    if head != 0xFFFFFFFD or length > 65538 or length < 2:
        raise Refused("header")
    body = take(data, 8, length)
    return struct.unpack("!H", body[:2])[0], body[2:].hex()


def quic(data):
    if len(data) > 8192:
        raise Refused("too long")
    try:
        return json.loads(data)
    except ValueError:
        raise More from None


def transcript(data):
    first = data[: 4 + int.from_bytes(data[1:4], "big")]
    rest = data[len(first) :]
    retry = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
    if rest[6:38] == retry:
        data = b"\xfe\0\0\x20" + hashlib.sha256(first).digest() + rest
    digest = hashlib.sha256(data).digest()
    return digest.hex(), (b" " * 64 + b"TLS 1.3, server CertificateVerify\0" + digest).hex()


def bytes_of(vector):
    padding = vector.get("padding", {"byte": "", "count": 0})
    return bytes.fromhex(vector["hex"]) + bytes.fromhex(padding["byte"]) * padding["count"]


count = 0


def same(found, expected, name):
    global count
    count += 1
    if found != expected:
        raise SystemExit(f"{name}: {found} is not {expected}")


def raises(kind, read, vector):
    try:
        found = read(vector)
    except kind:
        return same(True, True, vector["name"])
    except (More, Refused) as other:
        raise SystemExit(f"{vector['name']}: {type(other).__name__}, not {kind.__name__}") from None
    raise SystemExit(f"{vector['name']}: {found}, not {kind.__name__}")


def check(folder, name, read, expected):
    """Holds what is read of each vector against what it says."""
    file = json.loads((folder / f"{name}.json").read_text())
    for vector in file["valid"]:
        same(read(vector), expected(vector), vector["name"])
    for vector in file.get("incomplete", []):
        raises(More, read, vector)
    for vector in file["invalid"]:
        raises(Refused, read, vector)


def only(*names):
    return lambda vector: {name: vector[name] for name in names if name in vector}


def main(folder):
    check(
        folder,
        "session-openings",
        lambda v: opening(bytes_of(v), v["asked"]),
        only("kind", "binding", "addresses", "rest"),
    )
    check(
        folder, "proxy-headers", lambda v: list(proxy_header(bytes_of(v))[:2]), lambda v: [v["length"], v["addresses"]]
    )
    check(folder, "frames", lambda v: list(frames(bytes_of(v))), lambda v: [v["events"], v["unread"]])
    check(folder, "datagrams", lambda v: datagram(bytes_of(v)), only("flow", "payload"))
    check(
        folder,
        "hop-headers",
        lambda v: hop_header(bytes_of(v)),
        only("length", "addresses", "connection_id", "token", "binding"),
    )
    check(folder, "quic-messages", lambda v: quic(bytes_of(v)), lambda v: v["message"])
    messages = json.loads((folder / "signing-messages.json").read_text())
    for vector in messages["requests"]:
        same(signing(bytes_of(vector)), (int(vector["scheme"], 16), vector["transcript"]), vector["name"])
    for vector in messages["responses"]:
        same(signing(bytes_of(vector)), (vector["status"], vector["body"]), vector["name"])
    for vector in messages["invalid"]:
        raises(Refused, lambda v: signing(bytes_of(v)), vector)
    transcripts = json.loads((folder / "transcripts.json").read_text())
    for vector in transcripts["valid"] + transcripts["retried"]["valid"]:
        found = transcript(bytes.fromhex(vector["transcript"]))
        same(found, (vector["hash"], vector["content"]), vector["name"])
    tokens = json.loads((folder / "access-tokens.json").read_text())
    secret = bytes.fromhex(tokens["identity_private_key"][2:])
    pseudorandom = hmac.digest(bytes(32), secret, "sha256")
    derived = hmac.digest(pseudorandom, b"portal-relay access tokens Ed25519\x01", "sha256")
    same(derived.hex(), tokens["token_key"]["private"], "the key of tokens")
    for vector in tokens["valid"]:
        claims = json.loads(base64.urlsafe_b64decode(vector["token"].split(".")[1] + "=="))
        found = (claims["sub"], claims["generation"], claims["exp"], claims["iss"], claims["aud"])
        expected = (vector["identity_key"], vector["generation"], vector["expires_at"], tokens["issuer"], "portal-sdk")
        same(found, expected, vector["name"])
    for vector in json.loads((folder / "relay-descriptors.json").read_text())["valid"]:
        same(hashlib.sha256(vector["signed"].encode()).hexdigest(), vector["digest"], vector["name"])
        signed = json.loads(vector["signed"])
        same(signed["address"], vector["descriptor"]["address"], vector["name"])
    print(f"{count} vectors")


main(Path(sys.argv[1]))
