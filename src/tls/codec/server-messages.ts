/** The handshake messages a server sends, each with its 4-byte header. */
import { randomBytes } from 'node:crypto';
import { extensionType, handshakeType, helloRetryRequestRandomHex, tls12, tls13 } from './constants.js';
import { Writer } from './writer.js';

const helloRetryRequestRandom = Buffer.from(helloRetryRequestRandomHex, 'hex');

function message(type: number, body: (writer: Writer) => void, capacity?: number): Buffer {
  return new Writer(capacity).uint8(type).vector(3, body).finish();
}

function extension(writer: Writer, type: number, data: (writer: Writer) => void): void {
  writer.uint16(type).vector(2, data);
}

function serverHello(random: Buffer, sessionId: Buffer, suite: number, extensions: (writer: Writer) => void): Buffer {
  return message(handshakeType.serverHello, (writer) => {
    writer.uint16(tls12).bytes(random);
    writer.vector(1, (w) => w.bytes(sessionId));
    writer.uint16(suite).uint8(0);
    writer.vector(2, (w) => {
      extension(w, extensionType.supportedVersions, (data) => data.uint16(tls13));
      extensions(w);
    });
  });
}

/** RFC 8446 4.1.4, asking for a share of `group`. */
export function encodeHelloRetryRequest(sessionId: Buffer, suite: number, group: number): Buffer {
  return serverHello(helloRetryRequestRandom, sessionId, suite, (writer) => {
    extension(writer, extensionType.keyShare, (data) => data.uint16(group));
  });
}

/** RFC 8446 4.1.3. `selectedPsk` is the index of the pre-shared key in use. */
export function encodeServerHello(
  sessionId: Buffer,
  suite: number,
  group: number,
  share: Buffer,
  selectedPsk?: number,
): Buffer {
  return serverHello(randomBytes(32), sessionId, suite, (writer) => {
    extension(writer, extensionType.keyShare, (data) => data.uint16(group).vector(2, (w) => w.bytes(share)));
    if (selectedPsk !== undefined) extension(writer, extensionType.preSharedKey, (data) => data.uint16(selectedPsk));
  });
}

/** RFC 8446 4.3.1. */
export function encodeEncryptedExtensions(alpn: string | undefined, acknowledgeServerName: boolean): Buffer {
  return message(handshakeType.encryptedExtensions, (writer) => {
    writer.vector(2, (list) => {
      if (acknowledgeServerName) extension(list, extensionType.serverName, () => undefined);
      if (alpn !== undefined) {
        extension(list, extensionType.applicationLayerProtocolNegotiation, (data) => {
          data.vector(2, (names) => names.vector(1, (name) => name.bytes(Buffer.from(alpn, 'latin1'))));
        });
      }
    });
  });
}

/** RFC 8446 4.4.2, DER certificates leaf first. */
export function encodeCertificate(chain: readonly Buffer[]): Buffer {
  const capacity = chain.reduce((sum, certificate) => sum + certificate.length + 5, 8);
  return message(
    handshakeType.certificate,
    (writer) => {
      writer.uint8(0).vector(3, (list) => {
        for (const certificate of chain) list.vector(3, (entry) => entry.bytes(certificate)).uint16(0);
      });
    },
    capacity,
  );
}

/** RFC 8446 4.4.3. */
export function encodeCertificateVerify(scheme: number, signature: Buffer): Buffer {
  return message(handshakeType.certificateVerify, (writer) => {
    writer.uint16(scheme).vector(2, (w) => w.bytes(signature));
  });
}

/** RFC 8446 4.4.4. */
export function encodeFinished(verifyData: Buffer): Buffer {
  return message(handshakeType.finished, (writer) => writer.bytes(verifyData), 64);
}

/** RFC 8446 4.6.1, without extensions: no early data. */
export function encodeNewSessionTicket(lifetimeSeconds: number, ageAdd: number, nonce: Buffer, ticket: Buffer): Buffer {
  return message(handshakeType.newSessionTicket, (writer) => {
    writer.uint32(lifetimeSeconds).uint32(ageAdd);
    writer.vector(1, (w) => w.bytes(nonce)).vector(2, (w) => w.bytes(ticket));
    writer.uint16(0);
  });
}

/** RFC 8446 4.6.3. */
export function encodeKeyUpdate(requestPeer: boolean): Buffer {
  return message(handshakeType.keyUpdate, (writer) => writer.uint8(requestPeer ? 1 : 0), 8);
}
