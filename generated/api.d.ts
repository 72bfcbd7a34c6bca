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
         * @description A page for people, in the browser of whoever opens the root host: what this relay is and offers, how to expose a service, and the services that are
         *     neither hidden (`metadata.hide`) nor refused by the operator, searched and in parts. Whatever a tenant chose is shown as text.
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
    "/admin": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show the console
         * @description A page by which the operator governs the relay. It holds no data of the relay: what it shows comes from the other operations.
         */
        get: operations["getConsole"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/assets/{file}": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description A file that the console's page names.
                 * @example index-B1a2c3d4.js
                 */
                file: components["parameters"]["ConsoleFile"];
            };
            cookie?: never;
        };
        /**
         * Get a file of the console
         * @description Its name tells its content, so that it may be kept for ever.
         */
        get: operations["getConsoleAsset"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/overview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show how busy the relay is
         * @description What lives now, the samples of the last hour, and what was refused since the start.
         */
        get: operations["getOverview"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow the relay
         * @description Server-sent events: `sample` with a sample (schema `Sample`) as it is taken, and `decision` with an entry of the audit log (schema `AuditEntry`), at
         *     most once a second; `missed` with `{}` when there were more, so that a page loads anew what it shows. The stream ends with the session that it was opened by.
         */
        get: operations["followRelay"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/leases": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List live leases
         * @description A part of the live leases, searched, filtered and sorted. Leases come and go between calls, so that one may show twice or not at all while a list is read in parts.
         */
        get: operations["listLeases"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/leases/{name}/{addr}": {
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
        /**
         * Show a lease
         * @description A live lease with its traffic, minute by minute over the last hour. An identity that has none now is `not_found`.
         */
        get: operations["getLease"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/identities": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List identities with a decision or a limit
         * @description Sorted by name, live or not.
         */
        get: operations["listIdentities"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/overlay": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the peers in the overlay
         * @description The relays with which this one shares the overlay, as WireGuard sees them. A relay without an overlay is not up and has none.
         */
        get: operations["listOverlayPeers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/ips": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List banned source addresses
         * @description An IPv6 address stands for its /64.
         */
        get: operations["listBannedIps"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read the audit log
         * @description What admins did, and what was refused to whom, the newest first. Each call looks at a bounded part of the log: `next_before` leads on, also where nothing in that part was found.
         */
        get: operations["listAuditEntries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List who is logged in
         * @description The sessions of all admins, the newest first.
         */
        get: operations["listAdminSessions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/sessions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description A session, as `listAdminSessions` names it.
                 * @example q2V0dGluZ19zdG9u
                 */
                id: components["parameters"]["AdminSessionId"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * End a session of an admin
         * @description Its cookie is refused from now on, and its event streams end. For one's own it is as `logoutAdmin`, but for the cookie.
         */
        delete: operations["endAdminSession"];
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
    "/docs/errors": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Explain the error codes
         * @description A page for people, with a section for each error code: `/docs/errors#rate_limited`. The header `Link` of a refusal, with the relation `help`
         *     (RFC 8288), leads there.
         */
        get: operations["getErrorReference"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/docs/{page}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show a page of the documentation
         * @description Guides for those who expose a service, run a relay, write an SDK or build a frontend, beside the protocol and what the project has decided.
         *     They begin at `/docs/start`. A page loads nothing from anywhere but the relay, and can be read without its script.
         */
        get: operations["getDocumentationPage"];
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
        /** @description Any JSON answer of the relay. `ok` tells success and failure apart. */
        Envelope: {
            ok: boolean;
            /** @description What the operation answers with, on success. */
            data?: unknown;
            /** @description Why it failed; absent or null on success. */
            error?: components["schemas"]["ErrorDetail"] | null;
        };
        /** @constant */
        Failed: false;
        /** @description The request breaks its schema or a rule of the operation (413 when the body is too large, 415 when it is not JSON by its media type). */
        InvalidRequestError: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            code: "invalid_request";
            /** @description For people; may change at any time. */
            message: string;
        };
        InvalidRequestFailure: {
            ok: components["schemas"]["Failed"];
            error: components["schemas"]["InvalidRequestError"];
        };
        /** @description There is nothing at this path or under this name. */
        NotFoundError: {
            /** @constant */
            code: "not_found";
            /** @description For people; may change at any time. */
            message: string;
        };
        NotFoundFailure: {
            ok: components["schemas"]["Failed"];
            error: components["schemas"]["NotFoundError"];
        };
        /** @description Too many requests, or the lease's ready queue is full. */
        RateLimitedError: {
            /** @constant */
            code: "rate_limited";
            /** @description For people; may change at any time. */
            message: string;
        };
        RateLimitedFailure: {
            ok: components["schemas"]["Failed"];
            error: components["schemas"]["RateLimitedError"];
        };
        /** @description The relay failed. Its cause is in the relay's log, never in the answer. */
        InternalError: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            code: "internal";
            /** @description For people; may change at any time. */
            message: string;
        };
        InternalFailure: {
            ok: components["schemas"]["Failed"];
            error: components["schemas"]["InternalError"];
        };
        /** @constant */
        Succeeded: true;
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
        DomainAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["Domain"];
            /** @description Absent or null on success. */
            error?: null;
        };
        /** @description The operator has banned the source address. */
        IpBannedError: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            code: "ip_banned";
            /** @description For people; may change at any time. */
            message: string;
        };
        IpBannedFailure: {
            ok: components["schemas"]["Failed"];
            error: components["schemas"]["IpBannedError"];
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
        ChallengeAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["Challenge"];
            /** @description Absent or null on success. */
            error?: null;
        };
        /** @description The body is not well-formed JSON. */
        InvalidJsonError: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            code: "invalid_json";
            /** @description For people; may change at any time. */
            message: string;
        };
        /** @description Not an Ethereum address of 0x and 40 hex digits. */
        InvalidAddressError: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            code: "invalid_address";
            /** @description For people; may change at any time. */
            message: string;
        };
        InvalidBodyOrAddressFailure: {
            ok: components["schemas"]["Failed"];
            error: components["schemas"]["InvalidJsonError"] | components["schemas"]["InvalidRequestError"] | components["schemas"]["InvalidAddressError"];
        };
        /** @description The identity is not approved yet, denied or banned. Before approval only connecting is refused; after a denial or a ban everything is. */
        LeaseRejectedError: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            code: "lease_rejected";
            /** @description For people; may change at any time. */
            message: string;
        };
        /** @description The relay offers no UDP leases. */
        UdpDisabledError: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            code: "udp_disabled";
            /** @description For people; may change at any time. */
            message: string;
        };
        /** @description The relay offers no raw TCP ports. */
        TcpPortDisabledError: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            code: "tcp_port_disabled";
            /** @description For people; may change at any time. */
            message: string;
        };
        TransportForbiddenFailure: {
            ok: components["schemas"]["Failed"];
            error: components["schemas"]["IpBannedError"] | components["schemas"]["LeaseRejectedError"] | components["schemas"]["UdpDisabledError"] | components["schemas"]["TcpPortDisabledError"];
        };
        /** @description The hostname belongs to another identity, or this token was superseded by a later registration of the same identity. */
        HostnameConflictError: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            code: "hostname_conflict";
            /** @description For people; may change at any time. */
            message: string;
        };
        /** @description The carrier does not fit the lease (a datagram carrier on a lease without UDP), or a path of relays was asked for with ports. */
        TransportMismatchError: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            code: "transport_mismatch";
            /** @description For people; may change at any time. */
            message: string;
        };
        ChallengeConflictFailure: {
            ok: components["schemas"]["Failed"];
            error: components["schemas"]["HostnameConflictError"] | components["schemas"]["TransportMismatchError"];
        };
        /** @description The relay does not have this feature, or the operator has it off. */
        FeatureUnavailableError: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            code: "feature_unavailable";
            /** @description For people; may change at any time. */
            message: string;
        };
        FeatureUnavailableFailure: {
            ok: components["schemas"]["Failed"];
            error: components["schemas"]["FeatureUnavailableError"];
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
        LeaseAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["Lease"];
            /** @description Absent or null on success. */
            error?: null;
        };
        InvalidBodyFailure: {
            ok: components["schemas"]["Failed"];
            error: components["schemas"]["InvalidJsonError"] | components["schemas"]["InvalidRequestError"];
        };
        /** @description The credential is missing, is not this relay's, or does not prove what the operation needs. */
        UnauthorizedError: {
            /** @constant */
            code: "unauthorized";
            /** @description For people; may change at any time. */
            message: string;
        };
        UnauthorizedFailure: {
            ok: components["schemas"]["Failed"];
            error: components["schemas"]["UnauthorizedError"];
        };
        /** @description The domain's TXT record does not name the identity's address, or could not be looked up; the message says which. */
        DomainNotProvenError: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            code: "domain_not_proven";
            /** @description For people; may change at any time. */
            message: string;
        };
        RegistrationForbiddenFailure: {
            ok: components["schemas"]["Failed"];
            error: components["schemas"]["IpBannedError"] | components["schemas"]["LeaseRejectedError"] | components["schemas"]["UdpDisabledError"] | components["schemas"]["TcpPortDisabledError"] | components["schemas"]["DomainNotProvenError"];
        };
        HostnameConflictFailure: {
            ok: components["schemas"]["Failed"];
            error: components["schemas"]["HostnameConflictError"];
        };
        /** @description Every UDP port of the relay's range is taken. */
        UdpPortExhaustedError: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            code: "udp_port_exhausted";
            /** @description For people; may change at any time. */
            message: string;
        };
        /** @description The relay has as many UDP leases as its operator allows. */
        UdpCapacityExceededError: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            code: "udp_capacity_exceeded";
            /** @description For people; may change at any time. */
            message: string;
        };
        /** @description Every TCP port of the relay's range is taken. */
        TcpPortExhaustedError: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            code: "tcp_port_exhausted";
            /** @description For people; may change at any time. */
            message: string;
        };
        /** @description The relay has as many TCP port leases as its operator allows. */
        TcpPortCapacityExceededError: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            code: "tcp_port_capacity_exceeded";
            /** @description For people; may change at any time. */
            message: string;
        };
        NoPortFailure: {
            ok: components["schemas"]["Failed"];
            error: components["schemas"]["UdpPortExhaustedError"] | components["schemas"]["UdpCapacityExceededError"] | components["schemas"]["TcpPortExhaustedError"] | components["schemas"]["TcpPortCapacityExceededError"];
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
        RenewalAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["Renewal"];
            /** @description Absent or null on success. */
            error?: null;
        };
        LeaseForbiddenFailure: {
            ok: components["schemas"]["Failed"];
            error: components["schemas"]["IpBannedError"] | components["schemas"]["LeaseRejectedError"];
        };
        /** @description The token is genuine, but expired or its lease is gone. */
        LeaseNotFoundError: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            code: "lease_not_found";
            /** @description For people; may change at any time. */
            message: string;
        };
        LeaseNotFoundFailure: {
            ok: components["schemas"]["Failed"];
            error: components["schemas"]["LeaseNotFoundError"];
        };
        UnregisterRequest: {
            access_token?: components["schemas"]["AccessToken"];
        };
        /** @description Nothing to say beyond that it was done. */
        Empty: Record<string, never>;
        EmptyAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["Empty"];
            /** @description Absent or null on success. */
            error?: null;
        };
        /**
         * @description In a header that asks for something, or agrees to it.
         * @enum {string}
         */
        AskedFor: "1";
        ConnectConflictFailure: {
            ok: components["schemas"]["Failed"];
            error: components["schemas"]["HostnameConflictError"] | components["schemas"]["TransportMismatchError"];
        };
        /** @description The relay could not take the connection over from HTTP. */
        HijackFailedError: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            code: "hijack_failed";
            /** @description For people; may change at any time. */
            message: string;
        };
        /** @description This connection cannot be taken over from HTTP, for example because it has carried another request before. */
        HijackUnsupportedError: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            code: "hijack_unsupported";
            /** @description For people; may change at any time. */
            message: string;
        };
        SwitchFailedFailure: {
            ok: components["schemas"]["Failed"];
            error: components["schemas"]["InternalError"] | components["schemas"]["HijackFailedError"] | components["schemas"]["HijackUnsupportedError"];
        };
        /** @description The operation takes its connection over and therefore needs HTTP/1.1. */
        Http11OnlyError: {
            /** @constant */
            code: "http11_only";
            /** @description For people; may change at any time. */
            message: string;
        };
        Http11OnlyFailure: {
            ok: components["schemas"]["Failed"];
            error: components["schemas"]["Http11OnlyError"];
        };
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
        LoginAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["Login"];
            /** @description Absent or null on success. */
            error?: null;
        };
        AdminStatus: {
            /** @description Whether the cookie names a live session of a wallet that is still an admin. */
            authenticated: boolean;
            /** @description Present when authenticated. */
            wallet_address?: components["schemas"]["Address"];
        };
        AdminStatusAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["AdminStatus"];
            /** @description Absent or null on success. */
            error?: null;
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
            /** @description Whether an admin has approved it; in `auto` mode it may be routed without. Older relays do not tell. */
            has_approval?: boolean;
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
            /** @description Whether an admin has approved it; in `auto` mode it may be routed without. Older relays do not tell. */
            has_approval?: boolean;
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
        SnapshotAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["Snapshot"];
            /** @description Absent or null on success. */
            error?: null;
        };
        /** @description What lived at a moment, and what happened since the sample before. */
        Sample: {
            at: components["schemas"]["Timestamp"];
            /** @description Live leases. */
            leases: number;
            /** @description Reverse sessions that wait for a visitor. */
            ready: number;
            /** @description Visitors' connections. */
            connections: number;
            /** @description Connections open on the public port, whatever they are for. */
            public_connections: number;
            /** @description Peers of public UDP ports with recent datagrams. */
            udp_flows: number;
            /** @description Connections that were passed on to a tunnel. */
            routed: number;
            /** @description Connections that were refused. */
            refused: number;
            /** @description Bytes from visitors. */
            received: number;
            /** @description Bytes to visitors. */
            sent: number;
            /** @description Handshakes that were signed. */
            signatures: number;
            /** @description Handshakes that were not signed. */
            signatures_refused: number;
            /** @description API requests that succeeded. */
            requests: number;
            /** @description API requests that were refused. */
            requests_refused: number;
            /** @description Datagrams given up. */
            datagrams_dropped: number;
            /** @description Calls of the store. */
            store_calls: number;
            /** @description Calls of the store that failed. */
            store_failures: number;
            /** @description Time that the calls of the store took, together. */
            store_seconds: number;
        };
        Count: {
            what: string;
            count: number;
        };
        Overview: {
            /** @description Of the relay's release. */
            version: string;
            root_host: components["schemas"]["Hostname"];
            started_at: components["schemas"]["Timestamp"];
            /** @description Time between two samples. */
            sample_seconds: number;
            /** @description Of the last hour, or since the start; the oldest first. */
            samples: components["schemas"]["Sample"][];
            /** @description What became of public connections since the start. */
            outcomes: components["schemas"]["Count"][];
            /** @description Errors of the API by code since the start; those that occurred. */
            errors: components["schemas"]["Count"][];
            certificate_expires_at: components["schemas"]["Timestamp"];
            approval_mode: components["schemas"]["ApprovalMode"];
            landing_page_enabled: boolean;
            udp: components["schemas"]["PortSettings"];
            tcp_port: components["schemas"]["PortSettings"];
            /** @description Other relays; absent where discovery is off. */
            relays?: {
                /** @description Those whose descriptor is believed now. */
                believed: number;
                /** @description URLs held: believed, silent, or not visited yet. */
                held: number;
            };
            /** @description Absent where there is none. */
            overlay?: {
                is_up: boolean;
                /** @description Relays that are peers. */
                peers: number;
            };
        };
        OverviewAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["Overview"];
            /** @description Absent or null on success. */
            error?: null;
        };
        /** @description Server-sent events. */
        RelayEvents: string;
        ListedLease: {
            lease: components["schemas"]["SnapshotLease"];
            /** @description Connections of visitors now. */
            connections: number;
            /** @description Bytes from visitors since its sessions were first opened. */
            received: number;
            /** @description Bytes to visitors, likewise. */
            sent: number;
        };
        LeaseList: {
            /** @description Live leases in all. */
            total: number;
            /** @description Those that match, of which this is a part. */
            matching: number;
            leases: components["schemas"]["ListedLease"][];
        };
        LeaseListAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["LeaseList"];
            /** @description Absent or null on success. */
            error?: null;
        };
        TrafficMinute: {
            /** @description When the minute ended. */
            at: components["schemas"]["Timestamp"];
            /** @description Bytes from visitors in it. */
            received: number;
            /** @description Bytes to visitors in it. */
            sent: number;
        };
        LeaseDetails: {
            lease: components["schemas"]["SnapshotLease"];
            /** @description Connections of visitors now. */
            connections: number;
            /** @description Bytes from visitors since its sessions were first opened. */
            received: number;
            /** @description Bytes to visitors, likewise. */
            sent: number;
            /** @description The minutes of the last hour in which bytes passed, the oldest first. */
            traffic?: components["schemas"]["TrafficMinute"][];
        };
        LeaseDetailsAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["LeaseDetails"];
            /** @description Absent or null on success. */
            error?: null;
        };
        InvalidLeasePathFailure: {
            ok: components["schemas"]["Failed"];
            error: components["schemas"]["InvalidRequestError"] | components["schemas"]["InvalidAddressError"];
        };
        IdentityList: {
            /** @description Identities with a decision or a limit in all. */
            total: number;
            /** @description Those that match, of which this is a part. */
            matching: number;
            identities: components["schemas"]["SnapshotIdentity"][];
        };
        IdentityListAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["IdentityList"];
            /** @description Absent or null on success. */
            error?: null;
        };
        OverlayPeer: {
            /** @description The address with which it signs. */
            relay: components["schemas"]["Address"];
            /** @description Its IPv4 address in the overlay. */
            address: string;
            /** @description Host and port of its WireGuard. */
            host: string;
            /** @description What keeps it from being reached, such as a name without an address; absent when there is nothing. */
            fault?: string;
            /** @description Absent before the first handshake of WireGuard with it. */
            last_handshake_at?: components["schemas"]["Timestamp"];
            /** @description Bytes from it since it is a peer. */
            received: number;
            /** @description Bytes to it, likewise. */
            sent: number;
        };
        RefusedOverlayPeer: {
            /** @description The address with which it signs. */
            relay: components["schemas"]["Address"];
            reason: string;
        };
        OverlayPeers: {
            /** @description Whether this relay has a place in the overlay now. */
            is_up: boolean;
            peers: components["schemas"]["OverlayPeer"][];
            /** @description Relays that are no peers although their descriptors say that they have an overlay, and why. */
            refused: components["schemas"]["RefusedOverlayPeer"][];
        };
        OverlayPeersAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["OverlayPeers"];
            /** @description Absent or null on success. */
            error?: null;
        };
        BannedIpList: {
            /** @description Banned addresses in all. */
            total: number;
            /** @description Those that match, of which this is a part. */
            matching: number;
            ips: string[];
        };
        BannedIpListAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["BannedIpList"];
            /** @description Absent or null on success. */
            error?: null;
        };
        /** @description An action of an admin, or an attempt that was refused. */
        AuditEntry: {
            /** @description Sequence number, without gaps. */
            seq: number;
            time: components["schemas"]["Timestamp"];
            /** @description Absent when nobody was logged in. */
            wallet?: components["schemas"]["Address"];
            /** @description Source address. */
            ip: string;
            /** @description Operation id. */
            action: string;
            /** @description The identity key or the address that it applied to. */
            target?: string;
            /** @description The new values, if there are any. */
            value?: {
                [key: string]: unknown;
            };
            /** @enum {string} */
            result: "done" | "refused";
            /** @description Why it was refused. */
            reason?: string;
        };
        AuditList: {
            entries: components["schemas"]["AuditEntry"][];
            /** @description Where the next part begins; absent at the end of the log. */
            next_before?: number;
        };
        AuditListAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["AuditList"];
            /** @description Absent or null on success. */
            error?: null;
        };
        AdminSession: {
            /** @description Names the session. Nobody can log in with it. */
            id: string;
            wallet_address: components["schemas"]["Address"];
            opened_at: components["schemas"]["Timestamp"];
            expires_at: components["schemas"]["Timestamp"];
            /** @description Whether this call was made by it. */
            is_own: boolean;
        };
        AdminSessionList: {
            sessions: components["schemas"]["AdminSession"][];
        };
        AdminSessionListAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["AdminSessionList"];
            /** @description Absent or null on success. */
            error?: null;
        };
        LandingPage: {
            /** @description Whether the root host shows the landing page. */
            enabled: boolean;
        };
        LandingPageAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["LandingPage"];
            /** @description Absent or null on success. */
            error?: null;
        };
        PortSettingsRequest: {
            /** @description Whether new leases may have such a port. */
            enabled: boolean;
            /** @description Absent, the present limit stays. */
            max_leases?: components["schemas"]["MaxLeases"];
        };
        PortSettingsAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["PortSettings"];
            /** @description Absent or null on success. */
            error?: null;
        };
        ApprovalModeRequest: {
            mode: components["schemas"]["ApprovalMode"];
        };
        ApprovalModeSetting: {
            approval_mode: components["schemas"]["ApprovalMode"];
        };
        ApprovalModeSettingAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["ApprovalModeSetting"];
            /** @description Absent or null on success. */
            error?: null;
        };
        /** @description Not an approval mode. */
        InvalidModeError: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            code: "invalid_mode";
            /** @description For people; may change at any time. */
            message: string;
        };
        InvalidBodyOrModeFailure: {
            ok: components["schemas"]["Failed"];
            error: components["schemas"]["InvalidJsonError"] | components["schemas"]["InvalidRequestError"] | components["schemas"]["InvalidModeError"];
        };
        BandwidthLimit: {
            bps: components["schemas"]["BytesPerSecond"];
        };
        BandwidthLimitAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["BandwidthLimit"];
            /** @description Absent or null on success. */
            error?: null;
        };
        /** @description Not an IPv4 or IPv6 address. */
        InvalidIpError: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            code: "invalid_ip";
            /** @description For people; may change at any time. */
            message: string;
        };
        InvalidIpFailure: {
            ok: components["schemas"]["Failed"];
            error: components["schemas"]["InvalidRequestError"] | components["schemas"]["InvalidIpError"];
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
        HealthAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["Health"];
            /** @description Absent or null on success. */
            error?: null;
        };
        Discovery: {
            /** @description Version of the discovery protocol. */
            protocol_version: string;
            generated_at: components["schemas"]["Timestamp"];
            /** @description This relay's own descriptor first, then the peers that it knows. */
            relays: components["schemas"]["RelayDescriptor"][];
        };
        DiscoveryAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["Discovery"];
            /** @description Absent or null on success. */
            error?: null;
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
        AnnouncementAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["Announcement"];
            /** @description Absent or null on success. */
            error?: null;
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
        TranscriptSignatureAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["TranscriptSignature"];
            /** @description Absent or null on success. */
            error?: null;
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
        SignNotFoundFailure: {
            ok: components["schemas"]["Failed"];
            error: components["schemas"]["LeaseNotFoundError"] | components["schemas"]["FeatureUnavailableError"];
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
        TunnelStatusAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["TunnelStatus"];
            /** @description Absent or null on success. */
            error?: null;
        };
        /** @description An OpenAPI 3.1 document. */
        OpenapiDocument: {
            openapi: string;
            info: {
                title: string;
                /** @description Version of the contract. */
                version: string;
            };
            /** @description Its operations. */
            paths: unknown;
        };
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
        /** @description The path exists, but not for this method; `Allow` lists those that it has. */
        MethodNotAllowedError: {
            /** @constant */
            code: "method_not_allowed";
            /** @description For people; may change at any time. */
            message: string;
        };
        MethodNotAllowedFailure: {
            ok: components["schemas"]["Failed"];
            error: components["schemas"]["MethodNotAllowedError"];
        };
    };
    responses: {
        /** @description The path is there, but not for this method. */
        MethodNotAllowed: {
            headers: {
                Link: components["headers"]["Help"];
                /** @description The methods that the path has. */
                Allow: string;
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["MethodNotAllowedFailure"];
            };
        };
        /** @description The request breaks its schema or a rule of the operation. */
        InvalidRequest: {
            headers: {
                Link: components["headers"]["Help"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["InvalidRequestFailure"];
            };
        };
        /** @description Nothing under this name. */
        NotFound: {
            headers: {
                Link: components["headers"]["Help"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["NotFoundFailure"];
            };
        };
        /** @description Too many requests, or a full queue. */
        RateLimited: {
            headers: {
                Link: components["headers"]["Help"];
                /** @description Seconds to wait. */
                "Retry-After": number;
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["RateLimitedFailure"];
            };
        };
        /** @description The relay failed. */
        Internal: {
            headers: {
                Link: components["headers"]["Help"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["InternalFailure"];
            };
        };
        /** @description The source address is banned. */
        IpBanned: {
            headers: {
                Link: components["headers"]["Help"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["IpBannedFailure"];
            };
        };
        /** @description As any bad body; or an address in it, or in the path, is not an Ethereum address. */
        InvalidBodyOrAddress: {
            headers: {
                Link: components["headers"]["Help"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["InvalidBodyOrAddressFailure"];
            };
        };
        /** @description As for any lease; or the relay does not offer the transport. */
        TransportForbidden: {
            headers: {
                Link: components["headers"]["Help"];
                /** @description Seconds to wait, where waiting helps. */
                "Retry-After"?: number;
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["TransportForbiddenFailure"];
            };
        };
        /** @description The hostname belongs to another identity; or a path of relays was asked for together with ports. */
        ChallengeConflict: {
            headers: {
                Link: components["headers"]["Help"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ChallengeConflictFailure"];
            };
        };
        /** @description The body is larger than the operation takes. */
        BodyTooLarge: {
            headers: {
                Link: components["headers"]["Help"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["InvalidRequestFailure"];
            };
        };
        /** @description The body is not declared as `application/json`. */
        UnsupportedMediaType: {
            headers: {
                Link: components["headers"]["Help"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["InvalidRequestFailure"];
            };
        };
        /** @description The relay does not have this, or has it off. */
        FeatureUnavailable: {
            headers: {
                Link: components["headers"]["Help"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["FeatureUnavailableFailure"];
            };
        };
        /** @description The body is not JSON, or breaks its schema or a rule of the operation. */
        InvalidBody: {
            headers: {
                Link: components["headers"]["Help"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["InvalidBodyFailure"];
            };
        };
        /** @description The credential is missing or does not serve. */
        Unauthorized: {
            headers: {
                Link: components["headers"]["Help"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["UnauthorizedFailure"];
            };
        };
        /** @description As for any lease; or the relay does not offer the transport; or the domain is not proven to be the identity's. */
        RegistrationForbidden: {
            headers: {
                Link: components["headers"]["Help"];
                /** @description Seconds to wait, where waiting helps. */
                "Retry-After"?: number;
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["RegistrationForbiddenFailure"];
            };
        };
        /** @description The hostname belongs to another identity, or a later registration superseded the token. */
        HostnameConflict: {
            headers: {
                Link: components["headers"]["Help"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["HostnameConflictFailure"];
            };
        };
        /** @description No port is left for the transport. */
        NoPort: {
            headers: {
                Link: components["headers"]["Help"];
                /** @description Seconds to wait, where waiting helps. */
                "Retry-After"?: number;
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["NoPortFailure"];
            };
        };
        /** @description The source address is banned, or the identity may not do this. */
        LeaseForbidden: {
            headers: {
                Link: components["headers"]["Help"];
                /** @description Seconds to wait, where waiting helps. */
                "Retry-After"?: number;
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["LeaseForbiddenFailure"];
            };
        };
        /** @description The token is genuine, but its lease is gone. */
        LeaseNotFound: {
            headers: {
                Link: components["headers"]["Help"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["LeaseNotFoundFailure"];
            };
        };
        /** @description A later registration superseded the token; or the carrier does not fit the lease. */
        ConnectConflict: {
            headers: {
                Link: components["headers"]["Help"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["ConnectConflictFailure"];
            };
        };
        /** @description The relay failed, or the connection could not be taken over from HTTP. */
        SwitchFailed: {
            headers: {
                Link: components["headers"]["Help"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["SwitchFailedFailure"];
            };
        };
        /** @description The request did not come by HTTP/1.1. */
        Http11Only: {
            headers: {
                Link: components["headers"]["Help"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["Http11OnlyFailure"];
            };
        };
        /** @description The path does not name an identity. */
        InvalidLeasePath: {
            headers: {
                Link: components["headers"]["Help"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["InvalidLeasePathFailure"];
            };
        };
        /** @description As any bad body; or the mode is unknown. */
        InvalidBodyOrMode: {
            headers: {
                Link: components["headers"]["Help"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["InvalidBodyOrModeFailure"];
            };
        };
        /** @description The path does not name an IP address. */
        InvalidIp: {
            headers: {
                Link: components["headers"]["Help"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["InvalidIpFailure"];
            };
        };
        /** @description The lease is gone; or the relay does not sign, or not in this mode. */
        SignNotFound: {
            headers: {
                Link: components["headers"]["Help"];
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["SignNotFoundFailure"];
            };
        };
    };
    parameters: {
        /** @description Text that is looked for in names, descriptions, owners and tags, in any case. */
        LandingSearch: string;
        /** @description Only services with this tag. */
        LandingTag: string;
        /** @description Which part of the services, from 1. */
        LandingPart: number;
        /** @description What is to be exposed by the command that the page shows. */
        LandingKind: "web" | "folder" | "tcp" | "udp";
        /** @description The port of that service. */
        LandingPort: number;
        /** @description The name that the command asks for; empty for none. */
        LandingName: string;
        /** @description `1`: write the 16-byte binding after the marker `0x02`. Without it a session serves tenant TLS only where digest signing is allowed. */
        Binding: components["schemas"]["AskedFor"];
        /** @description `2`: then write a PROXY protocol version 2 header with the visitor's address. */
        Proxy: "2";
        /**
         * @description `1`: recycle the session. Its public connections come in frames, one after the other, and it waits again after each
         *     (`docs/protocol.md`, Recycled sessions). Agreed on only if the answer has the same header; else the session serves one connection.
         */
        Recycle: components["schemas"]["AskedFor"];
        /**
         * @description `1`: sign handshakes inside the session, instead of by `signHandshake` (`docs/protocol.md`, Signing inside a session). Only with both
         *     `X-Portal-Binding` and `X-Portal-Recycle`. Agreed on only if the response has the same header.
         */
        Sign: components["schemas"]["AskedFor"];
        /**
         * @description `1`: take TLS off the connection once the session is open, for all it will carry is the visitors' own TLS
         *     (`docs/protocol.md`, Unwrapped sessions). Only with ALPN `portal-reverse`, a raw carrier, and both `X-Portal-Binding` and
         *     `X-Portal-Recycle`. Agreed on only if the answer has the same header; else TLS stays.
         */
        Unwrap: components["schemas"]["AskedFor"];
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
         * @description A file that the console's page names.
         * @example index-B1a2c3d4.js
         */
        ConsoleFile: string;
        /** @description Text that is looked for in names, addresses and what else is shown, in any case. */
        Search: string;
        /** @description `reached` leases have a reverse session or a connection, `unreached` ones have none; those that wait for approval are `waiting`. */
        LeaseState: "reached" | "unreached" | "waiting";
        /** @description What the list is sorted by. */
        LeaseSort: "hostname" | "first_seen_at" | "last_seen_at" | "client_ip" | "ready" | "connections" | "traffic";
        /** @description Of the sort. */
        Order: "asc" | "desc";
        /** @description How many to leave out at the beginning. */
        Offset: number;
        /** @description How many at most. */
        Limit: number;
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
        /** @description Only those with this decision. */
        IdentityState: "approved" | "denied" | "banned" | "limited";
        /** @description Only entries with a lower sequence number: `next_before` of the part before. */
        Before: number;
        /**
         * @description A session, as `listAdminSessions` names it.
         * @example q2V0dGluZ19zdG9u
         */
        AdminSessionId: string;
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
    headers: {
        /** @description Where the code is explained (RFC 8288, the relation `help`). Relays send it; the path is their own. */
        Help: string;
    };
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    getLandingPage: {
        parameters: {
            query?: {
                /** @description Text that is looked for in names, descriptions, owners and tags, in any case. */
                q?: components["parameters"]["LandingSearch"];
                /** @description Only services with this tag. */
                tag?: components["parameters"]["LandingTag"];
                /** @description Which part of the services, from 1. */
                page?: components["parameters"]["LandingPart"];
                /** @description What is to be exposed by the command that the page shows. */
                kind?: components["parameters"]["LandingKind"];
                /** @description The port of that service. */
                port?: components["parameters"]["LandingPort"];
                /** @description The name that the command asks for; empty for none. */
                name?: components["parameters"]["LandingName"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The page. It can be used without its script, and loads nothing but this relay's pictures of services. */
            200: {
                headers: {
                    /** @description Allows the page's own style and script, and pictures of this relay. */
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
            400: components["responses"]["InvalidRequest"];
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
                    "application/json": components["schemas"]["DomainAnswer"];
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
                    "application/json": components["schemas"]["ChallengeAnswer"];
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
                    "application/json": components["schemas"]["LeaseAnswer"];
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
                    "application/json": components["schemas"]["RenewalAnswer"];
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
                    "application/json": components["schemas"]["EmptyAnswer"];
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
                    "application/json": components["schemas"]["ChallengeAnswer"];
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
                    "application/json": components["schemas"]["LoginAnswer"];
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
                    "application/json": components["schemas"]["AdminStatusAnswer"];
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
                    "application/json": components["schemas"]["EmptyAnswer"];
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
                    "application/json": components["schemas"]["SnapshotAnswer"];
                };
            };
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    getConsole: {
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
                    "Cache-Control": "no-cache";
                    /** @description Own script, own style and own data alone; no framing. */
                    "Content-Security-Policy": string;
                    [name: string]: unknown;
                };
                content: {
                    "text/html": string;
                };
            };
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    getConsoleAsset: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description A file that the console's page names.
                 * @example index-B1a2c3d4.js
                 */
                file: components["parameters"]["ConsoleFile"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The file. */
            200: {
                headers: {
                    "Cache-Control": "public, max-age=31536000, immutable";
                    /** @description Own script, own style and own data alone; no framing. */
                    "Content-Security-Policy": string;
                    [name: string]: unknown;
                };
                content: {
                    "text/javascript": string;
                    "text/css": string;
                    "image/svg+xml": string;
                };
            };
            400: components["responses"]["InvalidRequest"];
            404: components["responses"]["NotFound"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    getOverview: {
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
                    "application/json": components["schemas"]["OverviewAnswer"];
                };
            };
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    followRelay: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Events, without end. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": components["schemas"]["RelayEvents"];
                };
            };
            401: components["responses"]["Unauthorized"];
            429: components["responses"]["RateLimited"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    listLeases: {
        parameters: {
            query?: {
                /** @description Text that is looked for in names, addresses and what else is shown, in any case. */
                search?: components["parameters"]["Search"];
                /** @description `reached` leases have a reverse session or a connection, `unreached` ones have none; those that wait for approval are `waiting`. */
                state?: components["parameters"]["LeaseState"];
                /** @description What the list is sorted by. */
                sort?: components["parameters"]["LeaseSort"];
                /** @description Of the sort. */
                order?: components["parameters"]["Order"];
                /** @description How many to leave out at the beginning. */
                offset?: components["parameters"]["Offset"];
                /** @description How many at most. */
                limit?: components["parameters"]["Limit"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Leases. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LeaseListAnswer"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    getLease: {
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
            /** @description The lease. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LeaseDetailsAnswer"];
                };
            };
            400: components["responses"]["InvalidLeasePath"];
            401: components["responses"]["Unauthorized"];
            404: components["responses"]["NotFound"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    listIdentities: {
        parameters: {
            query?: {
                /** @description Text that is looked for in names, addresses and what else is shown, in any case. */
                search?: components["parameters"]["Search"];
                /** @description Only those with this decision. */
                state?: components["parameters"]["IdentityState"];
                /** @description How many to leave out at the beginning. */
                offset?: components["parameters"]["Offset"];
                /** @description How many at most. */
                limit?: components["parameters"]["Limit"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Identities. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["IdentityListAnswer"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    listOverlayPeers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Peers. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OverlayPeersAnswer"];
                };
            };
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    listBannedIps: {
        parameters: {
            query?: {
                /** @description Text that is looked for in names, addresses and what else is shown, in any case. */
                search?: components["parameters"]["Search"];
                /** @description How many to leave out at the beginning. */
                offset?: components["parameters"]["Offset"];
                /** @description How many at most. */
                limit?: components["parameters"]["Limit"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Addresses. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BannedIpListAnswer"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    listAuditEntries: {
        parameters: {
            query?: {
                /** @description Text that is looked for in names, addresses and what else is shown, in any case. */
                search?: components["parameters"]["Search"];
                /** @description Only entries with a lower sequence number: `next_before` of the part before. */
                before?: components["parameters"]["Before"];
                /** @description How many at most. */
                limit?: components["parameters"]["Limit"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Entries. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditListAnswer"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    listAdminSessions: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Sessions. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AdminSessionListAnswer"];
                };
            };
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Internal"];
            503: components["responses"]["FeatureUnavailable"];
        };
    };
    endAdminSession: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description A session, as `listAdminSessions` names it.
                 * @example q2V0dGluZ19zdG9u
                 */
                id: components["parameters"]["AdminSessionId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Ended. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EmptyAnswer"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["Unauthorized"];
            404: components["responses"]["NotFound"];
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
                    "application/json": components["schemas"]["LandingPageAnswer"];
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
                    "application/json": components["schemas"]["PortSettingsAnswer"];
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
                    "application/json": components["schemas"]["PortSettingsAnswer"];
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
                    "application/json": components["schemas"]["ApprovalModeSettingAnswer"];
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
                    "application/json": components["schemas"]["EmptyAnswer"];
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
                    "application/json": components["schemas"]["EmptyAnswer"];
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
                    "application/json": components["schemas"]["BandwidthLimitAnswer"];
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
                    "application/json": components["schemas"]["EmptyAnswer"];
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
                    "application/json": components["schemas"]["EmptyAnswer"];
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
                    "application/json": components["schemas"]["EmptyAnswer"];
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
                    "application/json": components["schemas"]["EmptyAnswer"];
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
                    "application/json": components["schemas"]["EmptyAnswer"];
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
                    "application/json": components["schemas"]["EmptyAnswer"];
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
                    "application/json": components["schemas"]["EmptyAnswer"];
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
                    "application/json": components["schemas"]["HealthAnswer"];
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
                    "application/json": components["schemas"]["DiscoveryAnswer"];
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
                    "application/json": components["schemas"]["AnnouncementAnswer"];
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
                    "application/json": components["schemas"]["TranscriptSignatureAnswer"] | components["schemas"]["DigestSignature"];
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
                    "application/json": components["schemas"]["TunnelStatusAnswer"];
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
    getErrorReference: {
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
                    /** @description No script, nothing from elsewhere; no framing. */
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
    getDocumentationPage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description A page, or a file that pages load.
                 * @example start
                 */
                page: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The page. */
            200: {
                headers: {
                    "Cache-Control": "public, max-age=300";
                    /** @description Own script, own style and own data alone; no framing. */
                    "Content-Security-Policy": string;
                    [name: string]: unknown;
                };
                content: {
                    "text/html": string;
                    "text/css": string;
                    "text/javascript": string;
                    "image/png": unknown;
                };
            };
            400: components["responses"]["InvalidRequest"];
            404: components["responses"]["NotFound"];
            500: components["responses"]["Internal"];
        };
    };
}
