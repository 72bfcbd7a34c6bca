// Code generated from openapi/ by npm run generate. DO NOT EDIT.

package portal

import (
	"context"
	"net/http"
	"net/url"
)

// ErrorCode is why a relay refused. There may be more of them than these: treat one that is not known by its status.
type ErrorCode string

// The error codes of the contract.
const (
	// The body is not well-formed JSON.
	CodeInvalidJSON ErrorCode = "invalid_json"

	// The request breaks its schema or a rule of the operation (413 when the body is too large, 415 when it is not
	// JSON by its media type).
	CodeInvalidRequest ErrorCode = "invalid_request"

	// Not an Ethereum address of 0x and 40 hex digits.
	CodeInvalidAddress ErrorCode = "invalid_address"

	// Not an IPv4 or IPv6 address.
	CodeInvalidIP ErrorCode = "invalid_ip"

	// Not an approval mode.
	CodeInvalidMode ErrorCode = "invalid_mode"

	// The credential is missing, is not this relay's, or does not prove what the operation needs.
	CodeUnauthorized ErrorCode = "unauthorized"

	// The operator has banned the source address.
	CodeIPBanned ErrorCode = "ip_banned"

	// The identity is not approved yet, denied or banned. Before approval only connecting is refused; after a denial
	// or a ban everything is.
	CodeLeaseRejected ErrorCode = "lease_rejected"

	// The relay offers no UDP leases.
	CodeUDPDisabled ErrorCode = "udp_disabled"

	// The relay offers no raw TCP ports.
	CodeTCPPortDisabled ErrorCode = "tcp_port_disabled"

	// The domain's TXT record does not name the identity's address, or could not be looked up; the message says
	// which.
	CodeDomainNotProven ErrorCode = "domain_not_proven"

	// The token is genuine, but expired or its lease is gone.
	CodeLeaseNotFound ErrorCode = "lease_not_found"

	// There is nothing at this path or under this name.
	CodeNotFound ErrorCode = "not_found"

	// The path exists, but not for this method; `Allow` lists those that it has.
	CodeMethodNotAllowed ErrorCode = "method_not_allowed"

	// The hostname belongs to another identity, or this token was superseded by a later registration of the same
	// identity.
	CodeHostnameConflict ErrorCode = "hostname_conflict"

	// The carrier does not fit the lease (a datagram carrier on a lease without UDP), or a path of relays was asked
	// for with ports.
	CodeTransportMismatch ErrorCode = "transport_mismatch"

	// Too many requests, or the lease's ready queue is full.
	CodeRateLimited ErrorCode = "rate_limited"

	// The relay failed. Its cause is in the relay's log, never in the answer.
	CodeInternal ErrorCode = "internal"

	// The relay could not take the connection over from HTTP.
	CodeHijackFailed ErrorCode = "hijack_failed"

	// This connection cannot be taken over from HTTP, for example because it has carried another request before.
	CodeHijackUnsupported ErrorCode = "hijack_unsupported"

	// The relay does not have this feature, or the operator has it off.
	CodeFeatureUnavailable ErrorCode = "feature_unavailable"

	// Every UDP port of the relay's range is taken.
	CodeUDPPortExhausted ErrorCode = "udp_port_exhausted"

	// The relay has as many UDP leases as its operator allows.
	CodeUDPCapacityExceeded ErrorCode = "udp_capacity_exceeded"

	// Every TCP port of the relay's range is taken.
	CodeTCPPortExhausted ErrorCode = "tcp_port_exhausted"

	// The relay has as many TCP port leases as its operator allows.
	CodeTCPPortCapacityExceeded ErrorCode = "tcp_port_capacity_exceeded"

	// The operation takes its connection over and therefore needs HTTP/1.1.
	CodeHTTP11Only ErrorCode = "http11_only"
)

// CatalogueEntry is what the contract says of an error code.
type CatalogueEntry struct {
	// Status is the usual HTTP status.
	Status int

	// Retry is what a client does: again, when, and how.
	Retry Retry

	// RetryAfterSeconds is how long to wait where the answer has no Retry-After; 0 where the contract names no time.
	RetryAfterSeconds int
}

// Catalogue has every error code of the contract.
var Catalogue = map[ErrorCode]CatalogueEntry{
	CodeInvalidJSON: {400, RetryNever, 0},

	CodeInvalidRequest: {400, RetryNever, 0},

	CodeInvalidAddress: {400, RetryNever, 0},

	CodeInvalidIP: {400, RetryNever, 0},

	CodeInvalidMode: {400, RetryNever, 0},

	CodeUnauthorized: {401, RetryReauthenticate, 0},

	CodeIPBanned: {403, RetryNever, 0},

	CodeLeaseRejected: {403, RetryAfterDelay, 15},

	CodeUDPDisabled: {403, RetryNever, 0},

	CodeTCPPortDisabled: {403, RetryNever, 0},

	CodeDomainNotProven: {403, RetryAfterDelay, 30},

	CodeLeaseNotFound: {404, RetryReauthenticate, 0},

	CodeNotFound: {404, RetryNever, 0},

	CodeMethodNotAllowed: {405, RetryNever, 0},

	CodeHostnameConflict: {409, RetryNever, 0},

	CodeTransportMismatch: {409, RetryNever, 0},

	CodeRateLimited: {429, RetryAfterDelay, 5},

	CodeInternal: {500, RetryAfterDelay, 1},

	CodeHijackFailed: {500, RetryAfterDelay, 1},

	CodeHijackUnsupported: {500, RetryNewConnection, 0},

	CodeFeatureUnavailable: {503, RetryNever, 0},

	CodeUDPPortExhausted: {503, RetryAfterDelay, 30},

	CodeUDPCapacityExceeded: {503, RetryAfterDelay, 30},

	CodeTCPPortExhausted: {503, RetryAfterDelay, 30},

	CodeTCPPortCapacityExceeded: {503, RetryAfterDelay, 30},

	CodeHTTP11Only: {505, RetryNewConnection, 0},
}

// AdminSession: see the contract.
type AdminSession struct {
	// Names the session. Nobody can log in with it.
	ID string `json:"id"`

	// Ethereum address with its EIP-55 checksum.
	WalletAddress string `json:"wallet_address"`

	// RFC 3339, UTC.
	OpenedAt string `json:"opened_at"`

	// RFC 3339, UTC.
	ExpiresAt string `json:"expires_at"`

	// Whether this call was made by it.
	IsOwn bool `json:"is_own"`
}

// AdminSessionList: see the contract.
type AdminSessionList struct {
	Sessions []AdminSession `json:"sessions"`
}

// AdminStatus: see the contract.
type AdminStatus struct {
	// Whether the cookie names a live session of a wallet that is still an admin.
	Authenticated bool `json:"authenticated"`

	// Present when authenticated.
	WalletAddress string `json:"wallet_address,omitempty"`
}

// AnnounceRequest: see the contract.
type AnnounceRequest struct {
	// Version of the discovery protocol.
	ProtocolVersion string `json:"protocol_version,omitempty"`

	// What a relay says of itself, signed. `signature` is over SHA-256 of this JSON, in this order, without spaces,
	// nothing omitted, numbers as Go's encoding/json writes them: `address`, `version`, `issued_at_unix_nano`,
	// `expires_at_unix_nano`, `api_https_addr`, `wireguard_public_key`, `wireguard_port`, `supports_overlay`,
	// `supports_udp`, `supports_tcp`, `active_connections`, `tcp_bps`. Without an overlay: `""`, `0`, `false`. The
	// address recovered from it must be `address`.
	Descriptor RelayDescriptor `json:"descriptor"`
}

// Announcement: see the contract.
type Announcement struct {
	// Version of the discovery protocol.
	ProtocolVersion string `json:"protocol_version"`

	// Whether the descriptor now counts. `false`: it is genuine, but older than the one held, or its
	// `api_https_addr` was not seen to serve that same address.
	Accepted bool `json:"accepted"`
}

// ApprovalMode: `auto` approves each identity that is neither denied nor banned; `manual` waits for an admin.
type ApprovalMode string

// The values of ApprovalMode.
const (
	ApprovalModeAuto ApprovalMode = "auto"

	ApprovalModeManual ApprovalMode = "manual"
)

// ApprovalModeRequest: see the contract.
type ApprovalModeRequest struct {
	// `auto` approves each identity that is neither denied nor banned; `manual` waits for an admin.
	Mode ApprovalMode `json:"mode"`
}

// ApprovalModeSetting: see the contract.
type ApprovalModeSetting struct {
	// `auto` approves each identity that is neither denied nor banned; `manual` waits for an admin.
	ApprovalMode ApprovalMode `json:"approval_mode"`
}

// AuditEntry: An action of an admin, or an attempt that was refused.
type AuditEntry struct {
	// Sequence number, without gaps.
	Seq int64 `json:"seq"`

	// RFC 3339, UTC.
	Time string `json:"time"`

	// Absent when nobody was logged in.
	Wallet string `json:"wallet,omitempty"`

	// Source address.
	IP string `json:"ip"`

	// Operation id.
	Action string `json:"action"`

	// The identity key or the address that it applied to.
	Target string `json:"target,omitempty"`

	// The new values, if there are any.
	Value map[string]any `json:"value,omitempty"`

	Result AuditEntryResult `json:"result"`

	// Why it was refused.
	Reason string `json:"reason,omitempty"`
}

// AuditEntryResult: see the contract.
type AuditEntryResult string

// The values of AuditEntryResult.
const (
	AuditEntryResultDone AuditEntryResult = "done"

	AuditEntryResultRefused AuditEntryResult = "refused"
)

// AuditList: see the contract.
type AuditList struct {
	Entries []AuditEntry `json:"entries"`

	// Where the next part begins; absent at the end of the log.
	NextBefore int64 `json:"next_before,omitempty"`
}

// BandwidthLimit: see the contract.
type BandwidthLimit struct {
	// Bytes per second, both directions over all connections of a lease together.
	BPS int64 `json:"bps"`
}

// BannedIPList: see the contract.
type BannedIPList struct {
	// Banned addresses in all.
	Total int64 `json:"total"`

	// Those that match, of which this is a part.
	Matching int64 `json:"matching"`

	IPS []string `json:"ips"`
}

// Challenge: see the contract.
type Challenge struct {
	// Names the challenge; also the request id of its message.
	ChallengeID string `json:"challenge_id"`

	// End of the challenge, two minutes after its issue.
	ExpiresAt string `json:"expires_at"`

	// EIP-4361 message. To be signed, and sent back, byte for byte as issued. Works once: an attempt that is refused
	// has spent it, too. A signer checks domain, URI, version, chain id, address, request id and expiry against the
	// relay that it means to talk to before it signs.
	SIWEMessage string `json:"siwe_message"`
}

// ChallengeRequest: see the contract.
type ChallengeRequest struct {
	// Ethereum address, any case.
	Address string `json:"address"`
}

// Count: see the contract.
type Count struct {
	What string `json:"what"`

	Count int64 `json:"count"`
}

// Discovery: see the contract.
type Discovery struct {
	// Version of the discovery protocol.
	ProtocolVersion string `json:"protocol_version"`

	// RFC 3339, UTC.
	GeneratedAt string `json:"generated_at"`

	// This relay's own descriptor first, then the peers that it knows.
	Relays []RelayDescriptor `json:"relays"`
}

// Domain: What a tunnel needs to know of a relay before it registers.
type Domain struct {
	// Version of Portal's SDK protocol.
	ProtocolVersion string `json:"protocol_version"`

	// Version of the relay's program.
	ReleaseVersion string `json:"release_version"`

	// Host of the relay's URL; leases are names directly under it.
	RootHost string `json:"root_host"`

	// How the relay signs TLS handshakes for its tenants. Absent when it does not.
	Keyless *Keyless `json:"keyless,omitempty"`

	// Carriers on offer for reverse sessions and datagrams: `raw`, `websocket`, `datagram-websocket`, `quic`. More
	// may come; ignore unknown ones.
	Transports []string `json:"transports"`

	// What else is on offer: `domains` (a lease may have a domain of the identity's own), `own_certificates` (a name
	// under the root host may have a certificate of the tunnel's own), `hops` (a lease may be part of a path of
	// relays). More may come; ignore unknown ones.
	Features []string `json:"features,omitempty"`
}

// Empty: Nothing to say beyond that it was done.
type Empty struct{}

// Health: see the contract.
type Health struct {
	Status string `json:"status"`

	// Parts that fail now, while everything that is up goes on; absent when there are none. `store`: nothing can be
	// written, as on a full disk. Leases are renewed, and none can be registered or given back. The relay recovers
	// by itself. More may come; ignore unknown ones.
	Degraded []string `json:"degraded,omitempty"`
}

// Hop: Makes the lease one of a path of relays (`docs/protocol.md`, Paths): visitors of the first, the entry,
// are passed on from relay to relay, and the last has the reverse sessions. The tunnel registers with each of
// them. The entry has `forward` only, the last `accept` only, those between both. A lease that accepts is not
// reached by its hostname, has no domain and no certificate of its own. A path has no ports
// (`transport_mismatch`) and no `group` (`invalid_request`). With neither `accept` nor `forward` it is
// `invalid_request`.
type Hop struct {
	// Visitors come from another relay, in the overlay.
	Accept *HopAccept `json:"accept,omitempty"`

	// Visitors go to another relay, in the overlay.
	Forward *HopForward `json:"forward,omitempty"`
}

// HopAccept: Visitors come from another relay, in the overlay.
type HopAccept struct {
	// The relay before this one on the path sends it with each visitor. The relay keeps no more than its hash.
	Token string `json:"token"`
}

// HopForward: Visitors go to another relay, in the overlay.
type HopForward struct {
	// The next relay. It must be a peer of this relay in the overlay, with the key in this descriptor; else it is
	// `invalid_request`.
	Descriptor RelayDescriptor `json:"descriptor"`

	// That relay's `accept.token`.
	Token string `json:"token"`

	// Of the entry: seals what a visitor sends first, so that the relays behind it do not see the name in the
	// ClientHello (AES-256-GCM, `docs/protocol.md`). Of others it is `invalid_request`.
	HelloKey string `json:"hello_key,omitempty"`

	// Tell the next relay the visitor's address, where the operator of this one allows it; else it is told nothing.
	PassVisitorAddress *bool `json:"pass_visitor_address,omitempty"`
}

// Identity: A name and the account that it belongs to.
type Identity struct {
	// One DNS label, or a domain of the identity's own. Lower case.
	Name string `json:"name"`

	// Ethereum address with its EIP-55 checksum.
	Address string `json:"address"`
}

// IdentityInput: Who asks, and for which name. Case does not matter.
type IdentityInput struct {
	// One DNS label, for a name under the relay's root host; or, with dots in it, a domain of one's own, which its
	// TXT record must prove to belong to the identity (`registerLease`). Any case. Labels have 63 characters at
	// most, and one that begins with `xn--` must be a valid internationalized one (UTS 46).
	Name string `json:"name"`

	// Ethereum address, any case.
	Address string `json:"address"`
}

// IdentityList: see the contract.
type IdentityList struct {
	// Identities with a decision or a limit in all.
	Total int64 `json:"total"`

	// Those that match, of which this is a part.
	Matching int64 `json:"matching"`

	Identities []SnapshotIdentity `json:"identities"`
}

// Keyless: How the relay signs TLS handshakes for its tenants. Absent when it does not.
type Keyless struct {
	// What `POST /v1/sign` takes, `transcript` unless the operator also allows `digest` for older clients.
	Modes []KeylessModesItem `json:"modes"`

	// Name of the signing key, to be sent with each request.
	KeyID string `json:"key_id"`

	// PEM certificates, leaf first: what the tunnel sends in its Certificate message. Fetch it anew at each renewal;
	// after a change the old chain still signs for ten minutes.
	CertificateChain string `json:"certificate_chain"`
}

// KeylessModesItem: see the contract.
type KeylessModesItem string

// The values of KeylessModesItem.
const (
	KeylessModesItemTranscript KeylessModesItem = "transcript"

	KeylessModesItemDigest KeylessModesItem = "digest"
)

// LandingPage: see the contract.
type LandingPage struct {
	// Whether the root host shows the landing page.
	Enabled bool `json:"enabled"`
}

// Lease: see the contract.
type Lease struct {
	// A name and the account that it belongs to.
	Identity Identity `json:"identity"`

	// `name.<root host>`, or the domain itself; the lease routes this name.
	Hostname string `json:"hostname"`

	// End of the lease. Renew well before.
	ExpiresAt string `json:"expires_at"`

	// See the security scheme `access_token`. Opaque to clients.
	AccessToken string `json:"access_token"`

	// Public TLS port of the relay, for the URL of the service; absent means 443.
	SNIPort int64 `json:"sni_port,omitempty"`

	// Present when UDP was asked for.
	UDPEnabled bool `json:"udp_enabled,omitempty"`

	// Public UDP address of the lease. Registering again within five minutes of the lease's end gets the same, and
	// renewing keeps it.
	UDPAddr string `json:"udp_addr,omitempty"`

	// How many consecutive UDP ports the lease has, from that of `udp_addr`; absent for one.
	UDPCount int64 `json:"udp_count,omitempty"`

	// Present when a TCP port was asked for.
	TCPEnabled bool `json:"tcp_enabled,omitempty"`

	// Public raw TCP address of the lease. Registering again within five minutes of the lease's end gets the same,
	// and renewing keeps it.
	TCPAddr string `json:"tcp_addr,omitempty"`
}

// LeaseDetails: see the contract.
type LeaseDetails struct {
	Lease SnapshotLease `json:"lease"`

	// Connections of visitors now.
	Connections int64 `json:"connections"`

	// Bytes from visitors since its sessions were first opened.
	Received int64 `json:"received"`

	// Bytes to visitors, likewise.
	Sent int64 `json:"sent"`

	// The minutes of the last hour in which bytes passed, the oldest first.
	Traffic []TrafficMinute `json:"traffic,omitempty"`
}

// LeaseList: see the contract.
type LeaseList struct {
	// Live leases in all.
	Total int64 `json:"total"`

	// Those that match, of which this is a part.
	Matching int64 `json:"matching"`

	Leases []ListedLease `json:"leases"`
}

// ListedLease: see the contract.
type ListedLease struct {
	Lease SnapshotLease `json:"lease"`

	// Connections of visitors now.
	Connections int64 `json:"connections"`

	// Bytes from visitors since its sessions were first opened.
	Received int64 `json:"received"`

	// Bytes to visitors, likewise.
	Sent int64 `json:"sent"`
}

// Login: see the contract.
type Login struct {
	// Ethereum address with its EIP-55 checksum.
	WalletAddress string `json:"wallet_address"`
}

// LoginRequest: see the contract.
type LoginRequest struct {
	// Names the challenge; also the request id of its message.
	ChallengeID string `json:"challenge_id"`

	// EIP-4361 message. To be signed, and sent back, byte for byte as issued. Works once: an attempt that is refused
	// has spent it, too. A signer checks domain, URI, version, chain id, address, request id and expiry against the
	// relay that it means to talk to before it signs.
	SIWEMessage string `json:"siwe_message"`

	// Signature of the message's bytes by `personal_sign` (EIP-191), 65 bytes `r || s || v`, 0x and hex. Plain
	// accounts only.
	SIWESignature string `json:"siwe_signature"`
}

// Metadata: What a tunnel tells of its service, for listings.
type Metadata struct {
	Description string `json:"description,omitempty"`

	Owner string `json:"owner,omitempty"`

	// URL of a picture of the service; empty for none.
	Thumbnail string `json:"thumbnail,omitempty"`

	Tags []string `json:"tags,omitempty"`

	// Keep the service out of public listings.
	Hide *bool `json:"hide,omitempty"`
}

// OverlayPeer: see the contract.
type OverlayPeer struct {
	// The address with which it signs.
	Relay string `json:"relay"`

	// Its IPv4 address in the overlay.
	Address string `json:"address"`

	// Host and port of its WireGuard.
	Host string `json:"host"`

	// What keeps it from being reached, such as a name without an address; absent when there is nothing.
	Fault string `json:"fault,omitempty"`

	// Absent before the first handshake of WireGuard with it.
	LastHandshakeAt string `json:"last_handshake_at,omitempty"`

	// Bytes from it since it is a peer.
	Received int64 `json:"received"`

	// Bytes to it, likewise.
	Sent int64 `json:"sent"`
}

// OverlayPeers: see the contract.
type OverlayPeers struct {
	// Whether this relay has a place in the overlay now.
	IsUp bool `json:"is_up"`

	Peers []OverlayPeer `json:"peers"`

	// Relays that are no peers although their descriptors say that they have an overlay, and why.
	Refused []RefusedOverlayPeer `json:"refused"`
}

// Overview: see the contract.
type Overview struct {
	// Of the relay's release.
	Version string `json:"version"`

	// DNS name, lower case.
	RootHost string `json:"root_host"`

	// RFC 3339, UTC.
	StartedAt string `json:"started_at"`

	// Time between two samples.
	SampleSeconds float64 `json:"sample_seconds"`

	// Of the last hour, or since the start; the oldest first.
	Samples []Sample `json:"samples"`

	// What became of public connections since the start.
	Outcomes []Count `json:"outcomes"`

	// Errors of the API by code since the start; those that occurred.
	Errors []Count `json:"errors"`

	// RFC 3339, UTC.
	CertificateExpiresAt string `json:"certificate_expires_at"`

	// `auto` approves each identity that is neither denied nor banned; `manual` waits for an admin.
	ApprovalMode ApprovalMode `json:"approval_mode"`

	LandingPageEnabled bool `json:"landing_page_enabled"`

	UDP PortSettings `json:"udp"`

	TCPPort PortSettings `json:"tcp_port"`

	// Other relays; absent where discovery is off.
	Relays *OverviewRelays `json:"relays,omitempty"`

	// Absent where there is none.
	Overlay *OverviewOverlay `json:"overlay,omitempty"`
}

// OverviewOverlay: Absent where there is none.
type OverviewOverlay struct {
	IsUp bool `json:"is_up"`

	// Relays that are peers.
	Peers int64 `json:"peers"`
}

// OverviewRelays: Other relays; absent where discovery is off.
type OverviewRelays struct {
	// Those whose descriptor is believed now.
	Believed int64 `json:"believed"`

	// URLs held: believed, silent, or not visited yet.
	Held int64 `json:"held"`
}

// PortSettings: see the contract.
type PortSettings struct {
	// Whether new leases may have such a port.
	Enabled bool `json:"enabled"`

	// How many leases may have such a port at once; 0 is no limit.
	MaxLeases int64 `json:"max_leases"`
}

// PortSettingsRequest: see the contract.
type PortSettingsRequest struct {
	// Whether new leases may have such a port.
	Enabled bool `json:"enabled"`

	// Absent, the present limit stays.
	MaxLeases *int64 `json:"max_leases,omitempty"`
}

// RefusedOverlayPeer: see the contract.
type RefusedOverlayPeer struct {
	// The address with which it signs.
	Relay string `json:"relay"`

	Reason string `json:"reason"`
}

// RegisterChallengeRequest: see the contract.
type RegisterChallengeRequest struct {
	// Who asks, and for which name. Case does not matter.
	Identity IdentityInput `json:"identity"`

	// What a tunnel tells of its service, for listings.
	Metadata *Metadata `json:"metadata,omitempty"`

	// Life of the lease in seconds. Above the relay's maximum (one hour by default) it is cut to that; absent, the
	// relay's default applies (30). `expires_at` in the answer is what was granted.
	TTL *int64 `json:"ttl,omitempty"`

	// Ask for a public UDP port. Datagrams then travel by a carrier of their own (`docs/protocol.md`, Datagrams).
	UDPEnabled *bool `json:"udp_enabled,omitempty"`

	// Ask for a public raw TCP port. Its connections claim sessions with the marker `0x01`.
	TCPEnabled *bool `json:"tcp_enabled,omitempty"`

	// With `udp_enabled`: this very UDP port, or none. Outside the relay's range it is `invalid_request`; taken, or
	// reserved for another identity, `udp_port_exhausted`.
	UDPPort *int64 `json:"udp_port,omitempty"`

	// With `udp_enabled`: so many UDP ports with consecutive numbers, all or none; `udp_port`, if given, is the
	// first. More than the relay gives a lease is `invalid_request`.
	UDPCount *int64 `json:"udp_count,omitempty"`

	// With `tcp_enabled`: this very TCP port, or none. Outside the relay's range it is `invalid_request`; taken, or
	// reserved for another identity, `tcp_port_exhausted`.
	TCPPort *int64 `json:"tcp_port,omitempty"`

	// Share the lease with other tunnels. Where the identity's live lease has the same group, registering joins it
	// instead of replacing it: each member has its own token, sessions and expiry, and visitors go to the member
	// with the fewest connections. The lease lasts until its last member has left. Members must agree on
	// `tcp_enabled` and `tcp_port`; a group has no UDP port (`invalid_request`). At most 16 members; past that,
	// `rate_limited`.
	Group string `json:"group,omitempty"`

	// How many seconds a visitor waits for a reverse session while none is ready, as when the tunnel reconnects,
	// before the connection is refused. 0: not at all. In a group what its last tunnel to register asked for counts.
	SessionWait *int64 `json:"session_wait,omitempty"`

	// TLS of this name ends with a certificate of the tunnel's own, whose key the relay does not have. The relay
	// then signs nothing for the lease, and passes connections of ACME's `tls-alpn-01` challenge (ALPN `acme-tls/1`,
	// RFC 8737) on to the tunnel. A domain of one's own always has it; a name under the root host where `features`
	// has `own_certificates`, else it is `feature_unavailable`.
	OwnCertificate *bool `json:"own_certificate,omitempty"`

	// Makes the lease one of a path of relays (`docs/protocol.md`, Paths): visitors of the first, the entry, are
	// passed on from relay to relay, and the last has the reverse sessions. The tunnel registers with each of them.
	// The entry has `forward` only, the last `accept` only, those between both. A lease that accepts is not reached
	// by its hostname, has no domain and no certificate of its own. A path has no ports (`transport_mismatch`) and
	// no `group` (`invalid_request`). With neither `accept` nor `forward` it is `invalid_request`.
	Hop *Hop `json:"hop,omitempty"`
}

// RegisterRequest: see the contract.
type RegisterRequest struct {
	// Names the challenge; also the request id of its message.
	ChallengeID string `json:"challenge_id"`

	// EIP-4361 message. To be signed, and sent back, byte for byte as issued. Works once: an attempt that is refused
	// has spent it, too. A signer checks domain, URI, version, chain id, address, request id and expiry against the
	// relay that it means to talk to before it signs.
	SIWEMessage string `json:"siwe_message"`

	// Signature of the message's bytes by `personal_sign` (EIP-191), 65 bytes `r || s || v`, 0x and hex. Plain
	// accounts only.
	SIWESignature string `json:"siwe_signature"`

	// The tunnel's public address as it sees it itself. Shown to admins beside the one the relay sees; never
	// trusted.
	ReportedIP string `json:"reported_ip,omitempty"`
}

// RelayDescriptor: What a relay says of itself, signed. `signature` is over SHA-256 of this JSON, in this order,
// without spaces, nothing omitted, numbers as Go's encoding/json writes them: `address`, `version`,
// `issued_at_unix_nano`, `expires_at_unix_nano`, `api_https_addr`, `wireguard_public_key`, `wireguard_port`,
// `supports_overlay`, `supports_udp`, `supports_tcp`, `active_connections`, `tcp_bps`. Without an overlay: `""`,
// `0`, `false`. The address recovered from it must be `address`.
type RelayDescriptor struct {
	// Signing address of the relay.
	Address string `json:"address"`

	// Discovery protocol version of this descriptor.
	Version string `json:"version"`

	// May carry nanoseconds, which are part of what is signed. Telemetry was sampled then.
	IssuedAt string `json:"issued_at"`

	// May carry nanoseconds, which are part of what is signed.
	ExpiresAt string `json:"expires_at"`

	// Public HTTPS base URL of the relay's API: `https://host[:port]`, the port 443 or from 1024 up. It must serve
	// the same descriptor's `address`, as the first in its own `/discovery` that names this URL.
	APIHTTPSAddr string `json:"api_https_addr"`

	// Base64 of the 32-byte overlay key; present when there is an overlay.
	WireguardPublicKey string `json:"wireguard_public_key,omitempty"`

	// UDP port of the overlay on the host of `api_https_addr`; present when there is an overlay.
	WireguardPort *int64 `json:"wireguard_port,omitempty"`

	// The relay can take part in multi-hop routing over WireGuard.
	SupportsOverlay bool `json:"supports_overlay"`

	// The relay can allot public UDP ports.
	SupportsUDP bool `json:"supports_udp"`

	// The relay can allot raw TCP ports.
	SupportsTCP bool `json:"supports_tcp"`

	// Connections proxied at `issued_at`.
	ActiveConnections int64 `json:"active_connections"`

	// Recent proxied TCP throughput in bytes per second.
	TCPBPS float64 `json:"tcp_bps"`

	// Base64 of a 65-byte compact recoverable secp256k1 signature (one byte 27 + recovery id + 4, then r, then s).
	Signature string `json:"signature"`
}

// RenewRequest: see the contract.
type RenewRequest struct {
	// See the security scheme `access_token`. Opaque to clients.
	AccessToken string `json:"access_token,omitempty"`

	// Life of the lease in seconds. Above the relay's maximum (one hour by default) it is cut to that; absent, the
	// relay's default applies (30). `expires_at` in the answer is what was granted.
	TTL *int64 `json:"ttl,omitempty"`

	// The tunnel's public address as it sees it itself. Shown to admins beside the one the relay sees; never
	// trusted.
	ReportedIP string `json:"reported_ip,omitempty"`

	// Replaces what was told before; absent, that stays.
	Metadata *Metadata `json:"metadata,omitempty"`
}

// Renewal: see the contract.
type Renewal struct {
	// New end of the lease.
	ExpiresAt string `json:"expires_at"`

	// A new token; use it from now on.
	AccessToken string `json:"access_token"`
}

// Sample: What lived at a moment, and what happened since the sample before.
type Sample struct {
	// RFC 3339, UTC.
	At string `json:"at"`

	// Live leases.
	Leases int64 `json:"leases"`

	// Reverse sessions that wait for a visitor.
	Ready int64 `json:"ready"`

	// Visitors' connections.
	Connections int64 `json:"connections"`

	// Connections open on the public port, whatever they are for.
	PublicConnections int64 `json:"public_connections"`

	// Peers of public UDP ports with recent datagrams.
	UDPFlows int64 `json:"udp_flows"`

	// Connections that were passed on to a tunnel.
	Routed int64 `json:"routed"`

	// Connections that were refused.
	Refused int64 `json:"refused"`

	// Bytes from visitors.
	Received int64 `json:"received"`

	// Bytes to visitors.
	Sent int64 `json:"sent"`

	// Handshakes that were signed.
	Signatures int64 `json:"signatures"`

	// Handshakes that were not signed.
	SignaturesRefused int64 `json:"signatures_refused"`

	// API requests that succeeded.
	Requests int64 `json:"requests"`

	// API requests that were refused.
	RequestsRefused int64 `json:"requests_refused"`

	// Datagrams given up.
	DatagramsDropped int64 `json:"datagrams_dropped"`

	// Calls of the store.
	StoreCalls int64 `json:"store_calls"`

	// Calls of the store that failed.
	StoreFailures int64 `json:"store_failures"`

	// Time that the calls of the store took, together.
	StoreSeconds float64 `json:"store_seconds"`
}

// SignatureScheme: IANA name of a TLS SignatureScheme that TLS 1.3 allows in CertificateVerify.
type SignatureScheme string

// The values of SignatureScheme.
const (
	SignatureSchemeEcdsaSecp256r1Sha256 SignatureScheme = "ecdsa_secp256r1_sha256"

	SignatureSchemeEcdsaSecp384r1Sha384 SignatureScheme = "ecdsa_secp384r1_sha384"

	SignatureSchemeEcdsaSecp521r1Sha512 SignatureScheme = "ecdsa_secp521r1_sha512"

	SignatureSchemeEd25519 SignatureScheme = "ed25519"

	SignatureSchemeRsaPssRsaeSha256 SignatureScheme = "rsa_pss_rsae_sha256"

	SignatureSchemeRsaPssRsaeSha384 SignatureScheme = "rsa_pss_rsae_sha384"

	SignatureSchemeRsaPssRsaeSha512 SignatureScheme = "rsa_pss_rsae_sha512"

	SignatureSchemeRsaPssPssSha256 SignatureScheme = "rsa_pss_pss_sha256"

	SignatureSchemeRsaPssPssSha384 SignatureScheme = "rsa_pss_pss_sha384"

	SignatureSchemeRsaPssPssSha512 SignatureScheme = "rsa_pss_pss_sha512"
)

// Snapshot: The relay's state at one moment.
type Snapshot struct {
	// `auto` approves each identity that is neither denied nor banned; `manual` waits for an admin.
	ApprovalMode ApprovalMode `json:"approval_mode"`

	LandingPageEnabled bool `json:"landing_page_enabled"`

	// Live leases.
	Leases []SnapshotLease `json:"leases"`

	UDP PortSettings `json:"udp"`

	TCPPort PortSettings `json:"tcp_port"`

	// Every identity with a decision or a limit, live or not.
	Identities []SnapshotIdentity `json:"identities"`

	// Banned source addresses; an IPv6 address stands for its /64.
	BannedIPS []string `json:"banned_ips"`
}

// SnapshotIdentity: see the contract.
type SnapshotIdentity struct {
	// `name:address`, all lower case.
	IdentityKey string `json:"identity_key"`

	// Ethereum address with its EIP-55 checksum.
	Address string `json:"address"`

	// One DNS label, or a domain of the identity's own. Lower case.
	Name string `json:"name"`

	// Absent when there is no limit.
	BPS int64 `json:"bps,omitempty"`

	// Whether it may be routed, by decision or by `auto` mode.
	IsApproved bool `json:"is_approved"`

	// Whether an admin has approved it; in `auto` mode it may be routed without. Older relays do not tell.
	HasApproval bool `json:"has_approval,omitempty"`

	IsBanned bool `json:"is_banned"`

	IsDenied bool `json:"is_denied"`
}

// SnapshotLease: see the contract.
type SnapshotLease struct {
	// `name:address`, all lower case.
	IdentityKey string `json:"identity_key"`

	// Ethereum address with its EIP-55 checksum.
	Address string `json:"address"`

	// One DNS label, or a domain of the identity's own. Lower case.
	Name string `json:"name"`

	// DNS name, lower case.
	Hostname string `json:"hostname"`

	// RFC 3339, UTC.
	ExpiresAt string `json:"expires_at"`

	// When the identity first registered.
	FirstSeenAt string `json:"first_seen_at"`

	// Its last register, renew or connect.
	LastSeenAt string `json:"last_seen_at"`

	// Source address as the relay sees it.
	ClientIP string `json:"client_ip"`

	// The tunnel's public address as it sees it itself. Shown to admins beside the one the relay sees; never
	// trusted.
	ReportedIP string `json:"reported_ip,omitempty"`

	// `host:port`.
	UDPAddr string `json:"udp_addr,omitempty"`

	// How many consecutive UDP ports the lease has, from that of `udp_addr`; absent for one.
	UDPCount int64 `json:"udp_count,omitempty"`

	// `host:port`.
	TCPAddr string `json:"tcp_addr,omitempty"`

	// Its place in a path of relays; absent without one.
	Hop *SnapshotLeaseHop `json:"hop,omitempty"`

	// What a tunnel tells of its service, for listings.
	Metadata Metadata `json:"metadata"`

	// Reverse sessions waiting in the ready queue.
	Ready int64 `json:"ready"`

	// The group whose tunnels share the lease; absent when it has one tunnel of its own.
	Group string `json:"group,omitempty"`

	// Tunnels of the group.
	Members int64 `json:"members,omitempty"`

	// Absent when there is no limit.
	BPS int64 `json:"bps,omitempty"`

	// Whether it may be routed, by decision or by `auto` mode.
	IsApproved bool `json:"is_approved"`

	// Whether an admin has approved it; in `auto` mode it may be routed without. Older relays do not tell.
	HasApproval bool `json:"has_approval,omitempty"`

	IsBanned bool `json:"is_banned"`

	IsDenied bool `json:"is_denied"`

	// Whether `client_ip` is banned.
	IsIPBanned bool `json:"is_ip_banned"`
}

// SnapshotLeaseHop: Its place in a path of relays; absent without one.
type SnapshotLeaseHop struct {
	// Visitors come from another relay, not by the hostname.
	Accepts bool `json:"accepts"`

	// Signing address of the relay that visitors go to; absent for the last of a path.
	ForwardsTo string `json:"forwards_to,omitempty"`
}

// TrafficMinute: see the contract.
type TrafficMinute struct {
	// When the minute ended.
	At string `json:"at"`

	// Bytes from visitors in it.
	Received int64 `json:"received"`

	// Bytes to visitors in it.
	Sent int64 `json:"sent"`
}

// TranscriptSignRequest: Ask for the CertificateVerify signature of one routed connection. The relay rebuilds
// what is signed from the transcript.
type TranscriptSignRequest struct {
	// Name of the signing key, as `getDomain` gives it.
	KeyID string `json:"key_id"`

	// Base64 of the 16 bytes that came after the marker `0x02` of the reverse session. Serves once.
	Binding string `json:"binding"`

	// IANA name of a TLS SignatureScheme that TLS 1.3 allows in CertificateVerify.
	SignatureScheme SignatureScheme `json:"signature_scheme"`

	// Base64 of the handshake messages with their four-byte headers, in order and nothing else: ClientHello,
	// [HelloRetryRequest, ClientHello], ServerHello, EncryptedExtensions, Certificate. 64 KiB at most before base64.
	Transcript string `json:"transcript"`
}

// TranscriptSignature: see the contract.
type TranscriptSignature struct {
	// Name of the signing key, as `getDomain` gives it.
	KeyID string `json:"key_id"`

	// IANA name of a TLS SignatureScheme that TLS 1.3 allows in CertificateVerify.
	SignatureScheme SignatureScheme `json:"signature_scheme"`

	// Base64 of the `signature` field of CertificateVerify (RFC 8446, 4.4.3).
	Signature string `json:"signature"`
}

// TunnelStatus: see the contract.
type TunnelStatus struct {
	// DNS name, lower case.
	Hostname string `json:"hostname"`

	// Whether a live lease routes the hostname.
	Registered bool `json:"registered"`

	// Whether the tunnel is there to serve it, that is, has at least one reverse session waiting or in use.
	ServiceAlive bool `json:"service_alive"`

	// Whether the relay signs nothing for this name, because the tunnel has a certificate of its own. The relay
	// cannot read its traffic without a second certificate for the name, which Certificate Transparency shows to
	// whoever looks (`docs/probe.md`).
	OwnCertificate bool `json:"own_certificate,omitempty"`
}

// UnregisterRequest: see the contract.
type UnregisterRequest struct {
	// See the security scheme `access_token`. Opaque to clients.
	AccessToken string `json:"access_token,omitempty"`
}

// GetDomain: Get the relay's capabilities.
func (c *Client) GetDomain(ctx context.Context) (*Domain, error) {
	return send[Domain](ctx, c, request{method: http.MethodGet, path: "/sdk/domain"})
}

// CreateRegisterChallenge: Ask for a challenge to register with.
func (c *Client) CreateRegisterChallenge(ctx context.Context, body RegisterChallengeRequest) (*Challenge, error) {
	return send[Challenge](ctx, c, request{method: http.MethodPost, path: "/sdk/register/challenge", body: body})
}

// RegisterLease: Register with a signed challenge.
func (c *Client) RegisterLease(ctx context.Context, body RegisterRequest) (*Lease, error) {
	return send[Lease](ctx, c, request{method: http.MethodPost, path: "/sdk/register", body: body})
}

// RenewLease: Renew a lease.
func (c *Client) RenewLease(ctx context.Context, accessToken string, body RenewRequest) (*Renewal, error) {
	return send[Renewal](ctx, c, request{method: http.MethodPost, path: "/sdk/renew", body: body, accessToken: accessToken})
}

// UnregisterLease: End a lease.
func (c *Client) UnregisterLease(ctx context.Context, accessToken string, body UnregisterRequest) (*Empty, error) {
	return send[Empty](ctx, c, request{method: http.MethodPost, path: "/sdk/unregister", body: body, accessToken: accessToken})
}

// CreateAdminChallenge: Ask for a challenge to log in with.
func (c *Client) CreateAdminChallenge(ctx context.Context, body ChallengeRequest) (*Challenge, error) {
	return send[Challenge](ctx, c, request{method: http.MethodPost, path: "/admin/auth/challenge", body: body})
}

// LoginAdmin: Log in with a signed challenge.
func (c *Client) LoginAdmin(ctx context.Context, body LoginRequest) (*Login, error) {
	return send[Login](ctx, c, request{method: http.MethodPost, path: "/admin/auth/login", body: body})
}

// GetAdminStatus: Get the login status.
func (c *Client) GetAdminStatus(ctx context.Context) (*AdminStatus, error) {
	return send[AdminStatus](ctx, c, request{method: http.MethodGet, path: "/admin/auth/status"})
}

// LogoutAdmin: Log out.
func (c *Client) LogoutAdmin(ctx context.Context) (*Empty, error) {
	return send[Empty](ctx, c, request{method: http.MethodPost, path: "/admin/logout"})
}

// GetSnapshot: Show the relay's state.
func (c *Client) GetSnapshot(ctx context.Context) (*Snapshot, error) {
	return send[Snapshot](ctx, c, request{method: http.MethodGet, path: "/admin/snapshot"})
}

// GetOverview: Show how busy the relay is.
func (c *Client) GetOverview(ctx context.Context) (*Overview, error) {
	return send[Overview](ctx, c, request{method: http.MethodGet, path: "/admin/overview"})
}

// ListLeases: List live leases.
//
// search: Text that is looked for in names, addresses and what else is shown, in any case.
//
// state: `reached` leases have a reverse session or a connection, `unreached` ones have none; those that wait
// for approval are `waiting`.
//
// sort: What the list is sorted by.
//
// order: Of the sort.
//
// offset: How many to leave out at the beginning.
//
// limit: How many at most.
func (c *Client) ListLeases(ctx context.Context, search string, state string, sort string, order string, offset string, limit string) (*LeaseList, error) {
	return send[LeaseList](ctx, c, request{method: http.MethodGet, path: "/admin/leases", query: url.Values{"search": {search}, "state": {state}, "sort": {sort}, "order": {order}, "offset": {offset}, "limit": {limit}}})
}

// GetLease: Show a lease.
//
// name: Base64url of the identity's name, padded or not.
//
// addr: Base64url of the identity's address, which may be written in any case.
func (c *Client) GetLease(ctx context.Context, name string, addr string) (*LeaseDetails, error) {
	return send[LeaseDetails](ctx, c, request{method: http.MethodGet, path: "/admin/leases/" + url.PathEscape(name) + "/" + url.PathEscape(addr)})
}

// ListIdentities: List identities with a decision or a limit.
//
// search: Text that is looked for in names, addresses and what else is shown, in any case.
//
// state: Only those with this decision.
//
// offset: How many to leave out at the beginning.
//
// limit: How many at most.
func (c *Client) ListIdentities(ctx context.Context, search string, state string, offset string, limit string) (*IdentityList, error) {
	return send[IdentityList](ctx, c, request{method: http.MethodGet, path: "/admin/identities", query: url.Values{"search": {search}, "state": {state}, "offset": {offset}, "limit": {limit}}})
}

// ListOverlayPeers: List the peers in the overlay.
func (c *Client) ListOverlayPeers(ctx context.Context) (*OverlayPeers, error) {
	return send[OverlayPeers](ctx, c, request{method: http.MethodGet, path: "/admin/overlay"})
}

// ListBannedIPS: List banned source addresses.
//
// search: Text that is looked for in names, addresses and what else is shown, in any case.
//
// offset: How many to leave out at the beginning.
//
// limit: How many at most.
func (c *Client) ListBannedIPS(ctx context.Context, search string, offset string, limit string) (*BannedIPList, error) {
	return send[BannedIPList](ctx, c, request{method: http.MethodGet, path: "/admin/ips", query: url.Values{"search": {search}, "offset": {offset}, "limit": {limit}}})
}

// ListAuditEntries: Read the audit log.
//
// search: Text that is looked for in names, addresses and what else is shown, in any case.
//
// before: Only entries with a lower sequence number: `next_before` of the part before.
//
// limit: How many at most.
func (c *Client) ListAuditEntries(ctx context.Context, search string, before string, limit string) (*AuditList, error) {
	return send[AuditList](ctx, c, request{method: http.MethodGet, path: "/admin/audit", query: url.Values{"search": {search}, "before": {before}, "limit": {limit}}})
}

// ListAdminSessions: List who is logged in.
func (c *Client) ListAdminSessions(ctx context.Context) (*AdminSessionList, error) {
	return send[AdminSessionList](ctx, c, request{method: http.MethodGet, path: "/admin/sessions"})
}

// EndAdminSession: End a session of an admin.
//
// id: A session, as `listAdminSessions` names it.
func (c *Client) EndAdminSession(ctx context.Context, id string) (*Empty, error) {
	return send[Empty](ctx, c, request{method: http.MethodDelete, path: "/admin/sessions/" + url.PathEscape(id)})
}

// SetLandingPage: Show or hide the landing page.
func (c *Client) SetLandingPage(ctx context.Context, body LandingPage) (*LandingPage, error) {
	return send[LandingPage](ctx, c, request{method: http.MethodPost, path: "/admin/settings/landing-page", body: body})
}

// SetUDPSettings: Allow UDP leases, and how many.
func (c *Client) SetUDPSettings(ctx context.Context, body PortSettingsRequest) (*PortSettings, error) {
	return send[PortSettings](ctx, c, request{method: http.MethodPost, path: "/admin/settings/udp", body: body})
}

// SetTCPPortSettings: Allow raw TCP port leases, and how many.
func (c *Client) SetTCPPortSettings(ctx context.Context, body PortSettingsRequest) (*PortSettings, error) {
	return send[PortSettings](ctx, c, request{method: http.MethodPost, path: "/admin/settings/tcp-port", body: body})
}

// SetApprovalMode: Choose how identities are approved.
func (c *Client) SetApprovalMode(ctx context.Context, body ApprovalModeRequest) (*ApprovalModeSetting, error) {
	return send[ApprovalModeSetting](ctx, c, request{method: http.MethodPost, path: "/admin/settings/approval-mode", body: body})
}

// BanLease: Ban an identity.
//
// name: Base64url of the identity's name, padded or not.
//
// addr: Base64url of the identity's address, which may be written in any case.
func (c *Client) BanLease(ctx context.Context, name string, addr string) (*Empty, error) {
	return send[Empty](ctx, c, request{method: http.MethodPost, path: "/admin/leases/" + url.PathEscape(name) + "/" + url.PathEscape(addr) + "/ban"})
}

// UnbanLease: Unban an identity.
//
// name: Base64url of the identity's name, padded or not.
//
// addr: Base64url of the identity's address, which may be written in any case.
func (c *Client) UnbanLease(ctx context.Context, name string, addr string) (*Empty, error) {
	return send[Empty](ctx, c, request{method: http.MethodDelete, path: "/admin/leases/" + url.PathEscape(name) + "/" + url.PathEscape(addr) + "/ban"})
}

// SetLeaseBPS: Limit an identity's bandwidth.
//
// name: Base64url of the identity's name, padded or not.
//
// addr: Base64url of the identity's address, which may be written in any case.
func (c *Client) SetLeaseBPS(ctx context.Context, name string, addr string, body BandwidthLimit) (*BandwidthLimit, error) {
	return send[BandwidthLimit](ctx, c, request{method: http.MethodPost, path: "/admin/leases/" + url.PathEscape(name) + "/" + url.PathEscape(addr) + "/bps", body: body})
}

// RemoveLeaseBPS: Lift the bandwidth limit.
//
// name: Base64url of the identity's name, padded or not.
//
// addr: Base64url of the identity's address, which may be written in any case.
func (c *Client) RemoveLeaseBPS(ctx context.Context, name string, addr string) (*Empty, error) {
	return send[Empty](ctx, c, request{method: http.MethodDelete, path: "/admin/leases/" + url.PathEscape(name) + "/" + url.PathEscape(addr) + "/bps"})
}

// ApproveLease: Approve an identity.
//
// name: Base64url of the identity's name, padded or not.
//
// addr: Base64url of the identity's address, which may be written in any case.
func (c *Client) ApproveLease(ctx context.Context, name string, addr string) (*Empty, error) {
	return send[Empty](ctx, c, request{method: http.MethodPost, path: "/admin/leases/" + url.PathEscape(name) + "/" + url.PathEscape(addr) + "/approve"})
}

// RevokeLeaseApproval: Revoke an approval.
//
// name: Base64url of the identity's name, padded or not.
//
// addr: Base64url of the identity's address, which may be written in any case.
func (c *Client) RevokeLeaseApproval(ctx context.Context, name string, addr string) (*Empty, error) {
	return send[Empty](ctx, c, request{method: http.MethodDelete, path: "/admin/leases/" + url.PathEscape(name) + "/" + url.PathEscape(addr) + "/approve"})
}

// DenyLease: Deny an identity.
//
// name: Base64url of the identity's name, padded or not.
//
// addr: Base64url of the identity's address, which may be written in any case.
func (c *Client) DenyLease(ctx context.Context, name string, addr string) (*Empty, error) {
	return send[Empty](ctx, c, request{method: http.MethodPost, path: "/admin/leases/" + url.PathEscape(name) + "/" + url.PathEscape(addr) + "/deny"})
}

// RemoveLeaseDenial: Remove a denial.
//
// name: Base64url of the identity's name, padded or not.
//
// addr: Base64url of the identity's address, which may be written in any case.
func (c *Client) RemoveLeaseDenial(ctx context.Context, name string, addr string) (*Empty, error) {
	return send[Empty](ctx, c, request{method: http.MethodDelete, path: "/admin/leases/" + url.PathEscape(name) + "/" + url.PathEscape(addr) + "/deny"})
}

// BanIP: Ban a source address.
//
// ip: IPv4 or IPv6 address.
func (c *Client) BanIP(ctx context.Context, ip string) (*Empty, error) {
	return send[Empty](ctx, c, request{method: http.MethodPost, path: "/admin/ips/" + url.PathEscape(ip) + "/ban"})
}

// UnbanIP: Unban a source address.
//
// ip: IPv4 or IPv6 address.
func (c *Client) UnbanIP(ctx context.Context, ip string) (*Empty, error) {
	return send[Empty](ctx, c, request{method: http.MethodDelete, path: "/admin/ips/" + url.PathEscape(ip) + "/ban"})
}

// GetHealth: Check the health of the relay.
func (c *Client) GetHealth(ctx context.Context) (*Health, error) {
	return send[Health](ctx, c, request{method: http.MethodGet, path: "/healthz"})
}

// GetDiscovery: List relays.
func (c *Client) GetDiscovery(ctx context.Context) (*Discovery, error) {
	return send[Discovery](ctx, c, request{method: http.MethodGet, path: "/discovery"})
}

// AnnounceRelay: Announce a relay.
func (c *Client) AnnounceRelay(ctx context.Context, body AnnounceRequest) (*Announcement, error) {
	return send[Announcement](ctx, c, request{method: http.MethodPost, path: "/discovery/announce", body: body})
}

// SignHandshake: Sign a tenant's TLS handshake.
func (c *Client) SignHandshake(ctx context.Context, accessToken string, body TranscriptSignRequest) (*TranscriptSignature, error) {
	return send[TranscriptSignature](ctx, c, request{method: http.MethodPost, path: "/v1/sign", body: body, accessToken: accessToken})
}

// GetTunnelStatus: Get the status of a tunnel.
//
// hostname: Hostname of the lease.
func (c *Client) GetTunnelStatus(ctx context.Context, accessToken string, hostname string) (*TunnelStatus, error) {
	return send[TunnelStatus](ctx, c, request{method: http.MethodGet, path: "/tunnel/status", query: url.Values{"hostname": {hostname}}, accessToken: accessToken})
}
