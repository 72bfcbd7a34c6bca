"""What is checked before anything is signed for a relay."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from .errors import NetworkError, SigningRefusedError
from .identity import checksum_address
from .relay_url import RelayUrl

_MAX_LIFETIME = timedelta(minutes=10)
"""Relays use two minutes. The rest is for clocks that are off."""

_NONCE = re.compile(r"[A-Za-z0-9]{8,128}", re.ASCII)
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


def check_sign_in_message(
    text: str,
    *,
    relay: RelayUrl,
    address: str,
    challenge_id: str,
    path: str = "/sdk/register",
    now: datetime | None = None,
) -> None:
    """
    Refuses every EIP-4361 message but the sign-in that was asked for. Otherwise a relay could pass on another relay's
    challenge and take its tenant's name there.

    Nonce and times are taken from the message. It is written anew from these and from what the caller knows, and must
    be equal, byte for byte.

    :raises SigningRefusedError: naming the fault
    :raises NetworkError: ``clock``, when only the time is wrong
    """
    lines = text.split("\n")

    def field(name: str) -> str:
        prefix = f"{name}: "
        return next((line[len(prefix) :] for line in lines if line.startswith(prefix)), "")

    def need(condition: bool, found: str) -> None:
        if not condition:
            raise SigningRefusedError(f"not signed: the relay's sign-in message has {found[:200]!r}")

    ending = " wants you to sign in with your Ethereum account:"
    if not lines[0].endswith(ending):
        raise SigningRefusedError("not signed: the relay wants something signed that is not a sign-in message")
    need(lines[0] == relay.authority + ending, f"domain {lines[0].removesuffix(ending)}, not {relay.authority}")
    uri = relay.origin + path
    need(field("URI") == uri, f"URI {field('URI')}, not {uri}")
    nonce, issued_at, expires_at = field("Nonce"), field("Issued At"), field("Expiration Time")
    need(_NONCE.fullmatch(nonce) is not None, f"an odd nonce {nonce}")
    issued, expires = _time(issued_at), _time(expires_at)
    if issued is None or expires is None or expires <= issued:
        raise SigningRefusedError("not signed: the relay's sign-in message has no time of issue and expiry")
    need(expires <= issued + _MAX_LIFETIME, "an expiry that is far off")
    whole = "\n".join(
        [
            relay.authority + ending,
            checksum_address(address),
            "",
            "",
            f"URI: {uri}",
            "Version: 1",
            "Chain ID: 1",
            f"Nonce: {nonce}",
            f"Issued At: {issued_at}",
            f"Expiration Time: {expires_at}",
            f"Request ID: {challenge_id}",
        ]
    )
    need(text == whole, "other fields than those of a sign-in to this relay by this address")
    moment = now or datetime.now(UTC)
    if expires <= moment or issued > moment + _MAX_LIFETIME:
        seconds = round((moment - issued).total_seconds())
        difference = f"{abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'}"
        raise NetworkError("clock", f"the clock of this machine is {difference} that of {relay.host}: set the clock")


def _time(text: str) -> datetime | None:
    if _TIMESTAMP.fullmatch(text) is None:
        return None
    # Python takes six digits of a second at most.
    shortened = re.sub(r"(\.\d{6})\d+", r"\1", text)
    try:
        return datetime.fromisoformat(shortened)
    except ValueError:
        return None
