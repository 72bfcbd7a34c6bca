/** Header and protocol names that relay and tunnel use in HTTP and TLS (docs/protocol.md). */
export const portalHeaders = {
  accessToken: 'X-Portal-Access-Token',
  /** `1`: a binding follows the marker of tenant TLS. */
  binding: 'X-Portal-Binding',
  /** `2`: a PROXY protocol v2 header comes before the visitor's bytes. */
  proxy: 'X-Portal-Proxy',
  /** `1`: the session serves several connections in turn, in frames. */
  recycle: 'X-Portal-Recycle',
  /** `1`: handshakes are signed inside the session. */
  sign: 'X-Portal-Sign',
  /** `1`: the session may be unwrapped (TLS taken off). */
  unwrap: 'X-Portal-Unwrap',
  /** Signing address of the relay whose API is wanted, through the overlay. */
  peer: 'X-Portal-Peer',
} as const;

/** The value of `Upgrade`, and the ALPN of a connection that may be unwrapped. */
export const reverseProtocol = 'portal-reverse';
/** Subprotocol of a WebSocket that leads to another relay's API. */
export const peerProtocol = 'portal.peer';
/** ALPN of a QUIC connection that carries datagrams. */
export const quicAlpn = 'portal-tunnel';
