/**
 * Arguments that make Chromium use only its proxy: no DNS lookups, no UDP (QUIC, WebRTC), no background traffic.
 * @param trustedKey base64 SHA-256 of a public key whose certificates count as valid
 */
export function browserArguments(trustedKey: string | undefined): string[] {
  return [
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    '--disable-quic',
    '--force-webrtc-ip-handling-policy=disable_non_proxied_udp',
    '--webrtc-ip-handling-policy=disable_non_proxied_udp',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--no-first-run',
    '--no-pings',
    '--disable-gpu',
    '--mute-audio',
    '--block-new-web-contents',
    ...(trustedKey === undefined ? [] : [`--ignore-certificate-errors-spki-list=${trustedKey}`]),
  ];
}
