/** A relay's connection that is idle for this long is probed by TCP: a peer that vanished would hold it for ever. */
export const relayKeepAliveMs = 60_000;
/** The same for a tunnel's connections, which often pass a NAT that forgets idle ones. */
export const tunnelKeepAliveMs = 30_000;
