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
         * @description The agent and all services, in the order of the configuration.
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
    "/v1/agent/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow what the agent does
         * @description Server-sent events: `tunnel` with a service (schema `Tunnel`), first of all services and then of each that changes; `removed` with `{"id": …}`.
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
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        Success: {
            /** @constant */
            ok: true;
            /** @description What the operation answers with. */
            data: unknown;
            /** @description Absent or null on success. */
            error?: null;
        };
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
        /** @description Key of a service in the configuration, `[services.<id>]`. */
        ServiceId: string;
        /**
         * @description One DNS label, for a name under the relay's root host; or, with dots in it, a domain of one's own, which its TXT record must prove to belong
         *     to the identity (`registerLease`). Any case. Labels have 63 characters at most, and one that begins with `xn--` must be a valid
         *     internationalized one (UTS 46).
         * @example my-app
         * @example shop.example.com
         */
        NameInput: string;
        /**
         * @description Ethereum address with its EIP-55 checksum.
         * @example 0xDb2F216439001033EBBE995570B66dfF5b17361d
         */
        Address: string;
        /** @description What the service is, as `portal expose` takes it (`3000`, `http://localhost:3000`, `unix:/run/app.sock`, a folder). */
        Target: string;
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
        /** @description A relay, `https://host[:port]`. */
        RelayUrl: string;
        TunnelRelay: {
            relay_url: components["schemas"]["RelayUrl"];
            /** @description Where the service is reached there; absent while it is not. */
            public_url?: string;
            /** @description It stands in the configuration; else it was discovered. */
            explicit: boolean;
            /** @description It is in use, and does not serve yet or at the moment. */
            connecting: boolean;
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
            /** @description The services, in the order of the configuration. */
            tunnels: components["schemas"]["Tunnel"][];
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
        Failure: {
            /** @constant */
            ok: false;
            error: components["schemas"]["ErrorDetail"];
        };
        /** @description Server-sent events. */
        EventStream: string;
        Accepted: {
            /** @constant */
            accepted: true;
        };
        NewTunnel: {
            id?: components["schemas"]["ServiceId"];
            /** @description First label of its public name; by default the `id`. */
            name?: components["schemas"]["NameInput"];
            target_addr: components["schemas"]["Target"];
            /** @description Its relays; by default those of the top level of the configuration. */
            relays?: components["schemas"]["RelayUrl"][];
        };
        TunnelChange: {
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
        RelayChoice: {
            relay_url: components["schemas"]["RelayUrl"];
        };
        Path: {
            /** @description Two or three relays, the entry first. */
            relays: components["schemas"]["RelayUrl"][];
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
    };
    parameters: {
        /**
         * @description Key of the service in the configuration.
         * @example shop
         */
        Id: components["schemas"]["ServiceId"];
    };
    requestBodies: never;
    headers: never;
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
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Status"];
                    };
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
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Accepted"];
                    };
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
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Tunnel"];
                    };
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
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Accepted"];
                    };
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
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Tunnel"];
                    };
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
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Tunnel"];
                    };
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
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Tunnel"];
                    };
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
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Tunnel"];
                    };
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
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Log"];
                    };
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
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Tunnel"];
                    };
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
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Tunnel"];
                    };
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
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Tunnel"];
                    };
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
                    "application/json": components["schemas"]["Success"] & {
                        data: components["schemas"]["Tunnel"];
                    };
                };
            };
            400: components["responses"]["InvalidRequest"];
            401: components["responses"]["Unauthorized"];
            404: components["responses"]["NotFound"];
            500: components["responses"]["Internal"];
        };
    };
}
