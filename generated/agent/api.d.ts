// Generated from openapi/ by `npm run generate`. Do not edit.

export interface paths {
    "/v1/agent/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * See what the agent does
         * @description The agent and all services, in the order of the configuration. `wallet_address` is there for a wallet that is signed in.
         */
        get: operations["getAgentStatus"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/agent/configuration": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Read the configuration that is in force
         * @description What each service uses, and whether its own table or the top level of the file says so. What is not listed is at its default.
         */
        get: operations["getAgentConfiguration"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/agent/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow what the agent does
         * @description Server-sent events: `tunnel` with a service (schema `Tunnel`), first of all services and then of each that changes, once a second at most for its traffic;
         *     `removed` with `{"id": …}`; `notice` with a notice (schema `Notice`); `configuration` with `{"config_error": …}`, empty when the file is followed.
         */
        get: operations["followAgent"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/agent/shutdown": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * End the agent
         * @description Answers, then lets connections finish for the grace that `portal agent run` was given, and ends the process. The configuration stays.
         */
        post: operations["shutDownAgent"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/agent/tunnels": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Add a service
         * @description Adds a table `[services.<id>]` to the configuration and starts it. Without an `id` it is the name, or made from the target. One that is there already, or a name that
         *     another service has on the same relay, is `invalid_request`.
         */
        post: operations["addTunnel"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/agent/tunnels/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Remove a service
         * @description Takes its table out of the configuration, and ends its tunnel.
         */
        delete: operations["removeTunnel"];
        options?: never;
        head?: never;
        /**
         * Change a service
         * @description What is given replaces what was there; null takes it out.
         */
        patch: operations["changeTunnel"];
        trace?: never;
    };
    "/v1/agent/tunnels/{id}/start": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Start a service
         * @description One that runs stays as it is. `disabled` is taken out of the configuration.
         */
        post: operations["startTunnel"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/agent/tunnels/{id}/stop": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Stop a service
         * @description Writes `disabled = true` into the configuration, so that it stays stopped over a restart of the agent.
         */
        post: operations["stopTunnel"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/agent/tunnels/{id}/restart": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Restart a service
         * @description Ends its tunnel, with the usual grace for its connections, and starts it anew.
         */
        post: operations["restartTunnel"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/agent/tunnels/{id}/log": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
            };
            cookie?: never;
        };
        /**
         * Read the log of a service
         * @description The last lines, the oldest first, also of one that has been stopped.
         */
        get: operations["getTunnelLog"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/agent/tunnels/{id}/log/events": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
            };
            cookie?: never;
        };
        /**
         * Follow the log of a service
         * @description Server-sent events: `line` with a line (schema `LogLine`), first those that are there already. It ends when the service is removed.
         */
        get: operations["followTunnelLog"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/agent/tunnels/{id}/relays": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Use another relay
         * @description Connections through the relays that stay are not affected. One that is used already is `invalid_request`.
         */
        post: operations["addTunnelRelay"];
        /**
         * Use a relay no longer
         * @description The last one cannot be removed (`invalid_request`).
         */
        delete: operations["removeTunnelRelay"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/agent/tunnels/{id}/multi-hop": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Serve through a path of relays
         * @description The entry first. It takes the place of `relays`.
         */
        post: operations["setTunnelPath"];
        /**
         * Leave the path
         * @description The service uses its `relays` again, or those of the top level; without any it is `invalid_request`.
         */
        delete: operations["clearTunnelPath"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/agent/tunnels/{id}/requests": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
            };
            cookie?: never;
        };
        /**
         * List the last requests of a service
         * @description The oldest first. Of a service that is inspected, 500 at most are kept, as far as memory allows, and more of each can be read; of another the last 50 lines. Of one that gets bytes there are none.
         */
        get: operations["listTunnelRequests"];
        put?: never;
        post?: never;
        /**
         * Forget the last requests of a service
         * @description Those that are kept in memory; nothing is kept elsewhere.
         */
        delete: operations["clearTunnelRequests"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/agent/tunnels/{id}/requests/{request}": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
                /**
                 * @description Number of a request, as it is listed.
                 * @example 7
                 */
                request: components["parameters"]["RequestId"];
            };
            cookie?: never;
        };
        /**
         * Read a request and its response
         * @description Of a service that is inspected (`inspect`); of others, and of one that is no longer kept, it is `not_found`. Secrets in header fields, queries, forms and JSON are masked, unless they are asked for.
         */
        get: operations["getTunnelRequest"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/agent/tunnels/{id}/requests/{request}/replay": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
                /**
                 * @description Number of a request, as it is listed.
                 * @example 7
                 */
                request: components["parameters"]["RequestId"];
            };
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a request again
         * @description To the service, as if a visitor had sent it, without the checks of who may come in. What is given replaces what was there. It is listed as a request of its own.
         */
        post: operations["replayTunnelRequest"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/agent/tunnels/{id}/traffic/events": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
            };
            cookie?: never;
        };
        /**
         * Follow the requests of a service
         * @description Server-sent events: `request` with a line (schema `RequestLine`), first those that are there already, then each as it begins, gets a response and ends. It ends when the service is removed.
         */
        get: operations["followTunnelTraffic"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/agent/tunnels/{id}/har": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
            };
            cookie?: never;
        };
        /**
         * Export the last requests of a service
         * @description HTTP Archive 1.2, without an envelope, of a service that is inspected; of others it is `not_found`.
         */
        get: operations["exportTunnelRequests"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/agent/auth/challenge": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Ask for a message to sign
         * @description For a wallet of `allowed_wallets`; another is `unauthorized` (403). The message names the host and port that this request was sent to, and works once, there.
         */
        post: operations["createAgentChallenge"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/agent/auth/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sign in with a wallet
         * @description Sets the cookie of a session that may read. A spent, expired or unknown challenge is `unauthorized` (401), and so is a wallet that may not look (403).
         */
        post: operations["loginAgent"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/agent/auth/logout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sign out
         * @description Ends the session of the cookie, if there is one.
         */
        post: operations["logoutAgent"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/agent/auth/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * See who is signed in
         * @description Reads the cookie, if there is one.
         */
        get: operations["getAgentLoginStatus"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/agent/auth/links": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Make a link to the dashboard
         * @description The address of the dashboard with a code that works once, within two minutes. Whoever opens it gets a token for that page (`redeemAgentLink`).
         */
        post: operations["createAgentLink"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/agent/auth/redeem": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Trade the code of a link for a token
         * @description The token may do what that of the endpoint file may, for 12 hours at most and until the agent ends. A spent, expired or unknown code is `unauthorized`.
         */
        post: operations["redeemAgentLink"];
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
        Succeeded: true;
        /**
         * @description A loopback address and a port.
         * @example 127.0.0.1:4018
         */
        ControlAddress: string;
        /**
         * Format: date-time
         * @description RFC 3339, UTC.
         * @example 2026-03-01T12:00:00.000Z
         */
        Timestamp: string;
        /**
         * @description Ethereum address with its EIP-55 checksum.
         * @example 0xDb2F216439001033EBBE995570B66dfF5b17361d
         */
        Address: string;
        /** @description Key of a service in the configuration, `[services.<id>]`. */
        ServiceId: string;
        /** @description A relay, `https://host[:port]`. */
        RelayUrl: string;
        Notice: {
            time: components["schemas"]["Timestamp"];
            /**
             * @description `service_failed`: a service is not reached, or does not answer, for a while. `service_recovered`: it is back. `certificate_expiring`: less than a fifth of
             *     a certificate's life is left. `relay_left`: a relay is not used again, because it intercepts visitors' TLS.
             * @enum {string}
             */
            kind: "service_failed" | "service_recovered" | "certificate_expiring" | "relay_left";
            service?: components["schemas"]["ServiceId"];
            relay?: components["schemas"]["RelayUrl"];
            /** @description One line for people. */
            message: string;
        };
        /**
         * @description One DNS label, for a name under the relay's root host; or, with dots in it, a domain of one's own, which its TXT record must prove to belong
         *     to the identity (`registerLease`). Any case. Labels have 63 characters at most, and one that begins with `xn--` must be a valid
         *     internationalized one (UTS 46).
         * @example my-app
         * @example shop.example.com
         */
        NameInput: string;
        /** @description What the service is, as `portal expose` takes it (`3000`, `http://localhost:3000`, `unix:/run/app.sock`, a folder). */
        Target: string;
        /** @description Since the service was last started. */
        Traffic: {
            /** @description Connections of visitors that have ended. */
            connections: number;
            /** @description Requests that were answered; 0 where bytes are passed on. */
            requests: number;
            /** @description Requests that broke off or got a status of 500 or more, and connections that broke off. */
            failed: number;
            /** @description Bytes from visitors, of connections that have ended. */
            received: number;
            /** @description Bytes to visitors, of connections that have ended. */
            sent: number;
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
        TunnelRelay: {
            relay_url: components["schemas"]["RelayUrl"];
            /** @description Where the service is reached there; absent while it is not. */
            public_url?: string;
            /** @description What visitors go without there, where the relay is of an earlier release and serves; else absent. */
            compat?: string;
            /** @description It stands in the configuration; else it was discovered. */
            explicit: boolean;
            /** @description It is in use, and does not serve yet or at the moment. */
            connecting: boolean;
            /** @description The name first, then a TCP and a UDP port, those that the service has; absent while it is not reached there. */
            public_urls?: string[];
            /** @description How long it took to answer, lately; in milliseconds. */
            latency_ms?: number;
            /** @description Version of the protocol, as its descriptor says; this and the next four are absent while nothing is known of it. */
            version?: string;
            /** @description It is in the configuration of a service with `discovery`, and others are found through it. */
            bootstrap?: boolean;
            /** @description It was left for good, because it intercepts visitors' TLS or refuses the tunnel. */
            banned?: boolean;
            /** @description It takes part in paths of several relays. */
            supports_overlay?: boolean;
            /** @description It leases UDP ports. */
            supports_udp?: boolean;
            /** @description It leases TCP ports. */
            supports_tcp?: boolean;
        };
        Tunnel: {
            id: components["schemas"]["ServiceId"];
            /** @description First label of its public name, or its domain; absent while it is derived from an identity that is not known yet. */
            name?: components["schemas"]["NameInput"];
            /** @description Address of the identity that leases the name; absent before it was first used. */
            address?: components["schemas"]["Address"];
            /**
             * @description `starting`: it is not reached yet. `running`: it is reached at one relay at least. `error`: it has ended, or the relays refuse it; `last_error` says why.
             *     `stopped`: somebody has stopped it.
             * @enum {string}
             */
            state: "starting" | "running" | "error" | "stopped";
            target_addr?: components["schemas"]["Target"];
            /** @description The last fault; absent when there was none since it was started or has served. */
            last_error?: string;
            /** @description Its requests and responses are kept in memory, and can be read. */
            inspected: boolean;
            /** @description End of the certificate that visitors see, the earliest of those in use; absent without one. */
            certificate_expires_at?: components["schemas"]["Timestamp"];
            traffic: components["schemas"]["Traffic"];
            /** @description How many relays it uses at once, where that is set. */
            max_active_relays?: number;
            metadata?: components["schemas"]["Metadata"];
            /** @description The relays of its path, the entry first; empty without one, and for one that is chosen by number. */
            multi_hop: components["schemas"]["RelayUrl"][];
            /** @description The relays that it was given, and those in use. */
            relays: components["schemas"]["TunnelRelay"][];
        };
        Status: {
            /** @description The configuration file. */
            config_path: string;
            /** @description Where this API is. */
            control_addr: components["schemas"]["ControlAddress"];
            /** @description When the agent was started. */
            started_at: components["schemas"]["Timestamp"];
            /** @description Release of the agent's program. */
            version: string;
            /** @description Why the configuration file, as it is now, is not followed; absent when it is. */
            config_error?: string;
            /** @description The wallet that asks, signed in by a cookie. */
            wallet_address?: components["schemas"]["Address"];
            /** @description What people should know, the oldest first, since the agent was started; the last 100. */
            notices: components["schemas"]["Notice"][];
            /** @description The services, in the order of the configuration. */
            tunnels: components["schemas"]["Tunnel"][];
        };
        StatusAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["Status"];
            /** @description Absent or null on success. */
            error?: null;
        };
        /** @constant */
        Failed: false;
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
        /** @description The relay failed. Its cause is in the relay's log, never in the answer. */
        InternalError: {
            /** @constant */
            code: "internal";
            /** @description For people; may change at any time. */
            message: string;
        };
        InternalFailure: {
            ok: components["schemas"]["Failed"];
            error: components["schemas"]["InternalError"];
        };
        Configuration: {
            /** @description The configuration file. */
            config_path: string;
            /** @description Why the file, as it is now, is not followed; what is in force is then what was read before. */
            config_error?: string;
            /** @description The wallets that may look. */
            allowed_wallets: components["schemas"]["Address"][];
            /** @description Where notices go, beside the log and the dashboards. */
            notifies: ("command" | "webhook")[];
            services: {
                id: components["schemas"]["ServiceId"];
                settings: {
                    /** @description Its key in the file. */
                    name: string;
                    /** @description As it stands in the file. */
                    value: string | number | boolean | string[];
                    /**
                     * @description `service`: its own table. `file`: the top level. `default`: the name that its key gives it.
                     * @enum {string}
                     */
                    from: "service" | "file" | "default";
                }[];
            }[];
        };
        ConfigurationAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["Configuration"];
            /** @description Absent or null on success. */
            error?: null;
        };
        /** @description Server-sent events. */
        EventStream: string;
        Accepted: {
            /** @constant */
            accepted: true;
        };
        AcceptedAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["Accepted"];
            /** @description Absent or null on success. */
            error?: null;
        };
        NewTunnel: {
            id?: components["schemas"]["ServiceId"];
            /** @description First label of its public name; by default the `id`. */
            name?: components["schemas"]["NameInput"];
            target_addr: components["schemas"]["Target"];
            /** @description Its relays; by default those of the top level of the configuration. */
            relays?: components["schemas"]["RelayUrl"][];
        };
        TunnelAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["Tunnel"];
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
        InvalidBodyFailure: {
            ok: components["schemas"]["Failed"];
            error: components["schemas"]["InvalidJsonError"] | components["schemas"]["InvalidRequestError"];
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
        TunnelChange: {
            target_addr?: components["schemas"]["Target"];
            /** @description Keep its last requests in memory, to be read and sent again. */
            inspect?: boolean;
            /** @description How many relays it uses at once. */
            max_active_relays?: number | null;
            /** @description What the relays list; replaced as a whole. */
            metadata?: components["schemas"]["Metadata"] | null;
        };
        LogLine: {
            time: components["schemas"]["Timestamp"];
            /** @description Kind of the event, as in the output of `portal expose --json`. */
            event: string;
            /** @description One line for people. */
            message: string;
            /** @description The relay that it is about. */
            relay?: components["schemas"]["RelayUrl"];
        };
        Log: {
            /** @description The last 500 at most. */
            lines: components["schemas"]["LogLine"][];
        };
        LogAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["Log"];
            /** @description Absent or null on success. */
            error?: null;
        };
        RelayChoice: {
            relay_url: components["schemas"]["RelayUrl"];
        };
        Path: {
            /** @description Two or three relays, the entry first. */
            relays: components["schemas"]["RelayUrl"][];
        };
        RequestLine: {
            /** @description Number of the request, of one service since the agent was started. */
            id: number;
            started_at: components["schemas"]["Timestamp"];
            method: string;
            /** @description Path and query; secrets in the query are masked. */
            target: string;
            /** @description Of the response; absent before there is one, and when there was none. */
            status?: number;
            /** @description Until the response was complete; absent before. */
            took_ms?: number;
            /** @description Media type of the response. */
            type?: string;
            /** @description Length of the response's body. */
            bytes?: number;
            /** @description The visitor's IP address, where it is known. */
            address?: string;
            /** @description Why the response is not complete. */
            error?: string;
            /** @description The request that this one repeats. */
            repeats?: number;
            /** @description WebSocket messages. */
            messages?: number;
        };
        RequestList: {
            /** @description Whether more of each can be read. */
            inspected: boolean;
            /** @description The last ones, the oldest first. */
            requests: components["schemas"]["RequestLine"][];
        };
        RequestListAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["RequestList"];
            /** @description Absent or null on success. */
            error?: null;
        };
        Message: {
            /** @description Header fields, pairs of name and value. */
            fields: string[][];
            body: {
                /** @description Media type. */
                type: string;
                /** @description Bytes, as they came. */
                length: number;
                /** @description Only the beginning was kept. */
                is_cut: boolean;
                text?: string;
                /** @description A picture, or other bytes. */
                base64?: string;
            };
        };
        SocketMessage: {
            /**
             * @description From the visitor, or to it.
             * @enum {string}
             */
            direction: "in" | "out";
            /** @enum {string} */
            kind: "text" | "binary" | "close" | "ping" | "pong";
            length: number;
            /** @description Its beginning; of bytes, hexadecimal digits. */
            text: string;
            time: components["schemas"]["Timestamp"];
        };
        /** @description A request and its response. Bodies are decoded (gzip, deflate, br); the first 256 KiB of each are kept. */
        Request: components["schemas"]["RequestLine"] & {
            /** @description Until the head of the response. */
            waited_ms?: number;
            request: components["schemas"]["Message"];
            response?: components["schemas"]["Message"] & {
                reason?: string;
                /** @description The agent has answered, not the service. */
                is_local?: boolean;
            };
            socket_messages: components["schemas"]["SocketMessage"][];
            /** @description A shell command that sends the request again. */
            curl: string;
        };
        RequestAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["Request"];
            /** @description Absent or null on success. */
            error?: null;
        };
        Replay: {
            method?: string;
            /** @description Path and query. */
            target?: string;
            /** @description Header fields, pairs of name and value. A masked value stays what it was. */
            fields?: string[][];
            body?: string;
        };
        /** @description HTTP Archive 1.2. */
        Archive: {
            log: {
                /** @constant */
                version: "1.2";
                creator?: {
                    [key: string]: string;
                };
                entries: Record<string, never>[];
            };
        };
        /**
         * @description Ethereum address, any case.
         * @example 0xdb2f216439001033ebbe995570b66dff5b17361d
         */
        AddressInput: string;
        ChallengeRequest: {
            address: components["schemas"]["AddressInput"];
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
        /** @description Signature of the message's bytes by `personal_sign` (EIP-191), 65 bytes `r || s || v`, 0x and hex. Plain accounts only. */
        SiweSignature: string;
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
        Nothing: Record<string, never>;
        NothingAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["Nothing"];
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
        PageLink: {
            /** @description To be opened once, in a browser on this machine. */
            url: string;
            expires_at: components["schemas"]["Timestamp"];
        };
        PageLinkAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["PageLink"];
            /** @description Absent or null on success. */
            error?: null;
        };
        PageCode: {
            /** @description What follows `#code=` in the link. */
            code: string;
        };
        PageToken: {
            /** @description For `Authorization`, as that of the endpoint file. */
            token: string;
            expires_at: components["schemas"]["Timestamp"];
        };
        PageTokenAnswer: {
            ok: components["schemas"]["Succeeded"];
            data: components["schemas"]["PageToken"];
            /** @description Absent or null on success. */
            error?: null;
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
        /** @description The wallet may not come in here. */
        WalletForbidden: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/json": components["schemas"]["UnauthorizedFailure"];
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
    };
    parameters: {
        /**
         * @description Key of the service in the configuration.
         * @example shop
         */
        Id: components["schemas"]["ServiceId"];
        /**
         * @description Number of a request, as it is listed.
         * @example 7
         */
        RequestId: number;
        /**
         * @description Show what is masked otherwise; for a token alone, and `unauthorized` for a wallet.
         * @example masked
         */
        Secrets: "masked" | "shown";
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
    getAgentStatus: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The status now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StatusAnswer"];
                };
            };
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Internal"];
        };
    };
    getAgentConfiguration: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The configuration. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ConfigurationAnswer"];
                };
            };
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Internal"];
        };
    };
    followAgent: {
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
                    "text/event-stream": components["schemas"]["EventStream"];
                };
            };
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Internal"];
        };
    };
    shutDownAgent: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is going down. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AcceptedAnswer"];
                };
            };
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Internal"];
        };
    };
    addTunnel: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewTunnel"];
            };
        };
        responses: {
            /** @description The service as it is now; what it does to get there shows in its state. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TunnelAnswer"];
                };
            };
            400: components["responses"]["InvalidBody"];
            401: components["responses"]["Unauthorized"];
            413: components["responses"]["BodyTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            500: components["responses"]["Internal"];
        };
    };
    removeTunnel: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is gone from the configuration. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AcceptedAnswer"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["Unauthorized"];
            404: components["responses"]["NotFound"];
            500: components["responses"]["Internal"];
        };
    };
    changeTunnel: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TunnelChange"];
            };
        };
        responses: {
            /** @description The service as it is now; what it does to get there shows in its state. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TunnelAnswer"];
                };
            };
            400: components["responses"]["InvalidBody"];
            401: components["responses"]["Unauthorized"];
            404: components["responses"]["NotFound"];
            413: components["responses"]["BodyTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            500: components["responses"]["Internal"];
        };
    };
    startTunnel: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The service as it is now; what it does to get there shows in its state. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TunnelAnswer"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["Unauthorized"];
            404: components["responses"]["NotFound"];
            500: components["responses"]["Internal"];
        };
    };
    stopTunnel: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The service as it is now; what it does to get there shows in its state. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TunnelAnswer"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["Unauthorized"];
            404: components["responses"]["NotFound"];
            500: components["responses"]["Internal"];
        };
    };
    restartTunnel: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The service as it is now; what it does to get there shows in its state. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TunnelAnswer"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["Unauthorized"];
            404: components["responses"]["NotFound"];
            500: components["responses"]["Internal"];
        };
    };
    getTunnelLog: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The last lines. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogAnswer"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["Unauthorized"];
            404: components["responses"]["NotFound"];
            500: components["responses"]["Internal"];
        };
    };
    followTunnelLog: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Lines, without end. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": components["schemas"]["EventStream"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["Unauthorized"];
            404: components["responses"]["NotFound"];
            500: components["responses"]["Internal"];
        };
    };
    addTunnelRelay: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RelayChoice"];
            };
        };
        responses: {
            /** @description The service as it is now; what it does to get there shows in its state. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TunnelAnswer"];
                };
            };
            400: components["responses"]["InvalidBody"];
            401: components["responses"]["Unauthorized"];
            404: components["responses"]["NotFound"];
            413: components["responses"]["BodyTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            500: components["responses"]["Internal"];
        };
    };
    removeTunnelRelay: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RelayChoice"];
            };
        };
        responses: {
            /** @description The service as it is now; what it does to get there shows in its state. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TunnelAnswer"];
                };
            };
            400: components["responses"]["InvalidBody"];
            401: components["responses"]["Unauthorized"];
            404: components["responses"]["NotFound"];
            413: components["responses"]["BodyTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            500: components["responses"]["Internal"];
        };
    };
    setTunnelPath: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Path"];
            };
        };
        responses: {
            /** @description The service as it is now; what it does to get there shows in its state. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TunnelAnswer"];
                };
            };
            400: components["responses"]["InvalidBody"];
            401: components["responses"]["Unauthorized"];
            404: components["responses"]["NotFound"];
            413: components["responses"]["BodyTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            500: components["responses"]["Internal"];
        };
    };
    clearTunnelPath: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The service as it is now; what it does to get there shows in its state. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TunnelAnswer"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["Unauthorized"];
            404: components["responses"]["NotFound"];
            500: components["responses"]["Internal"];
        };
    };
    listTunnelRequests: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The last requests. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RequestListAnswer"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["Unauthorized"];
            404: components["responses"]["NotFound"];
            500: components["responses"]["Internal"];
        };
    };
    clearTunnelRequests: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description They are forgotten. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AcceptedAnswer"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["Unauthorized"];
            404: components["responses"]["NotFound"];
            500: components["responses"]["Internal"];
        };
    };
    getTunnelRequest: {
        parameters: {
            query?: {
                /**
                 * @description Show what is masked otherwise; for a token alone, and `unauthorized` for a wallet.
                 * @example masked
                 */
                secrets?: components["parameters"]["Secrets"];
            };
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
                /**
                 * @description Number of a request, as it is listed.
                 * @example 7
                 */
                request: components["parameters"]["RequestId"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The request. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RequestAnswer"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["Unauthorized"];
            404: components["responses"]["NotFound"];
            500: components["responses"]["Internal"];
        };
    };
    replayTunnelRequest: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
                /**
                 * @description Number of a request, as it is listed.
                 * @example 7
                 */
                request: components["parameters"]["RequestId"];
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Replay"];
            };
        };
        responses: {
            /** @description It is on its way. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AcceptedAnswer"];
                };
            };
            400: components["responses"]["InvalidBody"];
            401: components["responses"]["Unauthorized"];
            404: components["responses"]["NotFound"];
            413: components["responses"]["BodyTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            500: components["responses"]["Internal"];
        };
    };
    followTunnelTraffic: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Requests, without end. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": components["schemas"]["EventStream"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["Unauthorized"];
            404: components["responses"]["NotFound"];
            500: components["responses"]["Internal"];
        };
    };
    exportTunnelRequests: {
        parameters: {
            query?: {
                /**
                 * @description Show what is masked otherwise; for a token alone, and `unauthorized` for a wallet.
                 * @example masked
                 */
                secrets?: components["parameters"]["Secrets"];
            };
            header?: never;
            path: {
                /**
                 * @description Key of the service in the configuration.
                 * @example shop
                 */
                id: components["parameters"]["Id"];
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description An archive. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Archive"];
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["Unauthorized"];
            404: components["responses"]["NotFound"];
            500: components["responses"]["Internal"];
        };
    };
    createAgentChallenge: {
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
            403: components["responses"]["WalletForbidden"];
            413: components["responses"]["BodyTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["RateLimited"];
            500: components["responses"]["Internal"];
        };
    };
    loginAgent: {
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
            /** @description Signed in. */
            200: {
                headers: {
                    /** @description The session, for 24 hours at most and until the agent ends. */
                    "Set-Cookie": string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LoginAnswer"];
                };
            };
            400: components["responses"]["InvalidBody"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["WalletForbidden"];
            413: components["responses"]["BodyTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["RateLimited"];
            500: components["responses"]["Internal"];
        };
    };
    logoutAgent: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description There is no session now. */
            200: {
                headers: {
                    /** @description Removes the cookie. */
                    "Set-Cookie": string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NothingAnswer"];
                };
            };
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Internal"];
        };
    };
    getAgentLoginStatus: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Whether a wallet is signed in. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AdminStatusAnswer"];
                };
            };
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Internal"];
        };
    };
    createAgentLink: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A link. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageLinkAnswer"];
                };
            };
            401: components["responses"]["Unauthorized"];
            500: components["responses"]["Internal"];
        };
    };
    redeemAgentLink: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PageCode"];
            };
        };
        responses: {
            /** @description A token. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PageTokenAnswer"];
                };
            };
            400: components["responses"]["InvalidBody"];
            401: components["responses"]["Unauthorized"];
            413: components["responses"]["BodyTooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["RateLimited"];
            500: components["responses"]["Internal"];
        };
    };
}
