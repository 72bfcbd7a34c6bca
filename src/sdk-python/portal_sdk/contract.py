"""The contract of a relay as Python types. Generated from openapi/ by `npm run generate`. Do not edit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

T = TypeVar("T")

Retry = Literal["never", "after_delay", "reauthenticate", "new_connection"]

ErrorCode = Literal[
    "invalid_json",
    "invalid_request",
    "invalid_address",
    "invalid_ip",
    "invalid_mode",
    "unauthorized",
    "ip_banned",
    "lease_rejected",
    "udp_disabled",
    "tcp_port_disabled",
    "domain_not_proven",
    "lease_not_found",
    "not_found",
    "method_not_allowed",
    "hostname_conflict",
    "transport_mismatch",
    "rate_limited",
    "internal",
    "hijack_failed",
    "hijack_unsupported",
    "feature_unavailable",
    "udp_port_exhausted",
    "udp_capacity_exceeded",
    "tcp_port_exhausted",
    "tcp_port_capacity_exceeded",
    "http11_only",
]


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """What the contract says of an error code."""

    status: int
    meaning: str
    retry: Retry
    retry_after_seconds: int | None
    action: str


ERROR_CATALOGUE: dict[str, CatalogueEntry] = {
    "invalid_json": CatalogueEntry(
        400,
        "The body is not well-formed JSON.",
        "never",
        None,
        "Fix the request.",
    ),
    "invalid_request": CatalogueEntry(
        400,
        "The request breaks its schema or a rule of the operation (413 when the body is too large, 415 when it is not JSON by its media type).",
        "never",
        None,
        "Fix the request. After a refused signature, fetch the certificate chain again before the next handshake.",
    ),
    "invalid_address": CatalogueEntry(
        400,
        "Not an Ethereum address of 0x and 40 hex digits.",
        "never",
        None,
        "Fix the address.",
    ),
    "invalid_ip": CatalogueEntry(
        400,
        "Not an IPv4 or IPv6 address.",
        "never",
        None,
        "Fix the address.",
    ),
    "invalid_mode": CatalogueEntry(
        400,
        "Not an approval mode.",
        "never",
        None,
        "Use `auto` or `manual`.",
    ),
    "unauthorized": CatalogueEntry(
        401,
        "The credential is missing, is not this relay's, or does not prove what the operation needs.",
        "reauthenticate",
        None,
        "Register (or log in) again once; stop when that is refused too.",
    ),
    "ip_banned": CatalogueEntry(
        403,
        "The operator has banned the source address.",
        "never",
        None,
        "Stop.",
    ),
    "lease_rejected": CatalogueEntry(
        403,
        "The identity is not approved yet, denied or banned. Before approval only connecting is refused; after a denial or a ban everything is.",
        "after_delay",
        15,
        "With `Retry-After` (connecting before approval), keep renewing, say that approval is awaited, and try again. Without, stop.",
    ),
    "udp_disabled": CatalogueEntry(
        403,
        "The relay offers no UDP leases.",
        "never",
        None,
        "Register without UDP, or stop.",
    ),
    "tcp_port_disabled": CatalogueEntry(
        403,
        "The relay offers no raw TCP ports.",
        "never",
        None,
        "Register without a TCP port, or stop.",
    ),
    "domain_not_proven": CatalogueEntry(
        403,
        "The domain's TXT record does not name the identity's address, or could not be looked up; the message says which.",
        "after_delay",
        30,
        "Set the record `_portal.<domain>` to `portal-identity=<address>`, or wait for it to spread.",
    ),
    "lease_not_found": CatalogueEntry(
        404,
        "The token is genuine, but expired or its lease is gone.",
        "reauthenticate",
        None,
        "Register again.",
    ),
    "not_found": CatalogueEntry(
        404,
        "There is nothing at this path or under this name.",
        "never",
        None,
        "Check the address.",
    ),
    "method_not_allowed": CatalogueEntry(
        405,
        "The path exists, but not for this method; `Allow` lists those that it has.",
        "never",
        None,
        "Use a method of `Allow`.",
    ),
    "hostname_conflict": CatalogueEntry(
        409,
        "The hostname belongs to another identity, or this token was superseded by a later registration of the same identity.",
        "never",
        None,
        "Stop, or register under another name. To register again at once would evict the other process in turn.",
    ),
    "transport_mismatch": CatalogueEntry(
        409,
        "The carrier does not fit the lease (a datagram carrier on a lease without UDP), or a path of relays was asked for with ports.",
        "never",
        None,
        "Register with the transport that is needed.",
    ),
    "rate_limited": CatalogueEntry(
        429,
        "Too many requests, or the lease's ready queue is full.",
        "after_delay",
        5,
        "Wait as long as `Retry-After` says.",
    ),
    "internal": CatalogueEntry(
        500,
        "The relay failed. Its cause is in the relay's log, never in the answer.",
        "after_delay",
        1,
        "Try again with backoff.",
    ),
    "hijack_failed": CatalogueEntry(
        500,
        "The relay could not take the connection over from HTTP.",
        "after_delay",
        1,
        "Try again on a new connection, with backoff.",
    ),
    "hijack_unsupported": CatalogueEntry(
        500,
        "This connection cannot be taken over from HTTP, for example because it has carried another request before.",
        "new_connection",
        None,
        "Connect anew, with the request as the first on its connection, or ask for an upgrade.",
    ),
    "feature_unavailable": CatalogueEntry(
        503,
        "The relay does not have this feature, or the operator has it off.",
        "never",
        None,
        "Do without; ask the operator.",
    ),
    "udp_port_exhausted": CatalogueEntry(
        503,
        "Every UDP port of the relay's range is taken.",
        "after_delay",
        30,
        "Try again later, or register without UDP.",
    ),
    "udp_capacity_exceeded": CatalogueEntry(
        503,
        "The relay has as many UDP leases as its operator allows.",
        "after_delay",
        30,
        "Try again later, or register without UDP.",
    ),
    "tcp_port_exhausted": CatalogueEntry(
        503,
        "Every TCP port of the relay's range is taken.",
        "after_delay",
        30,
        "Try again later, or register without a TCP port.",
    ),
    "tcp_port_capacity_exceeded": CatalogueEntry(
        503,
        "The relay has as many TCP port leases as its operator allows.",
        "after_delay",
        30,
        "Try again later, or register without a TCP port.",
    ),
    "http11_only": CatalogueEntry(
        505,
        "The operation takes its connection over and therefore needs HTTP/1.1.",
        "new_connection",
        None,
        "Connect again and offer only `http/1.1` in ALPN.",
    ),
}
"""Every error code of the contract."""

ApprovalMode = Literal["auto", "manual"]
AuditEntryResult = Literal["done", "refused"]
KeylessModesItem = Literal["transcript", "digest"]
SignatureScheme = Literal["ecdsa_secp256r1_sha256", "ecdsa_secp384r1_sha384", "ecdsa_secp521r1_sha512", "ed25519", "rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512", "rsa_pss_pss_sha256", "rsa_pss_pss_sha384", "rsa_pss_pss_sha512"]

@dataclass(frozen=True, slots=True, kw_only=True)
class AdminSession:
    id: str
    """Names the session. Nobody can log in with it."""
    wallet_address: str
    """Ethereum address with its EIP-55 checksum."""
    opened_at: str
    """RFC 3339, UTC."""
    expires_at: str
    """RFC 3339, UTC."""
    is_own: bool
    """Whether this call was made by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminSessionList:
    sessions: list[AdminSession]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminStatus:
    authenticated: bool
    """Whether the cookie names a live session of a wallet that is still an admin."""
    wallet_address: str | None = None
    """Present when authenticated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnounceRequest:
    descriptor: RelayDescriptor
    """What a relay says of itself, signed. ``signature`` is over SHA-256 of this JSON, in this order, without
    spaces, nothing omitted, numbers as Go's encoding/json writes them: ``address``, ``version``,
    ``issued_at_unix_nano``, ``expires_at_unix_nano``, ``api_https_addr``, ``wireguard_public_key``,
    ``wireguard_port``, ``supports_overlay``, ``supports_udp``, ``supports_tcp``, ``active_connections``,
    ``tcp_bps``. Without an overlay: ``""``, ``0``, ``false``. The address recovered from it must be ``address``."""
    protocol_version: str | None = None
    """Version of the discovery protocol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    protocol_version: str
    """Version of the discovery protocol."""
    accepted: bool
    """Whether the descriptor now counts. ``false``: it is genuine, but older than the one held, or its
    ``api_https_addr`` was not seen to serve that same address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalModeRequest:
    mode: ApprovalMode
    """``auto`` approves each identity that is neither denied nor banned; ``manual`` waits for an admin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalModeSetting:
    approval_mode: ApprovalMode
    """``auto`` approves each identity that is neither denied nor banned; ``manual`` waits for an admin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """An action of an admin, or an attempt that was refused."""

    seq: int
    """Sequence number, without gaps."""
    time: str
    """RFC 3339, UTC."""
    ip: str
    """Source address."""
    action: str
    """Operation id."""
    result: AuditEntryResult
    wallet: str | None = None
    """Absent when nobody was logged in."""
    target: str | None = None
    """The identity key or the address that it applied to."""
    value: Any | None = None
    """The new values, if there are any."""
    reason: str | None = None
    """Why it was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditList:
    entries: list[AuditEntry]
    next_before: int | None = None
    """Where the next part begins; absent at the end of the log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BandwidthLimit:
    bps: int
    """Bytes per second, both directions over all connections of a lease together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BannedIpList:
    total: int
    """Banned addresses in all."""
    matching: int
    """Those that match, of which this is a part."""
    ips: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    challenge_id: str
    """Names the challenge; also the request id of its message."""
    expires_at: str
    """End of the challenge, two minutes after its issue."""
    siwe_message: str
    """EIP-4361 message. To be signed, and sent back, byte for byte as issued. Works once: an attempt that is refused
    has spent it, too. A signer checks domain, URI, version, chain id, address, request id and expiry against the
    relay that it means to talk to before it signs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeRequest:
    address: str
    """Ethereum address, any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    what: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    protocol_version: str
    """Version of the discovery protocol."""
    generated_at: str
    """RFC 3339, UTC."""
    relays: list[RelayDescriptor]
    """This relay's own descriptor first, then the peers that it knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """What a tunnel needs to know of a relay before it registers."""

    protocol_version: str
    """Version of Portal's SDK protocol."""
    release_version: str
    """Version of the relay's program."""
    root_host: str
    """Host of the relay's URL; leases are names directly under it."""
    transports: list[str]
    """Carriers on offer for reverse sessions and datagrams: ``raw``, ``websocket``, ``datagram-websocket``,
    ``quic``. More may come; ignore unknown ones."""
    keyless: Keyless | None = None
    """How the relay signs TLS handshakes for its tenants. Absent when it does not."""
    features: list[str] | None = None
    """What else is on offer: ``domains`` (a lease may have a domain of the identity's own), ``own_certificates`` (a
    name under the root host may have a certificate of the tunnel's own), ``hops`` (a lease may be part of a path
    of relays). More may come; ignore unknown ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Empty:
    """Nothing to say beyond that it was done."""



@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    status: str
    degraded: list[str] | None = None
    """Parts that fail now, while everything that is up goes on; absent when there are none. ``store``: nothing can
    be written, as on a full disk. Leases are renewed, and none can be registered or given back. The relay
    recovers by itself. More may come; ignore unknown ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """Makes the lease one of a path of relays (``docs/protocol.md``, Paths): visitors of the first, the entry, are
    passed on from relay to relay, and the last has the reverse sessions. The tunnel registers with each of them.
    The entry has ``forward`` only, the last ``accept`` only, those between both. A lease that accepts is not
    reached by its hostname, has no domain and no certificate of its own. A path has no ports
    (``transport_mismatch``) and no ``group`` (``invalid_request``). With neither ``accept`` nor ``forward`` it is
    ``invalid_request``."""

    accept: HopAccept | None = None
    """Visitors come from another relay, in the overlay."""
    forward: HopForward | None = None
    """Visitors go to another relay, in the overlay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HopAccept:
    """Visitors come from another relay, in the overlay."""

    token: str
    """The relay before this one on the path sends it with each visitor. The relay keeps no more than its hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HopForward:
    """Visitors go to another relay, in the overlay."""

    descriptor: RelayDescriptor
    """The next relay. It must be a peer of this relay in the overlay, with the key in this descriptor; else it is
    ``invalid_request``."""
    token: str
    """That relay's ``accept.token``."""
    hello_key: str | None = None
    """Of the entry: seals what a visitor sends first, so that the relays behind it do not see the name in the
    ClientHello (AES-256-GCM, ``docs/protocol.md``). Of others it is ``invalid_request``."""
    pass_visitor_address: bool | None = None
    """Tell the next relay the visitor's address, where the operator of this one allows it; else it is told nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A name and the account that it belongs to."""

    name: str
    """One DNS label, or a domain of the identity's own. Lower case."""
    address: str
    """Ethereum address with its EIP-55 checksum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityInput:
    """Who asks, and for which name. Case does not matter."""

    name: str
    """One DNS label, for a name under the relay's root host; or, with dots in it, a domain of one's own, which its
    TXT record must prove to belong to the identity (``registerLease``). Any case. Labels have 63 characters at
    most, and one that begins with ``xn--`` must be a valid internationalized one (UTS 46)."""
    address: str
    """Ethereum address, any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityList:
    total: int
    """Identities with a decision or a limit in all."""
    matching: int
    """Those that match, of which this is a part."""
    identities: list[SnapshotIdentity]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyless:
    """How the relay signs TLS handshakes for its tenants. Absent when it does not."""

    modes: list[KeylessModesItem]
    """What ``POST /v1/sign`` takes, ``transcript`` unless the operator also allows ``digest`` for older clients."""
    key_id: str
    """Name of the signing key, to be sent with each request."""
    certificate_chain: str
    """PEM certificates, leaf first: what the tunnel sends in its Certificate message. Fetch it anew at each renewal;
    after a change the old chain still signs for ten minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LandingPage:
    enabled: bool
    """Whether the root host shows the landing page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    identity: Identity
    """A name and the account that it belongs to."""
    hostname: str
    """``name.<root host>``, or the domain itself; the lease routes this name."""
    expires_at: str
    """End of the lease. Renew well before."""
    access_token: str
    """See the security scheme ``access_token``. Opaque to clients."""
    sni_port: int | None = None
    """Public TLS port of the relay, for the URL of the service; absent means 443."""
    udp_enabled: bool | None = None
    """Present when UDP was asked for."""
    udp_addr: str | None = None
    """Public UDP address of the lease. Registering again within five minutes of the lease's end gets the same, and
    renewing keeps it."""
    udp_count: int | None = None
    """How many consecutive UDP ports the lease has, from that of ``udp_addr``; absent for one."""
    tcp_enabled: bool | None = None
    """Present when a TCP port was asked for."""
    tcp_addr: str | None = None
    """Public raw TCP address of the lease. Registering again within five minutes of the lease's end gets the same,
    and renewing keeps it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseDetails:
    lease: SnapshotLease
    connections: int
    """Connections of visitors now."""
    received: int
    """Bytes from visitors since its sessions were first opened."""
    sent: int
    """Bytes to visitors, likewise."""
    traffic: list[TrafficMinute] | None = None
    """The minutes of the last hour in which bytes passed, the oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseList:
    total: int
    """Live leases in all."""
    matching: int
    """Those that match, of which this is a part."""
    leases: list[ListedLease]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedLease:
    lease: SnapshotLease
    connections: int
    """Connections of visitors now."""
    received: int
    """Bytes from visitors since its sessions were first opened."""
    sent: int
    """Bytes to visitors, likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    wallet_address: str
    """Ethereum address with its EIP-55 checksum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRequest:
    challenge_id: str
    """Names the challenge; also the request id of its message."""
    siwe_message: str
    """EIP-4361 message. To be signed, and sent back, byte for byte as issued. Works once: an attempt that is refused
    has spent it, too. A signer checks domain, URI, version, chain id, address, request id and expiry against the
    relay that it means to talk to before it signs."""
    siwe_signature: str
    """Signature of the message's bytes by ``personal_sign`` (EIP-191), 65 bytes ``r || s || v``, 0x and hex. Plain
    accounts only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What a tunnel tells of its service, for listings."""

    description: str | None = None
    owner: str | None = None
    thumbnail: str | None = None
    """URL of a picture of the service; empty for none."""
    tags: list[str] | None = None
    hide: bool | None = None
    """Keep the service out of public listings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayPeer:
    relay: str
    """The address with which it signs."""
    address: str
    """Its IPv4 address in the overlay."""
    host: str
    """Host and port of its WireGuard."""
    received: int
    """Bytes from it since it is a peer."""
    sent: int
    """Bytes to it, likewise."""
    fault: str | None = None
    """What keeps it from being reached, such as a name without an address; absent when there is nothing."""
    last_handshake_at: str | None = None
    """Absent before the first handshake of WireGuard with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayPeers:
    is_up: bool
    """Whether this relay has a place in the overlay now."""
    peers: list[OverlayPeer]
    refused: list[RefusedOverlayPeer]
    """Relays that are no peers although their descriptors say that they have an overlay, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    version: str
    """Of the relay's release."""
    root_host: str
    """DNS name, lower case."""
    started_at: str
    """RFC 3339, UTC."""
    sample_seconds: float
    """Time between two samples."""
    samples: list[Sample]
    """Of the last hour, or since the start; the oldest first."""
    outcomes: list[Count]
    """What became of public connections since the start."""
    errors: list[Count]
    """Errors of the API by code since the start; those that occurred."""
    certificate_expires_at: str
    """RFC 3339, UTC."""
    approval_mode: ApprovalMode
    """``auto`` approves each identity that is neither denied nor banned; ``manual`` waits for an admin."""
    landing_page_enabled: bool
    udp: PortSettings
    tcp_port: PortSettings
    relays: OverviewRelays | None = None
    """Other relays; absent where discovery is off."""
    overlay: OverviewOverlay | None = None
    """Absent where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewOverlay:
    """Absent where there is none."""

    is_up: bool
    peers: int
    """Relays that are peers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewRelays:
    """Other relays; absent where discovery is off."""

    believed: int
    """Those whose descriptor is believed now."""
    held: int
    """URLs held: believed, silent, or not visited yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSettings:
    enabled: bool
    """Whether new leases may have such a port."""
    max_leases: int
    """How many leases may have such a port at once; 0 is no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSettingsRequest:
    enabled: bool
    """Whether new leases may have such a port."""
    max_leases: int | None = None
    """Absent, the present limit stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedOverlayPeer:
    relay: str
    """The address with which it signs."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterChallengeRequest:
    identity: IdentityInput
    """Who asks, and for which name. Case does not matter."""
    metadata: Metadata | None = None
    """What a tunnel tells of its service, for listings."""
    ttl: int | None = None
    """Life of the lease in seconds. Above the relay's maximum (one hour by default) it is cut to that; absent, the
    relay's default applies (30). ``expires_at`` in the answer is what was granted."""
    udp_enabled: bool | None = None
    """Ask for a public UDP port. Datagrams then travel by a carrier of their own (``docs/protocol.md``, Datagrams)."""
    tcp_enabled: bool | None = None
    """Ask for a public raw TCP port. Its connections claim sessions with the marker ``0x01``."""
    udp_port: int | None = None
    """With ``udp_enabled``: this very UDP port, or none. Outside the relay's range it is ``invalid_request``; taken,
    or reserved for another identity, ``udp_port_exhausted``."""
    udp_count: int | None = None
    """With ``udp_enabled``: so many UDP ports with consecutive numbers, all or none; ``udp_port``, if given, is the
    first. More than the relay gives a lease is ``invalid_request``."""
    tcp_port: int | None = None
    """With ``tcp_enabled``: this very TCP port, or none. Outside the relay's range it is ``invalid_request``; taken,
    or reserved for another identity, ``tcp_port_exhausted``."""
    group: str | None = None
    """Share the lease with other tunnels. Where the identity's live lease has the same group, registering joins it
    instead of replacing it: each member has its own token, sessions and expiry, and visitors go to the member
    with the fewest connections. The lease lasts until its last member has left. Members must agree on
    ``tcp_enabled`` and ``tcp_port``; a group has no UDP port (``invalid_request``). At most 16 members; past
    that, ``rate_limited``."""
    session_wait: int | None = None
    """How many seconds a visitor waits for a reverse session while none is ready, as when the tunnel reconnects,
    before the connection is refused. 0: not at all. In a group what its last tunnel to register asked for counts."""
    own_certificate: bool | None = None
    """TLS of this name ends with a certificate of the tunnel's own, whose key the relay does not have. The relay
    then signs nothing for the lease, and passes connections of ACME's ``tls-alpn-01`` challenge (ALPN
    ``acme-tls/1``, RFC 8737) on to the tunnel. A domain of one's own always has it; a name under the root host
    where ``features`` has ``own_certificates``, else it is ``feature_unavailable``."""
    hop: Hop | None = None
    """Makes the lease one of a path of relays (``docs/protocol.md``, Paths): visitors of the first, the entry, are
    passed on from relay to relay, and the last has the reverse sessions. The tunnel registers with each of them.
    The entry has ``forward`` only, the last ``accept`` only, those between both. A lease that accepts is not
    reached by its hostname, has no domain and no certificate of its own. A path has no ports
    (``transport_mismatch``) and no ``group`` (``invalid_request``). With neither ``accept`` nor ``forward`` it is
    ``invalid_request``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterRequest:
    challenge_id: str
    """Names the challenge; also the request id of its message."""
    siwe_message: str
    """EIP-4361 message. To be signed, and sent back, byte for byte as issued. Works once: an attempt that is refused
    has spent it, too. A signer checks domain, URI, version, chain id, address, request id and expiry against the
    relay that it means to talk to before it signs."""
    siwe_signature: str
    """Signature of the message's bytes by ``personal_sign`` (EIP-191), 65 bytes ``r || s || v``, 0x and hex. Plain
    accounts only."""
    reported_ip: str | None = None
    """The tunnel's public address as it sees it itself. Shown to admins beside the one the relay sees; never
    trusted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayDescriptor:
    """What a relay says of itself, signed. ``signature`` is over SHA-256 of this JSON, in this order, without
    spaces, nothing omitted, numbers as Go's encoding/json writes them: ``address``, ``version``,
    ``issued_at_unix_nano``, ``expires_at_unix_nano``, ``api_https_addr``, ``wireguard_public_key``,
    ``wireguard_port``, ``supports_overlay``, ``supports_udp``, ``supports_tcp``, ``active_connections``,
    ``tcp_bps``. Without an overlay: ``""``, ``0``, ``false``. The address recovered from it must be ``address``."""

    address: str
    """Signing address of the relay."""
    version: str
    """Discovery protocol version of this descriptor."""
    issued_at: str
    """May carry nanoseconds, which are part of what is signed. Telemetry was sampled then."""
    expires_at: str
    """May carry nanoseconds, which are part of what is signed."""
    api_https_addr: str
    """Public HTTPS base URL of the relay's API: ``https://host[:port]``, the port 443 or from 1024 up. It must serve
    the same descriptor's ``address``, as the first in its own ``/discovery`` that names this URL."""
    supports_overlay: bool
    """The relay can take part in multi-hop routing over WireGuard."""
    supports_udp: bool
    """The relay can allot public UDP ports."""
    supports_tcp: bool
    """The relay can allot raw TCP ports."""
    active_connections: int
    """Connections proxied at ``issued_at``."""
    tcp_bps: float
    """Recent proxied TCP throughput in bytes per second."""
    signature: str
    """Base64 of a 65-byte compact recoverable secp256k1 signature (one byte 27 + recovery id + 4, then r, then s)."""
    wireguard_public_key: str | None = None
    """Base64 of the 32-byte overlay key; present when there is an overlay."""
    wireguard_port: int | None = None
    """UDP port of the overlay on the host of ``api_https_addr``; present when there is an overlay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewRequest:
    access_token: str | None = None
    """See the security scheme ``access_token``. Opaque to clients."""
    ttl: int | None = None
    """Life of the lease in seconds. Above the relay's maximum (one hour by default) it is cut to that; absent, the
    relay's default applies (30). ``expires_at`` in the answer is what was granted."""
    reported_ip: str | None = None
    """The tunnel's public address as it sees it itself. Shown to admins beside the one the relay sees; never
    trusted."""
    metadata: Metadata | None = None
    """Replaces what was told before; absent, that stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    expires_at: str
    """New end of the lease."""
    access_token: str
    """A new token; use it from now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What lived at a moment, and what happened since the sample before."""

    at: str
    """RFC 3339, UTC."""
    leases: int
    """Live leases."""
    ready: int
    """Reverse sessions that wait for a visitor."""
    connections: int
    """Visitors' connections."""
    public_connections: int
    """Connections open on the public port, whatever they are for."""
    udp_flows: int
    """Peers of public UDP ports with recent datagrams."""
    routed: int
    """Connections that were passed on to a tunnel."""
    refused: int
    """Connections that were refused."""
    received: int
    """Bytes from visitors."""
    sent: int
    """Bytes to visitors."""
    signatures: int
    """Handshakes that were signed."""
    signatures_refused: int
    """Handshakes that were not signed."""
    requests: int
    """API requests that succeeded."""
    requests_refused: int
    """API requests that were refused."""
    datagrams_dropped: int
    """Datagrams given up."""
    store_calls: int
    """Calls of the store."""
    store_failures: int
    """Calls of the store that failed."""
    store_seconds: float
    """Time that the calls of the store took, together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The relay's state at one moment."""

    approval_mode: ApprovalMode
    """``auto`` approves each identity that is neither denied nor banned; ``manual`` waits for an admin."""
    landing_page_enabled: bool
    leases: list[SnapshotLease]
    """Live leases."""
    udp: PortSettings
    tcp_port: PortSettings
    identities: list[SnapshotIdentity]
    """Every identity with a decision or a limit, live or not."""
    banned_ips: list[str]
    """Banned source addresses; an IPv6 address stands for its /64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotIdentity:
    identity_key: str
    """``name:address``, all lower case."""
    address: str
    """Ethereum address with its EIP-55 checksum."""
    name: str
    """One DNS label, or a domain of the identity's own. Lower case."""
    is_approved: bool
    """Whether it may be routed, by decision or by ``auto`` mode."""
    is_banned: bool
    is_denied: bool
    bps: int | None = None
    """Absent when there is no limit."""
    has_approval: bool | None = None
    """Whether an admin has approved it; in ``auto`` mode it may be routed without. Older relays do not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotLease:
    identity_key: str
    """``name:address``, all lower case."""
    address: str
    """Ethereum address with its EIP-55 checksum."""
    name: str
    """One DNS label, or a domain of the identity's own. Lower case."""
    hostname: str
    """DNS name, lower case."""
    expires_at: str
    """RFC 3339, UTC."""
    first_seen_at: str
    """When the identity first registered."""
    last_seen_at: str
    """Its last register, renew or connect."""
    client_ip: str
    """Source address as the relay sees it."""
    metadata: Metadata
    """What a tunnel tells of its service, for listings."""
    ready: int
    """Reverse sessions waiting in the ready queue."""
    is_approved: bool
    """Whether it may be routed, by decision or by ``auto`` mode."""
    is_banned: bool
    is_denied: bool
    is_ip_banned: bool
    """Whether ``client_ip`` is banned."""
    reported_ip: str | None = None
    """The tunnel's public address as it sees it itself. Shown to admins beside the one the relay sees; never
    trusted."""
    udp_addr: str | None = None
    """``host:port``."""
    udp_count: int | None = None
    """How many consecutive UDP ports the lease has, from that of ``udp_addr``; absent for one."""
    tcp_addr: str | None = None
    """``host:port``."""
    hop: SnapshotLeaseHop | None = None
    """Its place in a path of relays; absent without one."""
    group: str | None = None
    """The group whose tunnels share the lease; absent when it has one tunnel of its own."""
    members: int | None = None
    """Tunnels of the group."""
    bps: int | None = None
    """Absent when there is no limit."""
    has_approval: bool | None = None
    """Whether an admin has approved it; in ``auto`` mode it may be routed without. Older relays do not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotLeaseHop:
    """Its place in a path of relays; absent without one."""

    accepts: bool
    """Visitors come from another relay, not by the hostname."""
    forwards_to: str | None = None
    """Signing address of the relay that visitors go to; absent for the last of a path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficMinute:
    at: str
    """When the minute ended."""
    received: int
    """Bytes from visitors in it."""
    sent: int
    """Bytes to visitors in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptSignRequest:
    """Ask for the CertificateVerify signature of one routed connection. The relay rebuilds what is signed from the
    transcript."""

    key_id: str
    """Name of the signing key, as ``getDomain`` gives it."""
    binding: str
    """Base64 of the 16 bytes that came after the marker ``0x02`` of the reverse session. Serves once."""
    signature_scheme: SignatureScheme
    """IANA name of a TLS SignatureScheme that TLS 1.3 allows in CertificateVerify."""
    transcript: str
    """Base64 of the handshake messages with their four-byte headers, in order and nothing else: ClientHello,
    [HelloRetryRequest, ClientHello], ServerHello, EncryptedExtensions, Certificate. 64 KiB at most before base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptSignature:
    key_id: str
    """Name of the signing key, as ``getDomain`` gives it."""
    signature_scheme: SignatureScheme
    """IANA name of a TLS SignatureScheme that TLS 1.3 allows in CertificateVerify."""
    signature: str
    """Base64 of the ``signature`` field of CertificateVerify (RFC 8446, 4.4.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelStatus:
    hostname: str
    """DNS name, lower case."""
    registered: bool
    """Whether a live lease routes the hostname."""
    service_alive: bool
    """Whether the tunnel is there to serve it, that is, has at least one reverse session waiting or in use."""
    own_certificate: bool | None = None
    """Whether the relay signs nothing for this name, because the tunnel has a certificate of its own. The relay
    cannot read its traffic without a second certificate for the name, which Certificate Transparency shows to
    whoever looks (``docs/probe.md``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnregisterRequest:
    access_token: str | None = None
    """See the security scheme ``access_token``. Opaque to clients."""



class Operations(Protocol):
    """Every operation of the contract that answers with an envelope. Each returns its ``data``, and raises otherwise."""

    async def call(
        self,
        answer: type[T],
        method: str,
        path: str,
        *,
        body: object = None,
        query: dict[str, str] | None = None,
        access_token: str | None = None,
    ) -> T:
        """Sends one request. ``path`` is encoded already."""
        ...

    @staticmethod
    def segment(value: str) -> str:
        """A value as one segment of a path."""
        ...

    async def get_domain(self) -> Domain:
        """Get the relay's capabilities."""
        return await self.call(Domain, "GET", "/sdk/domain")

    async def create_register_challenge(self, body: RegisterChallengeRequest) -> Challenge:
        """Ask for a challenge to register with."""
        return await self.call(Challenge, "POST", "/sdk/register/challenge", body=body)

    async def register_lease(self, body: RegisterRequest) -> Lease:
        """Register with a signed challenge."""
        return await self.call(Lease, "POST", "/sdk/register", body=body)

    async def renew_lease(self, body: RenewRequest, *, access_token: str) -> Renewal:
        """Renew a lease."""
        return await self.call(Renewal, "POST", "/sdk/renew", body=body, access_token=access_token)

    async def unregister_lease(self, body: UnregisterRequest, *, access_token: str) -> Empty:
        """End a lease."""
        return await self.call(Empty, "POST", "/sdk/unregister", body=body, access_token=access_token)

    async def create_admin_challenge(self, body: ChallengeRequest) -> Challenge:
        """Ask for a challenge to log in with."""
        return await self.call(Challenge, "POST", "/admin/auth/challenge", body=body)

    async def login_admin(self, body: LoginRequest) -> Login:
        """Log in with a signed challenge."""
        return await self.call(Login, "POST", "/admin/auth/login", body=body)

    async def get_admin_status(self) -> AdminStatus:
        """Get the login status."""
        return await self.call(AdminStatus, "GET", "/admin/auth/status")

    async def logout_admin(self) -> Empty:
        """Log out."""
        return await self.call(Empty, "POST", "/admin/logout")

    async def get_snapshot(self) -> Snapshot:
        """Show the relay's state."""
        return await self.call(Snapshot, "GET", "/admin/snapshot")

    async def get_overview(self) -> Overview:
        """Show how busy the relay is."""
        return await self.call(Overview, "GET", "/admin/overview")

    async def list_leases(self, search: str, state: str, sort: str, order: str, offset: str, limit: str) -> LeaseList:
        """List live leases.

        :param search: Text that is looked for in names, addresses and what else is shown, in any case.
        :param state: ``reached`` leases have a reverse session or a connection, ``unreached`` ones have none;
        those that wait for approval are ``waiting``.
        :param sort: What the list is sorted by.
        :param order: Of the sort.
        :param offset: How many to leave out at the beginning.
        :param limit: How many at most.
        """
        return await self.call(LeaseList, "GET", "/admin/leases", query={"search": search, "state": state, "sort": sort, "order": order, "offset": offset, "limit": limit})

    async def get_lease(self, name: str, addr: str) -> LeaseDetails:
        """Show a lease.

        :param name: Base64url of the identity's name, padded or not.
        :param addr: Base64url of the identity's address, which may be written in any case.
        """
        return await self.call(LeaseDetails, "GET", f"/admin/leases/{self.segment(name)}/{self.segment(addr)}")

    async def list_identities(self, search: str, state: str, offset: str, limit: str) -> IdentityList:
        """List identities with a decision or a limit.

        :param search: Text that is looked for in names, addresses and what else is shown, in any case.
        :param state: Only those with this decision.
        :param offset: How many to leave out at the beginning.
        :param limit: How many at most.
        """
        return await self.call(IdentityList, "GET", "/admin/identities", query={"search": search, "state": state, "offset": offset, "limit": limit})

    async def list_overlay_peers(self) -> OverlayPeers:
        """List the peers in the overlay."""
        return await self.call(OverlayPeers, "GET", "/admin/overlay")

    async def list_banned_ips(self, search: str, offset: str, limit: str) -> BannedIpList:
        """List banned source addresses.

        :param search: Text that is looked for in names, addresses and what else is shown, in any case.
        :param offset: How many to leave out at the beginning.
        :param limit: How many at most.
        """
        return await self.call(BannedIpList, "GET", "/admin/ips", query={"search": search, "offset": offset, "limit": limit})

    async def list_audit_entries(self, search: str, before: str, limit: str) -> AuditList:
        """Read the audit log.

        :param search: Text that is looked for in names, addresses and what else is shown, in any case.
        :param before: Only entries with a lower sequence number: ``next_before`` of the part before.
        :param limit: How many at most.
        """
        return await self.call(AuditList, "GET", "/admin/audit", query={"search": search, "before": before, "limit": limit})

    async def list_admin_sessions(self) -> AdminSessionList:
        """List who is logged in."""
        return await self.call(AdminSessionList, "GET", "/admin/sessions")

    async def end_admin_session(self, id: str) -> Empty:
        """End a session of an admin.

        :param id: A session, as ``listAdminSessions`` names it.
        """
        return await self.call(Empty, "DELETE", f"/admin/sessions/{self.segment(id)}")

    async def set_landing_page(self, body: LandingPage) -> LandingPage:
        """Show or hide the landing page."""
        return await self.call(LandingPage, "POST", "/admin/settings/landing-page", body=body)

    async def set_udp_settings(self, body: PortSettingsRequest) -> PortSettings:
        """Allow UDP leases, and how many."""
        return await self.call(PortSettings, "POST", "/admin/settings/udp", body=body)

    async def set_tcp_port_settings(self, body: PortSettingsRequest) -> PortSettings:
        """Allow raw TCP port leases, and how many."""
        return await self.call(PortSettings, "POST", "/admin/settings/tcp-port", body=body)

    async def set_approval_mode(self, body: ApprovalModeRequest) -> ApprovalModeSetting:
        """Choose how identities are approved."""
        return await self.call(ApprovalModeSetting, "POST", "/admin/settings/approval-mode", body=body)

    async def ban_lease(self, name: str, addr: str) -> Empty:
        """Ban an identity.

        :param name: Base64url of the identity's name, padded or not.
        :param addr: Base64url of the identity's address, which may be written in any case.
        """
        return await self.call(Empty, "POST", f"/admin/leases/{self.segment(name)}/{self.segment(addr)}/ban")

    async def unban_lease(self, name: str, addr: str) -> Empty:
        """Unban an identity.

        :param name: Base64url of the identity's name, padded or not.
        :param addr: Base64url of the identity's address, which may be written in any case.
        """
        return await self.call(Empty, "DELETE", f"/admin/leases/{self.segment(name)}/{self.segment(addr)}/ban")

    async def set_lease_bps(self, name: str, addr: str, body: BandwidthLimit) -> BandwidthLimit:
        """Limit an identity's bandwidth.

        :param name: Base64url of the identity's name, padded or not.
        :param addr: Base64url of the identity's address, which may be written in any case.
        """
        return await self.call(BandwidthLimit, "POST", f"/admin/leases/{self.segment(name)}/{self.segment(addr)}/bps", body=body)

    async def remove_lease_bps(self, name: str, addr: str) -> Empty:
        """Lift the bandwidth limit.

        :param name: Base64url of the identity's name, padded or not.
        :param addr: Base64url of the identity's address, which may be written in any case.
        """
        return await self.call(Empty, "DELETE", f"/admin/leases/{self.segment(name)}/{self.segment(addr)}/bps")

    async def approve_lease(self, name: str, addr: str) -> Empty:
        """Approve an identity.

        :param name: Base64url of the identity's name, padded or not.
        :param addr: Base64url of the identity's address, which may be written in any case.
        """
        return await self.call(Empty, "POST", f"/admin/leases/{self.segment(name)}/{self.segment(addr)}/approve")

    async def revoke_lease_approval(self, name: str, addr: str) -> Empty:
        """Revoke an approval.

        :param name: Base64url of the identity's name, padded or not.
        :param addr: Base64url of the identity's address, which may be written in any case.
        """
        return await self.call(Empty, "DELETE", f"/admin/leases/{self.segment(name)}/{self.segment(addr)}/approve")

    async def deny_lease(self, name: str, addr: str) -> Empty:
        """Deny an identity.

        :param name: Base64url of the identity's name, padded or not.
        :param addr: Base64url of the identity's address, which may be written in any case.
        """
        return await self.call(Empty, "POST", f"/admin/leases/{self.segment(name)}/{self.segment(addr)}/deny")

    async def remove_lease_denial(self, name: str, addr: str) -> Empty:
        """Remove a denial.

        :param name: Base64url of the identity's name, padded or not.
        :param addr: Base64url of the identity's address, which may be written in any case.
        """
        return await self.call(Empty, "DELETE", f"/admin/leases/{self.segment(name)}/{self.segment(addr)}/deny")

    async def ban_ip(self, ip: str) -> Empty:
        """Ban a source address.

        :param ip: IPv4 or IPv6 address.
        """
        return await self.call(Empty, "POST", f"/admin/ips/{self.segment(ip)}/ban")

    async def unban_ip(self, ip: str) -> Empty:
        """Unban a source address.

        :param ip: IPv4 or IPv6 address.
        """
        return await self.call(Empty, "DELETE", f"/admin/ips/{self.segment(ip)}/ban")

    async def get_health(self) -> Health:
        """Check the health of the relay."""
        return await self.call(Health, "GET", "/healthz")

    async def get_discovery(self) -> Discovery:
        """List relays."""
        return await self.call(Discovery, "GET", "/discovery")

    async def announce_relay(self, body: AnnounceRequest) -> Announcement:
        """Announce a relay."""
        return await self.call(Announcement, "POST", "/discovery/announce", body=body)

    async def sign_handshake(self, body: TranscriptSignRequest, *, access_token: str) -> TranscriptSignature:
        """Sign a tenant's TLS handshake."""
        return await self.call(TranscriptSignature, "POST", "/v1/sign", body=body, access_token=access_token)

    async def get_tunnel_status(self, hostname: str, *, access_token: str) -> TunnelStatus:
        """Get the status of a tunnel.

        :param hostname: Hostname of the lease.
        """
        return await self.call(TunnelStatus, "GET", "/tunnel/status", query={"hostname": hostname}, access_token=access_token)
