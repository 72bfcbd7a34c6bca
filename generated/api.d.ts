// Generated from openapi/ by `npm run generate`. Do not edit.

export interface paths {
    "/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show the landing page
         * @description A page for people, in the browser of whoever opens the root host: what this relay is, how to expose a service, and the services that are
         *     neither hidden (`metadata.hide`) nor refused by the operator, up to a number. Whatever a tenant chose is shown as text.
         *     `not_found` where the operator has the page off.
         */
        get: operations["getLandingPage"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdk/domain": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the relay's capabilities
         * @description Where leases live, how handshakes are signed, which carriers are on offer.
         */
        get: operations["getDomain"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdk/register/challenge": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Ask for a challenge to register with
         * @description Answers a Sign-In with Ethereum message (EIP-4361): domain the authority of the relay's URL, URI its `/sdk/register`, version 1, chain id 1,
         *     request id the challenge's, good for two minutes. What the lease is to be stands in this request, so that the signature covers it.
         */
        post: operations["createRegisterChallenge"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdk/register": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Register with a signed challenge
         * @description The signature must be of the challenge's account and of the very message issued. A spent, expired or unknown challenge is
         *     `unauthorized`. The same identity registering again replaces its lease and ends its sessions, unless both were asked for with the same `group`;
         *     the superseded token then gets `hostname_conflict`. While approval is awaited, registering succeeds and connecting does not.
         *
         *     A name with dots in it is a domain of the identity's own. It is proven by a TXT record of `_portal.<domain>` (RFC 8552) that holds
         *     `portal-identity=<address>`, one record for each identity that may have it; without, it is `domain_not_proven`. A domain that another
         *     identity has, whose record is gone, passes to the one that is proven. The relay looks again each hour, and ends a lease whose record is
         *     gone; it is `lease_not_found` then.
         */
        post: operations["registerLease"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdk/renew": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Renew a lease
         * @description The token comes in the header or in the body; both, and different, is `invalid_request`; neither is `unauthorized`.
         *     Well after its end a lease is `lease_not_found`; its name stays reserved for its identity for five minutes.
         */
        post: operations["renewLease"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdk/unregister": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * End a lease
         * @description The hostname stops routing at once; live connections may finish, for a bounded time. A member of a `group` leaves alone: the lease goes on
         *     until the last has left. The token as in `renewLease`.
         */
        post: operations["unregisterLease"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sdk/connect": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Open a reverse session
         * @description Turns this connection into a reverse session: it waits in the lease's ready queue until the relay claims it for one public connection.
         *     HTTP/1.1 only. Failures before the switch are ordinary envelopes; what follows it stands in `docs/protocol.md`.
         *
         *     - **Raw**: a plain GET, the first request on its connection, answered with 200 and an empty body; after the head come raw bytes.
         *       With `Connection: Upgrade` and `Upgrade: portal-reverse` the answer is 101.
         *     - **WebSocket**: `Upgrade: websocket` with the subprotocol `portal.reverse`.
         *     - **Datagrams**: `Upgrade: websocket` with the subprotocol `portal.datagram`: not a session, but the carrier of the lease's UDP
         *       datagrams. A lease without UDP is `transport_mismatch`.
         *     - **Peers**: `Upgrade: websocket` with the subprotocol `portal.peer`, and `X-Portal-Peer`: not a session, but a connection to the API of
         *       another relay, through the overlay. TLS with that relay goes into it, so that this one does not read the calls, and that one does not
         *       learn where they come from. Only for a lease with `hop.accept`, else it is `transport_mismatch`; a relay that is not reached is
         *       `feature_unavailable`.
         *
         *     A full ready queue is `rate_limited`. Where digest signing is off, a session without `X-Portal-Binding: 1` could never serve tenant TLS and
         *     is `feature_unavailable`, unless its lease has a TCP port.
         */
        get: operations["openReverseSession"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/auth/challenge": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Ask for a challenge to log in with
         * @description Any address gets one; only the operator's wallets log in with it. As for `createRegisterChallenge`, but with `/admin/auth/login` as the URI.
         */
        post: operations["createAdminChallenge"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/auth/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Log in with a signed challenge
         * @description Sets the session cookie. A spent, expired or unknown challenge, and a wallet that is not the operator's, are `unauthorized`.
         */
        post: operations["loginAdmin"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/auth/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the login status
         * @description Reads the cookie, if there is one.
         */
        get: operations["getAdminStatus"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Log out
         * @description Ends the session on the relay and clears the cookie.
         */
        post: operations["logoutAdmin"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/snapshot": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show the relay's state
         * @description Live leases, identities with a decision or a limit, bans and settings.
         */
        get: operations["getSnapshot"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/settings/landing-page": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Show or hide the landing page
         * @description Survives restarts and overrides the configuration.
         */
        post: operations["setLandingPage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/settings/udp": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Allow UDP leases, and how many
         * @description Survives restarts and overrides the configuration. Leases that have their port keep it.
         */
        post: operations["setUdpSettings"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/settings/tcp-port": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Allow raw TCP port leases, and how many
         * @description Survives restarts and overrides the configuration. Leases that have their port keep it.
         */
        post: operations["setTcpPortSettings"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/settings/approval-mode": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Choose how identities are approved
         * @description Survives restarts and overrides the configuration.
         */
        post: operations["setApprovalMode"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/leases/{name}/{addr}/ban": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Base64url of the identity's name, padded or not.
                 * @example bXktYXBw
                 */
                name: components["parameters"]["LeaseName"];
                /**
                 * @description Base64url of the identity's address, which may be written in any case.
                 * @example MHhkYjJmMjE2NDM5MDAxMDMzZWJiZTk5NTU3MGI2NmRmZjViMTczNjFk
                 */
                addr: components["parameters"]["LeaseAddress"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Ban an identity
         * @description Ends its lease, sessions and connections, and refuses it everywhere. The identity need not be known yet.
         */
        post: operations["banLease"];
        /**
         * Unban an identity
         * @description Other decisions about the identity remain.
         */
        delete: operations["unbanLease"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/leases/{name}/{addr}/bps": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Base64url of the identity's name, padded or not.
                 * @example bXktYXBw
                 */
                name: components["parameters"]["LeaseName"];
                /**
                 * @description Base64url of the identity's address, which may be written in any case.
                 * @example MHhkYjJmMjE2NDM5MDAxMDMzZWJiZTk5NTU3MGI2NmRmZjViMTczNjFk
                 */
                addr: components["parameters"]["LeaseAddress"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Limit an identity's bandwidth
         * @description Counts both directions over all its connections together, the live ones too.
         */
        post: operations["setLeaseBps"];
        /**
         * Lift the bandwidth limit
         * @description For the live connections too.
         */
        delete: operations["removeLeaseBps"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/leases/{name}/{addr}/approve": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Base64url of the identity's name, padded or not.
                 * @example bXktYXBw
                 */
                name: components["parameters"]["LeaseName"];
                /**
                 * @description Base64url of the identity's address, which may be written in any case.
                 * @example MHhkYjJmMjE2NDM5MDAxMDMzZWJiZTk5NTU3MGI2NmRmZjViMTczNjFk
                 */
                addr: components["parameters"]["LeaseAddress"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Approve an identity
         * @description Also lifts a denial. Its sessions may connect from now on.
         */
        post: operations["approveLease"];
        /**
         * Revoke an approval
         * @description In `manual` mode the identity waits for approval again.
         */
        delete: operations["revokeLeaseApproval"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/leases/{name}/{addr}/deny": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Base64url of the identity's name, padded or not.
                 * @example bXktYXBw
                 */
                name: components["parameters"]["LeaseName"];
                /**
                 * @description Base64url of the identity's address, which may be written in any case.
                 * @example MHhkYjJmMjE2NDM5MDAxMDMzZWJiZTk5NTU3MGI2NmRmZjViMTczNjFk
                 */
                addr: components["parameters"]["LeaseAddress"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Deny an identity
         * @description Also revokes an approval. Ends its lease, sessions and connections.
         */
        post: operations["denyLease"];
        /**
         * Remove a denial
         * @description The approval mode decides again.
         */
        delete: operations["removeLeaseDenial"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/ips/{ip}/ban": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description IPv4 or IPv6 address.
                 * @example 203.0.113.9
                 */
                ip: components["parameters"]["Ip"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Ban a source address
         * @description Refuses SDK calls from it and ends its reverse sessions. Visitors are not affected. An IPv6 address stands for its /64, as in all limits
         *     by source: all of it is banned, and listed as its first address.
         */
        post: operations["banIp"];
        /**
         * Unban a source address
         * @description SDK calls from it are accepted again; for an IPv6 address, from all of its /64.
         */
        delete: operations["unbanIp"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/healthz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Check the health of the relay
         * @description Answers while the relay takes new work. One that is going down, and only lets live connections finish, is `feature_unavailable`.
         */
        get: operations["getHealth"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/discovery": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List relays
         * @description Signed descriptors of this relay, first, and of the peers that it has seen to serve their own. Only where discovery is on.
         *     Limited to 2 a second for a source address, with bursts of 60.
         */
        get: operations["getDiscovery"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/discovery/announce": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Announce a relay
         * @description A relay hands in its own descriptor; the descriptor's signature is the credential, and one that does not fit its `address` is
         *     `unauthorized`. Expired, too long-lived, or of another protocol version is `invalid_request`.
         *     Limited to 5 a minute for a source address, with bursts of 10. Only where discovery is on.
         */
        post: operations["announceRelay"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/sign": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sign a tenant's TLS handshake
         * @description The relay holds the certificate key, the tunnel runs the TLS 1.3 handshake. In transcript mode the relay checks that the handshake is that of the
         *     public connection it routed under this lease, builds the CertificateVerify content itself and signs it (`docs/protocol.md`).
         *     A binding serves once, until its connection closes, 30 seconds at most. One that is unknown, spent, foreign or expired, and a transcript that does
         *     not fit it, are `invalid_request`.
         *
         *     Digest mode is for older clients and off unless the operator turns it on: it signs what it cannot check, and nothing for an identity that
         *     awaits its approval (`lease_rejected`). Its answer has no envelope.
         *     A relay that does not sign, or not in the mode asked for, answers 404 `feature_unavailable`.
         *     The body may have 96 KiB.
         */
        post: operations["signHandshake"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/thumbnail/{hostname}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show a picture of a service
         * @description A cached screenshot of a registered tunnel. `not_found` when the hostname is not registered or has none.
         */
        get: operations["getThumbnail"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/tunnel/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the status of a tunnel
         * @description For the token of the lease on `hostname`; another hostname is `unauthorized`.
         */
        get: operations["getTunnelStatus"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get this document
         * @description The contract of this release of the relay, in one file, without an envelope.
         */
        get: operations["getOpenapiDocument"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/docs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show this document as a page
         * @description A page that renders `/openapi.json` for people. It loads nothing from anywhere but the relay.
         */
        get: operations["getReference"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/docs/reference.js": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the script of the reference page
         * @description The renderer that `/docs` loads. The page names its version in the query, so that it may be kept for ever.
         */
        get: operations["getReferenceScript"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description Any JSON answer of the relay. `ok` tells the two apart. */
        Envelope: components["schemas"]["Success"] | components["schemas"]["Failure"];
        /**
         * @description Why a request failed. `x-error-catalogue` tells for each code:
         *     - `status`: the usual HTTP status, and `other_statuses`; an operation lists the code under every status that it may have there;
         *     - `meaning`: what it says about the request or the relay;
         *     - `retry`: `never` (the same request fails again), `after_delay` (the same request may succeed later: wait for `Retry-After`, else
         *       `retry_after_seconds`, doubled at each further failure up to a minute, with jitter), `reauthenticate` (the credential no longer
         *       serves: get a new one, once, then repeat), `new_connection` (repeat once on a fresh connection);
         *     - `action`: what a client does about it.
         * @enum {string}
         */
        ErrorCode: "invalid_json" | "invalid_request" | "invalid_address" | "invalid_ip" | "invalid_mode" | "unauthorized" | "ip_banned" | "lease_rejected" | "udp_disabled" | "tcp_port_disabled" | "domain_not_proven" | "lease_not_found" | "not_found" | "method_not_allowed" | "hostname_conflict" | "transport_mismatch" | "rate_limited" | "internal" | "hijack_failed" | "hijack_unsupported" | "feature_unavailable" | "udp_port_exhausted" | "udp_capacity_exceeded" | "tcp_port_exhausted" | "tcp_port_capacity_exceeded" | "http11_only";
        ErrorDetail: {
            code: components["schemas"]["ErrorCode"];
            /** @description For people; may change at any time. */
            message: string;
        };
        Failure: {
            /** @constant */
            ok: false;
            error: components["schemas"]["ErrorDetail"];
        };
        Success: {
            /** @constant */
            ok: true;
            /** @description What the operation answers with. */
            data: unknown;
            /** @description Absent or null on success. */
            error?: null;
        };
        /**
         * @description DNS name, lower case.
         * @example my-app.portal.example.com
         */
        Hostname: string;
        /** @description How the relay signs TLS handshakes for its tenants. Absent when it does not. */
        Keyless: {
            /** @description What `POST /v1/sign` takes, `transcript` unless the operator also allows `digest` for older clients. */
            modes: ("transcript" | "digest")[];
            /**
             * @description Name of the signing key, to be sent with each request.
             * @example relay-cert
             */
            key_id: string;
            /**
             * @description PEM certificates, leaf first: what the tunnel sends in its Certificate message. Fetch it anew at each renewal; after a change the old
             *     chain still signs for ten minutes.
             */
            certificate_chain: string;
        };
        /** @description What a tunnel needs to know of a relay before it registers. */
        Domain: {
            /**
             * @description Version of Portal's SDK protocol.
             * @example 5
             */
            protocol_version: string;
            /**
             * @description Version of the relay's program.
             * @example 0.1.0
             */
            release_version: string;
            /** @description Host of the relay's URL; leases are names directly under it. */
            root_host: components["schemas"]["Hostname"];
            keyless?: components["schemas"]["Keyless"];
            /** @description Carriers on offer for reverse sessions and datagrams: `raw`, `websocket`, `datagram-websocket`, `quic`. More may come; ignore unknown ones. */
            transports: string[];
            /**
             * @description What else is on offer: `domains` (a lease may have a domain of the identity's own), `own_certificates` (a name under the root host may
             *     have a certificate of the tunnel's own), `hops` (a lease may be part of a path of relays). More may come; ignore unknown ones.
             */
            features?: string[];
        };
        /**
         * @description One DNS label, for a name under the relay's root host; or, with dots in it, a domain of one's own, which its TXT record must prove to belong
         *     to the identity (`registerLease`). Any case. Labels have 63 characters at most, and one that begins with `xn--` must be a valid
         *     internationalized one (UTS 46).
         * @example my-app
         * @example shop.example.com
         */
        NameInput: string;
        /**
         * @description Ethereum address, any case.
         * @example 0xdb2f216439001033ebbe995570b66dff5b17361d
         */
        AddressInput: string;
        /** @description Who asks, and for which name. Case does not matter. */
        IdentityInput: {
            name: components["schemas"]["NameInput"];
            address: components["schemas"]["AddressInput"];
        };
        /** @description What a tunnel tells of its service, for listings. */
        Metadata: {
            description?: string;
            owner?: string;
            /** @description URL of a picture of the service; empty for none. */
            thumbnail?: string;
            tags?: string[];
            /** @description Keep the service out of public listings. */
            hide?: boolean;
        };
        /**
         * @description Life of the lease in seconds. Above the relay's maximum (one hour by default) it is cut to that; absent, the relay's default applies (30).
         *     `expires_at` in the answer is what was granted.
         * @example 30
         */
        Ttl: number;
        Port: number;
        /** @description 32 random bytes in base64url, of the tunnel's choice, others for each relay of each path. */
        HopToken: string;
        /**
         * Format: date-time
         * @description RFC 3339, UTC.
         * @example 2026-03-01T12:00:00.000Z
         */
        Timestamp: string;
        /**
         * @description What a relay says of itself, signed. `signature` is over SHA-256 of this JSON, in this order, without spaces, nothing omitted, numbers
         *     as Go's encoding/json writes them: `address`, `version`, `issued_at_unix_nano`, `expires_at_unix_nano`, `api_https_addr`,
         *     `wireguard_public_key`, `wireguard_port`, `supports_overlay`, `supports_udp`, `supports_tcp`, `active_connections`, `tcp_bps`.
         *     Without an overlay: `""`, `0`, `false`. The address recovered from it must be `address`.
         */
        RelayDescriptor: {
            /** @description Signing address of the relay. */
            address: components["schemas"]["AddressInput"];
            /** @description Discovery protocol version of this descriptor. */
            version: string;
            /** @description May carry nanoseconds, which are part of what is signed. Telemetry was sampled then. */
            issued_at: components["schemas"]["Timestamp"];
            /** @description May carry nanoseconds, which are part of what is signed. */
            expires_at: components["schemas"]["Timestamp"];
            /**
             * @description Public HTTPS base URL of the relay's API: `https://host[:port]`, the port 443 or from 1024 up. It must serve the same descriptor's
             *     `address`, as the first in its own `/discovery` that names this URL.
             */
            api_https_addr: string;
            /** @description Base64 of the 32-byte overlay key; present when there is an overlay. */
            wireguard_public_key?: string;
            /** @description UDP port of the overlay on the host of `api_https_addr`; present when there is an overlay. */
            wireguard_port?: number;
            /** @description The relay can take part in multi-hop routing over WireGuard. */
            supports_overlay: boolean;
            /** @description The relay can allot public UDP ports. */
            supports_udp: boolean;
            /** @description The relay can allot raw TCP ports. */
            supports_tcp: boolean;
            /** @description Connections proxied at `issued_at`. */
            active_connections: number;
            /** @description Recent proxied TCP throughput in bytes per second. */
            tcp_bps: number;
            /** @description Base64 of a 65-byte compact recoverable secp256k1 signature (one byte 27 + recovery id + 4, then r, then s). */
            signature: string;
        };
        /**
         * @description Makes the lease one of a path of relays (`docs/protocol.md`, Paths): visitors of the first, the entry, are passed on from relay to relay, and the
         *     last has the reverse sessions. The tunnel registers with each of them. The entry has `forward` only, the last `accept` only, those between both. A lease
         *     that accepts is not reached by its hostname, has no domain and no certificate of its own. A path has no ports (`transport_mismatch`) and no `group`
         *     (`invalid_request`). With neither `accept` nor `forward` it is `invalid_request`.
         */
        Hop: {
            /** @description Visitors come from another relay, in the overlay. */
            accept?: {
                /** @description The relay before this one on the path sends it with each visitor. The relay keeps no more than its hash. */
                token: components["schemas"]["HopToken"];
            };
            /** @description Visitors go to another relay, in the overlay. */
            forward?: {
                /** @description The next relay. It must be a peer of this relay in the overlay, with the key in this descriptor; else it is `invalid_request`. */
                descriptor: components["schemas"]["RelayDescriptor"];
                /** @description That relay's `accept.token`. */
                token: components["schemas"]["HopToken"];
                /**
                 * @description Of the entry: seals what a visitor sends first, so that the relays behind it do not see the name in the ClientHello
                 *     (AES-256-GCM, `docs/protocol.md`). Of others it is `invalid_request`.
                 */
                hello_key?: components["schemas"]["HopToken"];
                /**
                 * @description Tell the next relay the visitor's address, where the operator of this one allows it; else it is told nothing.
                 * @default false
                 */
                pass_visitor_address?: boolean;
            };
        };
        RegisterChallengeRequest: {
            identity: components["schemas"]["IdentityInput"];
            metadata?: components["schemas"]["Metadata"];
            ttl?: components["schemas"]["Ttl"];
            /**
             * @description Ask for a public UDP port. Datagrams then travel by a carrier of their own (`docs/protocol.md`, Datagrams).
             * @default false
             */
            udp_enabled?: boolean;
            /**
             * @description Ask for a public raw TCP port. Its connections claim sessions with the marker `0x01`.
             * @default false
             */
            tcp_enabled?: boolean;
            /**
             * @description With `udp_enabled`: this very UDP port, or none. Outside the relay's range it is `invalid_request`; taken, or reserved for another
             *     identity, `udp_port_exhausted`.
             */
            udp_port?: components["schemas"]["Port"];
            /**
             * @description With `udp_enabled`: so many UDP ports with consecutive numbers, all or none; `udp_port`, if given, is the first. More than the relay gives
             *     a lease is `invalid_request`.
             * @default 1
             */
            udp_count?: number;
            /**
             * @description With `tcp_enabled`: this very TCP port, or none. Outside the relay's range it is `invalid_request`; taken, or reserved for another
             *     identity, `tcp_port_exhausted`.
             */
            tcp_port?: components["schemas"]["Port"];
            /**
             * @description Share the lease with other tunnels. Where the identity's live lease has the same group, registering joins it instead of replacing it:
             *     each member has its own token, sessions and expiry, and visitors go to the member with the fewest connections. The lease lasts until its
             *     last member has left. Members must agree on `tcp_enabled` and `tcp_port`; a group has no UDP port (`invalid_request`). At most 16
             *     members; past that, `rate_limited`.
             */
            group?: string;
            /**
             * @description How many seconds a visitor waits for a reverse session while none is ready, as when the tunnel reconnects, before the connection is
             *     refused. 0: not at all. In a group what its last tunnel to register asked for counts.
             * @default 10
             */
            session_wait?: number;
            /**
             * @description TLS of this name ends with a certificate of the tunnel's own, whose key the relay does not have. The relay then signs nothing for the
             *     lease, and passes connections of ACME's `tls-alpn-01` challenge (ALPN `acme-tls/1`, RFC 8737) on to the tunnel. A domain of one's own
             *     always has it; a name under the root host where `features` has `own_certificates`, else it is `feature_unavailable`.
             */
            own_certificate?: boolean;
            hop?: components["schemas"]["Hop"];
        };
        /** @description Names the challenge; also the request id of its message. */
        ChallengeId: string;
        /**
         * @description EIP-4361 message. To be signed, and sent back, byte for byte as issued. Works once: an attempt that is refused has spent it, too.
         *     A signer checks domain, URI, version, chain id, address, request id and expiry against the relay that it means to talk to before it signs.
         */
        SiweMessage: string;
        Challenge: {
            challenge_id: components["schemas"]["ChallengeId"];
            /** @description End of the challenge, two minutes after its issue. */
            expires_at: components["schemas"]["Timestamp"];
            siwe_message: components["schemas"]["SiweMessage"];
        };
        /** @description Signature of the message's bytes by `personal_sign` (EIP-191), 65 bytes `r || s || v`, 0x and hex. Plain accounts only. */
        SiweSignature: string;
        /**
         * @description The tunnel's public address as it sees it itself. Shown to admins beside the one the relay sees; never trusted.
         * @example 203.0.113.7
         */
        ReportedIp: string;
        RegisterRequest: {
            challenge_id: components["schemas"]["ChallengeId"];
            siwe_message: components["schemas"]["SiweMessage"];
            siwe_signature: components["schemas"]["SiweSignature"];
            reported_ip?: components["schemas"]["ReportedIp"];
        };
        /**
         * @description One DNS label, or a domain of the identity's own. Lower case.
         * @example my-app
         * @example shop.example.com
         */
        Name: string;
        /**
         * @description Ethereum address with its EIP-55 checksum.
         * @example 0xDb2F216439001033EBBE995570B66dfF5b17361d
         */
        Address: string;
        /** @description A name and the account that it belongs to. */
        Identity: {
            name: components["schemas"]["Name"];
            address: components["schemas"]["Address"];
        };
        /** @description See the security scheme `access_token`. Opaque to clients. */
        AccessToken: string;
        /**
         * @description `host:port`.
         * @example portal.example.com:20017
         */
        HostPort: string;
        Lease: {
            identity: components["schemas"]["Identity"];
            /** @description `name.<root host>`, or the domain itself; the lease routes this name. */
            hostname: components["schemas"]["Hostname"];
            /** @description End of the lease. Renew well before. */
            expires_at: components["schemas"]["Timestamp"];
            access_token: components["schemas"]["AccessToken"];
            /** @description Public TLS port of the relay, for the URL of the service; absent means 443. */
            sni_port?: components["schemas"]["Port"];
            /** @description Present when UDP was asked for. */
            udp_enabled?: boolean;
            /** @description Public UDP address of the lease. Registering again within five minutes of the lease's end gets the same, and renewing keeps it. */
            udp_addr?: components["schemas"]["HostPort"];
            /** @description How many consecutive UDP ports the lease has, from that of `udp_addr`; absent for one. */
            udp_count?: number;
            /** @description Present when a TCP port was asked for. */
            tcp_enabled?: boolean;
            /** @description Public raw TCP address of the lease. Registering again within five minutes of the lease's end gets the same, and renewing keeps it. */
            tcp_addr?: components["schemas"]["HostPort"];
        };
        RenewRequest: {
            access_token?: components["schemas"]["AccessToken"];
            ttl?: components["schemas"]["Ttl"];
            reported_ip?: components["schemas"]["ReportedIp"];
            /** @description Replaces what was told before; absent, that stays. */
            metadata?: components["schemas"]["Metadata"];
        };
        Renewal: {
            /** @description New end of the lease. */
            expires_at: components["schemas"]["Timestamp"];
            /** @description A new token; use it from now on. */
            access_token: components["schemas"]["AccessToken"];
        };
        UnregisterRequest: {
            access_token?: components["schemas"]["AccessToken"];
        };
        /** @description Nothing to say beyond that it was done. */
        Empty: Record<string, never>;
        ChallengeRequest: {
            address: components["schemas"]["AddressInput"];
        };
        LoginRequest: {
            challenge_id: components["schemas"]["ChallengeId"];
            siwe_message: components["schemas"]["SiweMessage"];
            siwe_signature: components["schemas"]["SiweSignature"];
        };
        Login: {
            wallet_address: components["schemas"]["Address"];
        };
        AdminStatus: {
            /** @description Whether the cookie names a live session of a wallet that is still an admin. */
            authenticated: boolean;
            /** @description Present when authenticated. */
            wallet_address?: components["schemas"]["Address"];
        };
        /**
         * @description `auto` approves each identity that is neither denied nor banned; `manual` waits for an admin.
         * @enum {string}
         */
        ApprovalMode: "auto" | "manual";
        /**
         * @description `name:address`, all lower case.
         * @example my-app:0xdb2f216439001033ebbe995570b66dff5b17361d
         */
        IdentityKey: string;
        /** @description Bytes per second, both directions over all connections of a lease together. */
        BytesPerSecond: number;
        SnapshotLease: {
            identity_key: components["schemas"]["IdentityKey"];
            address: components["schemas"]["Address"];
            name: components["schemas"]["Name"];
            hostname: components["schemas"]["Hostname"];
            expires_at: components["schemas"]["Timestamp"];
            /** @description When the identity first registered. */
            first_seen_at: components["schemas"]["Timestamp"];
            /** @description Its last register, renew or connect. */
            last_seen_at: components["schemas"]["Timestamp"];
            /** @description Source address as the relay sees it. */
            client_ip: string;
            reported_ip?: components["schemas"]["ReportedIp"];
            udp_addr?: components["schemas"]["HostPort"];
            /** @description How many consecutive UDP ports the lease has, from that of `udp_addr`; absent for one. */
            udp_count?: number;
            tcp_addr?: components["schemas"]["HostPort"];
            /** @description Its place in a path of relays; absent without one. */
            hop?: {
                /** @description Visitors come from another relay, not by the hostname. */
                accepts: boolean;
                /** @description Signing address of the relay that visitors go to; absent for the last of a path. */
                forwards_to?: components["schemas"]["Address"];
            };
            metadata: components["schemas"]["Metadata"];
            /** @description Reverse sessions waiting in the ready queue. */
            ready: number;
            /** @description The group whose tunnels share the lease; absent when it has one tunnel of its own. */
            group?: string;
            /** @description Tunnels of the group. */
            members?: number;
            /** @description Absent when there is no limit. */
            bps?: components["schemas"]["BytesPerSecond"];
            /** @description Whether it may be routed, by decision or by `auto` mode. */
            is_approved: boolean;
            is_banned: boolean;
            is_denied: boolean;
            /** @description Whether `client_ip` is banned. */
            is_ip_banned: boolean;
        };
        /** @description How many leases may have such a port at once; 0 is no limit. */
        MaxLeases: number;
        PortSettings: {
            /** @description Whether new leases may have such a port. */
            enabled: boolean;
            max_leases: components["schemas"]["MaxLeases"];
        };
        SnapshotIdentity: {
            identity_key: components["schemas"]["IdentityKey"];
            address: components["schemas"]["Address"];
            name: components["schemas"]["Name"];
            /** @description Absent when there is no limit. */
            bps?: components["schemas"]["BytesPerSecond"];
            /** @description Whether it may be routed, by decision or by `auto` mode. */
            is_approved: boolean;
            is_banned: boolean;
            is_denied: boolean;
        };
        /** @description The relay's state at one moment. */
        Snapshot: {
            approval_mode: components["schemas"]["ApprovalMode"];
            landing_page_enabled: boolean;
            /** @description Live leases. */
            leases: components["schemas"]["SnapshotLease"][];
            udp: components["schemas"]["PortSettings"];
            tcp_port: components["schemas"]["PortSettings"];
            /** @description Every identity with a decision or a limit, live or not. */
            identities: components["schemas"]["SnapshotIdentity"][];
            /** @description Banned source addresses; an IPv6 address stands for its /64. */
            banned_ips: string[];
        };
        LandingPage: {
            /** @description Whether the root host shows the landing page. */
            enabled: boolean;
        };
        PortSettingsRequest: {
            /** @description Whether new leases may have such a port. */
            enabled: boolean;
            /** @description Absent, the present limit stays. */
            max_leases?: components["schemas"]["MaxLeases"];
        };
        ApprovalModeRequest: {
            mode: components["schemas"]["ApprovalMode"];
        };
        ApprovalModeSetting: {
            approval_mode: components["schemas"]["ApprovalMode"];
        };
        BandwidthLimit: {
            bps: components["schemas"]["BytesPerSecond"];
        };
        Health: {
            /** @constant */
            status: "ok";
            /**
             * @description Parts that fail now, while everything that is up goes on; absent when there are none. `store`: nothing can be written, as on a full
             *     disk. Leases are renewed, and none can be registered or given back. The relay recovers by itself. More may come; ignore unknown ones.
             */
            degraded?: string[];
        };
        Discovery: {
            /** @description Version of the discovery protocol. */
            protocol_version: string;
            generated_at: components["schemas"]["Timestamp"];
            /** @description This relay's own descriptor first, then the peers that it knows. */
            relays: components["schemas"]["RelayDescriptor"][];
        };
        AnnounceRequest: {
            /** @description Version of the discovery protocol. */
            protocol_version?: string;
            descriptor: components["schemas"]["RelayDescriptor"];
        };
        Announcement: {
            /** @description Version of the discovery protocol. */
            protocol_version: string;
            /**
             * @description Whether the descriptor now counts. `false`: it is genuine, but older than the one held, or its `api_https_addr` was not seen to
             *     serve that same address.
             */
            accepted: boolean;
        };
        /**
         * @description Name of the signing key, as `getDomain` gives it.
         * @example relay-cert
         */
        KeyId: string;
        /**
         * @description IANA name of a TLS SignatureScheme that TLS 1.3 allows in CertificateVerify.
         * @enum {string}
         */
        SignatureScheme: "ecdsa_secp256r1_sha256" | "ecdsa_secp384r1_sha384" | "ecdsa_secp521r1_sha512" | "ed25519" | "rsa_pss_rsae_sha256" | "rsa_pss_rsae_sha384" | "rsa_pss_rsae_sha512" | "rsa_pss_pss_sha256" | "rsa_pss_pss_sha384" | "rsa_pss_pss_sha512";
        /** @description Ask for the CertificateVerify signature of one routed connection. The relay rebuilds what is signed from the transcript. */
        TranscriptSignRequest: {
            key_id: components["schemas"]["KeyId"];
            /** @description Base64 of the 16 bytes that came after the marker `0x02` of the reverse session. Serves once. */
            binding: string;
            signature_scheme: components["schemas"]["SignatureScheme"];
            /**
             * @description Base64 of the handshake messages with their four-byte headers, in order and nothing else: ClientHello, [HelloRetryRequest, ClientHello],
             *     ServerHello, EncryptedExtensions, Certificate. 64 KiB at most before base64.
             */
            transcript: string;
        };
        /** @enum {string} */
        DigestAlgorithm: "ECDSA_SHA256" | "ECDSA_SHA384" | "ECDSA_SHA512" | "RSA_PSS_SHA256" | "RSA_PSS_SHA384" | "RSA_PSS_SHA512" | "RSA_PKCS1V15_SHA256" | "RSA_PKCS1V15_SHA384" | "RSA_PKCS1V15_SHA512";
        /**
         * @deprecated
         * @description For older clients, where the operator allows it. The relay signs a digest that it cannot check.
         */
        DigestSignRequest: {
            key_id: components["schemas"]["KeyId"];
            algorithm: components["schemas"]["DigestAlgorithm"];
            /** @description Base64 of the digest, of the length of the algorithm's hash. */
            digest: string;
            /** @description Seconds since 1970; at most 30 from the relay's clock. */
            timestamp_unix: number;
            /** @description Serves once. */
            nonce: string;
        };
        /** @description Two modes, told apart by their fields. `transcript` is the one to use. */
        SignRequest: components["schemas"]["TranscriptSignRequest"] | components["schemas"]["DigestSignRequest"];
        TranscriptSignature: {
            key_id: components["schemas"]["KeyId"];
            signature_scheme: components["schemas"]["SignatureScheme"];
            /** @description Base64 of the `signature` field of CertificateVerify (RFC 8446, 4.4.3). */
            signature: string;
        };
        /**
         * @deprecated
         * @description The one answer without an envelope.
         */
        DigestSignature: {
            key_id: components["schemas"]["KeyId"];
            algorithm: components["schemas"]["DigestAlgorithm"];
            /** @description Base64 of the signature. */
            signature: string;
        };
        /**
         * @description DNS name, any case.
         * @example my-app.portal.example.com
         */
        HostnameInput: string;
        TunnelStatus: {
            hostname: components["schemas"]["Hostname"];
            /** @description Whether a live lease routes the hostname. */
            registered: boolean;
            /** @description Whether the tunnel is there to serve it, that is, has at least one reverse session waiting or in use. */
            service_alive: boolean;
            /**
             * @description Whether the relay signs nothing for this name, because the tunnel has a certificate of its own. The relay cannot read its traffic without
             *     a second certificate for the name, which Certificate Transparency shows to whoever looks (`docs/probe.md`).
             */
            own_certificate?: boolean;
        };
        /** @description An OpenAPI 3.1 document. */
        OpenapiDocument: {
            openapi: string;
            info: {
                title: string;
                /** @description Version of the contract. */
                version: string;
            };
            paths: Record<string, never>;
        };
    };
    responses: {
        /** @description The path is there, but not for this method. */
        MethodNotAllowed: {
            headers: {
                /** @description The methods that the path has. */
                Allow: string;
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Failure"] & {
                    error?: {
                        message?: unknown;
                        /** @enum {unknown} */
                        code?: "method_not_allowed";
                    };
                };
            };
        };
        /** @description Nothing under this name. */
        NotFound: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Failure"] & {
                    error?: {
                        message?: unknown;
                        /** @enum {unknown} */
                        code?: "not_found";
                    };
                };
            };
        };
        /** @description Too many requests, or a full queue. */
        RateLimited: {
            headers: {
                /** @description Seconds to wait. */
                "Retry-After": number;
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Failure"] & {
                    error?: {
                        message?: unknown;
                        /** @enum {unknown} */
                        code?: "rate_limited";
                    };
                };
            };
        };
        /** @description The relay failed. */
        Internal: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Failure"] & {
                    error?: {
                        message?: unknown;
                        /** @enum {unknown} */
                        code?: "internal";
                    };
                };
            };
        };
        /** @description The source address is banned. */
        IpBanned: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Failure"] & {
                    error?: {
                        message?: unknown;
                        /** @enum {unknown} */
                        code?: "ip_banned";
                    };
                };
            };
        };
        /** @description As any bad body; or an address in it, or in the path, is not an Ethereum address. */
        InvalidBodyOrAddress: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Failure"] & {
                    error?: {
                        message?: unknown;
                        /** @enum {unknown} */
                        code?: "invalid_json" | "invalid_request" | "invalid_address";
                    };
                };
            };
        };
        /** @description As for any lease; or the relay does not offer the transport. */
        TransportForbidden: {
            headers: {
                /** @description Seconds to wait, where waiting helps. */
                "Retry-After"?: number;
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Failure"] & {
                    error?: {
                        message?: unknown;
                        /** @enum {unknown} */
                        code?: "ip_banned" | "lease_rejected" | "udp_disabled" | "tcp_port_disabled";
                    };
                };
            };
        };
        /** @description The hostname belongs to another identity; or a path of relays was asked for together with ports. */
        ChallengeConflict: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Failure"] & {
                    error?: {
                        message?: unknown;
                        /** @enum {unknown} */
                        code?: "hostname_conflict" | "transport_mismatch";
                    };
                };
            };
        };
        /** @description The body is larger than the operation takes. */
        BodyTooLarge: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Failure"] & {
                    error?: {
                        message?: unknown;
                        /** @enum {unknown} */
                        code?: "invalid_request";
                    };
                };
            };
        };
        /** @description The body is not declared as `application/json`. */
        UnsupportedMediaType: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Failure"] & {
                    error?: {
                        message?: unknown;
                        /** @enum {unknown} */
                        code?: "invalid_request";
                    };
                };
            };
        };
        /** @description The relay does not have this, or has it off. */
        FeatureUnavailable: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Failure"] & {
                    error?: {
                        message?: unknown;
                        /** @enum {unknown} */
                        code?: "feature_unavailable";
                    };
                };
            };
        };
        /** @description The body is not JSON, or breaks its schema or a rule of the operation. */
        InvalidBody: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Failure"] & {
                    error?: {
                        message?: unknown;
                        /** @enum {unknown} */
                        code?: "invalid_json" | "invalid_request";
                    };
                };
            };
        };
        /** @description The credential is missing or does not serve. */
        Unauthorized: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Failure"] & {
                    error?: {
                        message?: unknown;
                        /** @enum {unknown} */
                        code?: "unauthorized";
                    };
                };
            };
        };
        /** @description As for any lease; or the relay does not offer the transport; or the domain is not proven to be the identity's. */
        RegistrationForbidden: {
            headers: {
                /** @description Seconds to wait, where waiting helps. */
                "Retry-After"?: number;
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Failure"] & {
                    error?: {
                        message?: unknown;
                        /** @enum {unknown} */
                        code?: "ip_banned" | "lease_rejected" | "udp_disabled" | "tcp_port_disabled" | "domain_not_proven";
                    };
                };
            };
        };
        /** @description The hostname belongs to another identity, or a later registration superseded the token. */
        HostnameConflict: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Failure"] & {
                    error?: {
                        message?: unknown;
                        /** @enum {unknown} */
                        code?: "hostname_conflict";
                    };
                };
            };
        };
        /** @description No port is left for the transport. */
        NoPort: {
            headers: {
                /** @description Seconds to wait, where waiting helps. */
                "Retry-After"?: number;
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Failure"] & {
                    error?: {
                        message?: unknown;
                        /** @enum {unknown} */
                        code?: "udp_port_exhausted" | "udp_capacity_exceeded" | "tcp_port_exhausted" | "tcp_port_capacity_exceeded";
                    };
                };
            };
        };
        /** @description The source address is banned, or the identity may not do this. */
        LeaseForbidden: {
            headers: {
                /** @description Seconds to wait, where waiting helps. */
                "Retry-After"?: number;
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Failure"] & {
                    error?: {
                        message?: unknown;
                        /** @enum {unknown} */
                        code?: "ip_banned" | "lease_rejected";
                    };
                };
            };
        };
        /** @description The token is genuine, but its lease is gone. */
        LeaseNotFound: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Failure"] & {
                    error?: {
                        message?: unknown;
                        /** @enum {unknown} */
                        code?: "lease_not_found";
                    };
                };
            };
        };
        /** @description The request breaks its schema or a rule of the operation. */
        InvalidRequest: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Failure"] & {
                    error?: {
                        message?: unknown;
                        /** @enum {unknown} */
                        code?: "invalid_request";
                    };
                };
            };
        };
        /** @description A later registration superseded the token; or the carrier does not fit the lease. */
        ConnectConflict: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Failure"] & {
                    error?: {
                        message?: unknown;
                        /** @enum {unknown} */
                        code?: "hostname_conflict" | "transport_mismatch";
                    };
                };
            };
        };
        /** @description The relay failed, or the connection could not be taken over from HTTP. */
        SwitchFailed: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Failure"] & {
                    error?: {
                        message?: unknown;
                        /** @enum {unknown} */
                        code?: "internal" | "hijack_failed" | "hijack_unsupported";
                    };
                };
            };
        };
        /** @description The request did not come by HTTP/1.1. */
        Http11Only: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Failure"] & {
                    error?: {
                        message?: unknown;
                        /** @enum {unknown} */
                        code?: "http11_only";
                    };
                };
            };
        };
        /** @description As any bad body; or the mode is unknown. */
        InvalidBodyOrMode: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Failure"] & {
                    error?: {
                        message?: unknown;
                        /** @enum {unknown} */
                        code?: "invalid_json" | "invalid_request" | "invalid_mode";
                    };
                };
            };
        };
        /** @description The path does not name an identity. */
        InvalidLeasePath: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Failure"] & {
                    error?: {
                        message?: unknown;
                        /** @enum {unknown} */
                        code?: "invalid_request" | "invalid_address";
                    };
                };
            };
        };
        /** @description The path does not name an IP address. */
        InvalidIp: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Failure"] & {
                    error?: {
                        message?: unknown;
                        /** @enum {unknown} */
                        code?: "invalid_request" | "invalid_ip";
                    };
                };
            };
        };
        /** @description The lease is gone; or the relay does not sign, or not in this mode. */
        SignNotFound: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Failure"] & {
                    error?: {
                        message?: unknown;
                        /** @enum {unknown} */
                        code?: "lease_not_found" | "feature_unavailable";
                    };
                };
            };
        };
    };
    parameters: {
        /** @description `1`: write the 16-byte binding after the marker `0x02`. Without it a session serves tenant TLS only where digest signing is allowed. */
        Binding: "1";
        /** @description `2`: then write a PROXY protocol version 2 header with the visitor's address. */
        Proxy: "2";
        /**
         * @description `1`: recycle the session. Its public connections come in frames, one after the other, and it waits again after each
         *     (`docs/protocol.md`, Recycled sessions). Agreed on only if the answer has the same header; else the session serves one connection.
         */
        Recycle: "1";
        /**
         * @description `1`: sign handshakes inside the session, instead of by `signHandshake` (`docs/protocol.md`, Signing inside a session). Only with both
         *     `X-Portal-Binding` and `X-Portal-Recycle`. Agreed on only if the response has the same header.
         */
        Sign: "1";
        /**
         * @description `1`: take TLS off the connection once the session is open, for all it will carry is the visitors' own TLS
         *     (`docs/protocol.md`, Unwrapped sessions). Only with ALPN `portal-reverse`, a raw carrier, and both `X-Portal-Binding` and
         *     `X-Portal-Recycle`. Agreed on only if the answer has the same header; else TLS stays.
         */
        Unwrap: "1";
        /** @description With the subprotocol `portal.peer`: the signing address of the relay whose API is wanted. */
        Peer: string;
        /**
         * @description With `Connection: Upgrade`. `portal-reverse`: as the plain form, but answered with 101, which proxies pass better. `websocket`: the same
         *     bytes as binary messages.
         */
        Upgrade: "portal-reverse" | "websocket";
        /**
         * @description With `Upgrade: websocket`: `portal.reverse`, `portal.datagram` for datagrams, or `portal.peer`. A browser, which cannot set headers, adds
         *     `portal.binding.1` (as `X-Portal-Binding: 1`) and `portal.token.<token>`.
         */
        WebSocketProtocols: string;
        /**
         * @description Base64url of the identity's name, padded or not.
         * @example bXktYXBw
         */
        LeaseName: string;
        /**
         * @description Base64url of the identity's address, which may be written in any case.
         * @example MHhkYjJmMjE2NDM5MDAxMDMzZWJiZTk5NTU3MGI2NmRmZjViMTczNjFk
         */
        LeaseAddress: string;
        /**
         * @description IPv4 or IPv6 address.
         * @example 203.0.113.9
         */
        Ip: string;
        /**
         * @description Hostname of a registered tunnel.
         * @example my-app.portal.example.com
         */
        ThumbnailHostname: components["schemas"]["HostnameInput"];
        /**
         * @description Hostname of the lease.
         * @example my-app.portal.example.com
         */
        TunnelHostname: components["schemas"]["HostnameInput"];
    };
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    getLandingPage: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The page. It runs no script and loads nothing. */
            200: {
                headers: {
                    /** @description Allows the page's own style, and nothing else. */
                    "Content-Security-Policy": string;
                    "X-Content-Type-Options": "nosniff";
                    "X-Frame-Options": "DENY";
                    "Referrer-Policy": "no-referrer";
                    "Cross-Origin-Opener-Policy": "same-origin";
                    "Cache-Control": "no-store";
                    [name: string]: unknown;
                };
                content: {
                    "text/html": string;
                };
            };
            404: components["responses"]["NotFound"];
            429: components["responses"]["RateLimited"];
            500: components["responses"]["Internal"];
        };
    };
    getDomain: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The relay's facts. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Domain"];
                    };
                };
            };
            403: components["responses"]["IpBanned"];
            429: components["responses"]["RateLimited"];
            500: components["responses"]["Internal"];
        };
    };
    createRegisterChallenge: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RegisterChallengeRequest"];
            };
        };
        responses: {
            /** @description A challenge. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Challenge"];
                    };
                };
            };
            400: components["responses"]["InvalidBodyOrAddress"];
            403: components["responses"]["TransportForbidden"];
            409: components["responses"]["ChallengeConflict"];
            413: components["responses"]["BodyTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["RateLimited"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    registerLease: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RegisterRequest"];
            };
        };
        responses: {
            /** @description A lease. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Lease"];
                    };
                };
            };
            400: components["responses"]["InvalidBody"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["RegistrationForbidden"];
            409: components["responses"]["HostnameConflict"];
            413: components["responses"]["BodyTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["RateLimited"];
            500: components["responses"]["Internal"];
            503: components["responses"]["NoPort"];
        };
    };
    renewLease: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["RenewRequest"];
            };
        };
        responses: {
            /** @description The lease is renewed. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Renewal"];
                    };
                };
            };
            400: components["responses"]["InvalidBody"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["LeaseForbidden"];
            404: components["responses"]["LeaseNotFound"];
            409: components["responses"]["HostnameConflict"];
            413: components["responses"]["BodyTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["RateLimited"];
            500: components["responses"]["Internal"];
        };
    };
    unregisterLease: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["UnregisterRequest"];
            };
        };
        responses: {
            /** @description The lease is gone. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Empty"];
                    };
                };
            };
            400: components["responses"]["InvalidBody"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["LeaseForbidden"];
            404: components["responses"]["LeaseNotFound"];
            409: components["responses"]["HostnameConflict"];
            413: components["responses"]["BodyTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["RateLimited"];
            500: components["responses"]["Internal"];
        };
    };
    openReverseSession: {
        parameters: {
            query?: never;
            header?: {
                /** @description `1`: write the 16-byte binding after the marker `0x02`. Without it a session serves tenant TLS only where digest signing is allowed. */
                "X-Portal-Binding"?: components["parameters"]["Binding"];
                /** @description `2`: then write a PROXY protocol version 2 header with the visitor's address. */
                "X-Portal-Proxy"?: components["parameters"]["Proxy"];
                /**
                 * @description `1`: recycle the session. Its public connections come in frames, one after the other, and it waits again after each
                 *     (`docs/protocol.md`, Recycled sessions). Agreed on only if the answer has the same header; else the session serves one connection.
                 */
                "X-Portal-Recycle"?: components["parameters"]["Recycle"];
                /**
                 * @description `1`: sign handshakes inside the session, instead of by `signHandshake` (`docs/protocol.md`, Signing inside a session). Only with both
                 *     `X-Portal-Binding` and `X-Portal-Recycle`. Agreed on only if the response has the same header.
                 */
                "X-Portal-Sign"?: components["parameters"]["Sign"];
                /**
                 * @description `1`: take TLS off the connection once the session is open, for all it will carry is the visitors' own TLS
                 *     (`docs/protocol.md`, Unwrapped sessions). Only with ALPN `portal-reverse`, a raw carrier, and both `X-Portal-Binding` and
                 *     `X-Portal-Recycle`. Agreed on only if the answer has the same header; else TLS stays.
                 */
                "X-Portal-Unwrap"?: components["parameters"]["Unwrap"];
                /** @description With the subprotocol `portal.peer`: the signing address of the relay whose API is wanted. */
                "X-Portal-Peer"?: components["parameters"]["Peer"];
                /**
                 * @description With `Connection: Upgrade`. `portal-reverse`: as the plain form, but answered with 101, which proxies pass better. `websocket`: the same
                 *     bytes as binary messages.
                 */
                Upgrade?: components["parameters"]["Upgrade"];
                /**
                 * @description With `Upgrade: websocket`: `portal.reverse`, `portal.datagram` for datagrams, or `portal.peer`. A browser, which cannot set headers, adds
                 *     `portal.binding.1` (as `X-Portal-Binding: 1`) and `portal.token.<token>`.
                 */
                "Sec-WebSocket-Protocol"?: components["parameters"]["WebSocketProtocols"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Protocol switched by an upgrade. What follows is the reverse session. */
            101: {
                headers: {
                    Connection?: "Upgrade";
                    Upgrade?: "portal-reverse" | "websocket";
                    /** @description With a WebSocket, the subprotocol selected, never the one with the token. */
                    "Sec-WebSocket-Protocol"?: "portal.reverse" | "portal.datagram" | "portal.peer";
                    /** @description The session is recycled, as requested. Absent from relays that do not support it. */
                    "X-Portal-Recycle"?: "1";
                    /** @description Handshakes are signed inside the session, as requested. Absent from relays that do not support it. */
                    "X-Portal-Sign"?: "1";
                    /** @description No TLS follows this response head, as requested. Absent if TLS stays. */
                    "X-Portal-Unwrap"?: "1";
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Protocol switched in the plain form. The body is empty; after the head come the bytes of the reverse session. */
            200: {
                headers: {
                    Connection?: "keep-alive";
                    "Content-Length"?: 0;
                    /** @description The session is recycled, as requested. Absent from relays that do not support it. */
                    "X-Portal-Recycle"?: "1";
                    /** @description Handshakes are signed inside the session, as requested. Absent from relays that do not support it. */
                    "X-Portal-Sign"?: "1";
                    /** @description No TLS follows this response head, as requested. Absent if TLS stays. */
                    "X-Portal-Unwrap"?: "1";
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["LeaseForbidden"];
            404: components["responses"]["LeaseNotFound"];
            409: components["responses"]["ConnectConflict"];
            429: components["responses"]["RateLimited"];
            500: components["responses"]["SwitchFailed"];
            503: components["responses"]["FeatureUnavailable"];
            505: components["responses"]["Http11Only"];
        };
    };
    createAdminChallenge: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ChallengeRequest"];
            };
        };
        responses: {
            /** @description A challenge. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Challenge"];
                    };
                };
            };
            400: components["responses"]["InvalidBodyOrAddress"];
            401: components["responses"]["Unauthorized"];
            413: components["responses"]["BodyTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["RateLimited"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    loginAdmin: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LoginRequest"];
            };
        };
        responses: {
            /** @description Logged in. */
            200: {
                headers: {
                    /** @description The session, for 24 hours. No `Domain`, so that tenants do not get it. */
                    "Set-Cookie": string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Login"];
                    };
                };
            };
            400: components["responses"]["InvalidBody"];
            401: components["responses"]["Unauthorized"];
            413: components["responses"]["BodyTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["RateLimited"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    getAdminStatus: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Logged in or not. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["AdminStatus"];
                    };
                };
            };
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    logoutAdmin: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Logged out. */
            200: {
                headers: {
                    /** @description Clears the session. */
                    "Set-Cookie": string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Empty"];
                    };
                };
            };
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    getSnapshot: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The state. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Snapshot"];
                    };
                };
            };
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    setLandingPage: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LandingPage"];
            };
        };
        responses: {
            /** @description The setting now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["LandingPage"];
                    };
                };
            };
            400: components["responses"]["InvalidBody"];
            401: components["responses"]["Unauthorized"];
            413: components["responses"]["BodyTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    setUdpSettings: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PortSettingsRequest"];
            };
        };
        responses: {
            /** @description The settings now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["PortSettings"];
                    };
                };
            };
            400: components["responses"]["InvalidBody"];
            401: components["responses"]["Unauthorized"];
            413: components["responses"]["BodyTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    setTcpPortSettings: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PortSettingsRequest"];
            };
        };
        responses: {
            /** @description The settings now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["PortSettings"];
                    };
                };
            };
            400: components["responses"]["InvalidBody"];
            401: components["responses"]["Unauthorized"];
            413: components["responses"]["BodyTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    setApprovalMode: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ApprovalModeRequest"];
            };
        };
        responses: {
            /** @description The mode now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["ApprovalModeSetting"];
                    };
                };
            };
            400: components["responses"]["InvalidBodyOrMode"];
            401: components["responses"]["Unauthorized"];
            413: components["responses"]["BodyTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    banLease: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Base64url of the identity's name, padded or not.
                 * @example bXktYXBw
                 */
                name: components["parameters"]["LeaseName"];
                /**
                 * @description Base64url of the identity's address, which may be written in any case.
                 * @example MHhkYjJmMjE2NDM5MDAxMDMzZWJiZTk5NTU3MGI2NmRmZjViMTczNjFk
                 */
                addr: components["parameters"]["LeaseAddress"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done, or already the case. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Empty"];
                    };
                };
            };
            400: components["responses"]["InvalidLeasePath"];
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    unbanLease: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Base64url of the identity's name, padded or not.
                 * @example bXktYXBw
                 */
                name: components["parameters"]["LeaseName"];
                /**
                 * @description Base64url of the identity's address, which may be written in any case.
                 * @example MHhkYjJmMjE2NDM5MDAxMDMzZWJiZTk5NTU3MGI2NmRmZjViMTczNjFk
                 */
                addr: components["parameters"]["LeaseAddress"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done, or already the case. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Empty"];
                    };
                };
            };
            400: components["responses"]["InvalidLeasePath"];
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    setLeaseBps: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Base64url of the identity's name, padded or not.
                 * @example bXktYXBw
                 */
                name: components["parameters"]["LeaseName"];
                /**
                 * @description Base64url of the identity's address, which may be written in any case.
                 * @example MHhkYjJmMjE2NDM5MDAxMDMzZWJiZTk5NTU3MGI2NmRmZjViMTczNjFk
                 */
                addr: components["parameters"]["LeaseAddress"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["BandwidthLimit"];
            };
        };
        responses: {
            /** @description The limit now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["BandwidthLimit"];
                    };
                };
            };
            400: components["responses"]["InvalidBodyOrAddress"];
            401: components["responses"]["Unauthorized"];
            413: components["responses"]["BodyTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    removeLeaseBps: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Base64url of the identity's name, padded or not.
                 * @example bXktYXBw
                 */
                name: components["parameters"]["LeaseName"];
                /**
                 * @description Base64url of the identity's address, which may be written in any case.
                 * @example MHhkYjJmMjE2NDM5MDAxMDMzZWJiZTk5NTU3MGI2NmRmZjViMTczNjFk
                 */
                addr: components["parameters"]["LeaseAddress"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done, or already the case. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Empty"];
                    };
                };
            };
            400: components["responses"]["InvalidLeasePath"];
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    approveLease: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Base64url of the identity's name, padded or not.
                 * @example bXktYXBw
                 */
                name: components["parameters"]["LeaseName"];
                /**
                 * @description Base64url of the identity's address, which may be written in any case.
                 * @example MHhkYjJmMjE2NDM5MDAxMDMzZWJiZTk5NTU3MGI2NmRmZjViMTczNjFk
                 */
                addr: components["parameters"]["LeaseAddress"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done, or already the case. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Empty"];
                    };
                };
            };
            400: components["responses"]["InvalidLeasePath"];
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    revokeLeaseApproval: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Base64url of the identity's name, padded or not.
                 * @example bXktYXBw
                 */
                name: components["parameters"]["LeaseName"];
                /**
                 * @description Base64url of the identity's address, which may be written in any case.
                 * @example MHhkYjJmMjE2NDM5MDAxMDMzZWJiZTk5NTU3MGI2NmRmZjViMTczNjFk
                 */
                addr: components["parameters"]["LeaseAddress"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done, or already the case. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Empty"];
                    };
                };
            };
            400: components["responses"]["InvalidLeasePath"];
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    denyLease: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Base64url of the identity's name, padded or not.
                 * @example bXktYXBw
                 */
                name: components["parameters"]["LeaseName"];
                /**
                 * @description Base64url of the identity's address, which may be written in any case.
                 * @example MHhkYjJmMjE2NDM5MDAxMDMzZWJiZTk5NTU3MGI2NmRmZjViMTczNjFk
                 */
                addr: components["parameters"]["LeaseAddress"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done, or already the case. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Empty"];
                    };
                };
            };
            400: components["responses"]["InvalidLeasePath"];
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    removeLeaseDenial: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Base64url of the identity's name, padded or not.
                 * @example bXktYXBw
                 */
                name: components["parameters"]["LeaseName"];
                /**
                 * @description Base64url of the identity's address, which may be written in any case.
                 * @example MHhkYjJmMjE2NDM5MDAxMDMzZWJiZTk5NTU3MGI2NmRmZjViMTczNjFk
                 */
                addr: components["parameters"]["LeaseAddress"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done, or already the case. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Empty"];
                    };
                };
            };
            400: components["responses"]["InvalidLeasePath"];
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    banIp: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description IPv4 or IPv6 address.
                 * @example 203.0.113.9
                 */
                ip: components["parameters"]["Ip"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done, or already the case. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Empty"];
                    };
                };
            };
            400: components["responses"]["InvalidIp"];
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    unbanIp: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description IPv4 or IPv6 address.
                 * @example 203.0.113.9
                 */
                ip: components["parameters"]["Ip"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done, or already the case. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Empty"];
                    };
                };
            };
            400: components["responses"]["InvalidIp"];
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    getHealth: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The relay is up. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Health"];
                    };
                };
            };
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    getDiscovery: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The relays. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Discovery"];
                    };
                };
            };
            429: components["responses"]["RateLimited"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    announceRelay: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AnnounceRequest"];
            };
        };
        responses: {
            /** @description Whether the announcement was accepted. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Announcement"];
                    };
                };
            };
            400: components["responses"]["InvalidBodyOrAddress"];
            401: components["responses"]["Unauthorized"];
            413: components["responses"]["BodyTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["RateLimited"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    signHandshake: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SignRequest"];
            };
        };
        responses: {
            /** @description The signature. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": (components["schemas"]["Success"] & {
                        data: components["schemas"]["TranscriptSignature"];
                    }) | components["schemas"]["DigestSignature"];
                };
            };
            400: components["responses"]["InvalidBody"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["LeaseForbidden"];
            404: components["responses"]["SignNotFound"];
            409: components["responses"]["HostnameConflict"];
            413: components["responses"]["BodyTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["RateLimited"];
            500: components["responses"]["Internal"];
        };
    };
    getThumbnail: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Hostname of a registered tunnel.
                 * @example my-app.portal.example.com
                 */
                hostname: components["parameters"]["ThumbnailHostname"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The picture. */
            200: {
                headers: {
                    "Cache-Control"?: "public, max-age=300";
                    [name: string]: unknown;
                };
                content: {
                    "image/png": unknown;
                    "image/jpeg": unknown;
                    "image/webp": unknown;
                };
            };
            400: components["responses"]["InvalidRequest"];
            404: components["responses"]["NotFound"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    getTunnelStatus: {
        parameters: {
            query: {
                /**
                 * @description Hostname of the lease.
                 * @example my-app.portal.example.com
                 */
                hostname: components["parameters"]["TunnelHostname"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The tunnel's status. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["TunnelStatus"];
                    };
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["LeaseForbidden"];
            404: components["responses"]["LeaseNotFound"];
            409: components["responses"]["HostnameConflict"];
            429: components["responses"]["RateLimited"];
            500: components["responses"]["Internal"];
        };
    };
    getOpenapiDocument: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description An OpenAPI document. */
            200: {
                headers: {
                    "Cache-Control": "public, max-age=300";
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OpenapiDocument"];
                };
            };
            500: components["responses"]["Internal"];
        };
    };
    getReference: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The page. */
            200: {
                headers: {
                    "Cache-Control": "public, max-age=300";
                    /** @description Own script and own data alone; no framing. */
                    "Content-Security-Policy": string;
                    [name: string]: unknown;
                };
                content: {
                    "text/html": string;
                };
            };
            500: components["responses"]["Internal"];
        };
    };
    getReferenceScript: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The script. */
            200: {
                headers: {
                    "Cache-Control": "public, max-age=31536000, immutable";
                    [name: string]: unknown;
                };
                content: {
                    "text/javascript": string;
                };
            };
            500: components["responses"]["Internal"];
        };
    };
}
