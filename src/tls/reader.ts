import { TlsAlertError } from './alerts.js';

/** Reads the TLS presentation language (RFC 8446 3) from a buffer, without copying. Running short is `decode_error`. */
export class Reader {
  #at = 0;

  constructor(private readonly bytes: Buffer) {}

  get left(): number {
    return this.bytes.length - this.#at;
  }

  uint8(): number {
    return this.take(1)[0] as number;
  }

  uint16(): number {
    return this.take(2).readUInt16BE();
  }

  uint24(): number {
    return this.take(3).readUIntBE(0, 3);
  }

  uint32(): number {
    return this.take(4).readUInt32BE();
  }

  take(length: number): Buffer {
    if (length > this.left) throw new TlsAlertError('decode_error', 'the message is too short');
    const at = this.#at;
    this.#at += length;
    return this.bytes.subarray(at, this.#at);
  }

  /** A vector with a length of 1, 2 or 3 bytes in front. */
  vector8(): Buffer {
    return this.take(this.uint8());
  }

  vector16(): Buffer {
    return this.take(this.uint16());
  }

  vector24(): Buffer {
    return this.take(this.uint24());
  }

  end(): void {
    if (this.left > 0) throw new TlsAlertError('decode_error', 'the message is too long');
  }
}

/** Reads all of `bytes` with `read`, item after item. */
export function readList<T>(bytes: Buffer, read: (reader: Reader) => T): T[] {
  const reader = new Reader(bytes);
  const items: T[] = [];
  while (reader.left > 0) items.push(read(reader));
  return items;
}
