/**
 * TCP keepalive interval of a relay's idle connections: without it a vanished peer would hold a connection for ever.
 */
export const relayKeepAliveMs = 60_000;
/** The same for a tunnel's connections, which often pass a NAT with a short idle timeout. */
export const tunnelKeepAliveMs = 30_000;
