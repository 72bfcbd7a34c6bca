import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { Request, Response } from 'express';
import { ApiError } from '../../../contract/index.js';
import { send } from './sending.js';

const types: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
};

interface BuiltFile {
  type: string;
  plain: Buffer;
  /** Absent for what is compressed by itself. */
  compressed: Buffer | undefined;
}

/** Files of one folder that the build has made. Each is read when it is first asked for, and kept. */
export class BuiltFiles {
  /** Names are looked up, never made to a path. */
  readonly #names: ReadonlySet<string>;
  readonly #held = new Map<string, BuiltFile>();

  constructor(private readonly folder: URL) {
    this.#names = new Set(existsSync(folder) ? readdirSync(fileURLToPath(folder)) : []);
  }

  /** Answers with a file, compressed for those who take that. @throws ApiError `not_found` */
  send(request: Request, response: Response, name: string, caching: string): void {
    if (!this.#names.has(name)) throw new ApiError('not_found', 'there is no such page or file');
    let file = this.#held.get(name);
    if (file === undefined) this.#held.set(name, (file = this.#read(name)));
    const compressed = request.acceptsEncodings('gzip', 'identity') === 'gzip' ? file.compressed : undefined;
    response.set({ 'Content-Type': file.type, Vary: 'Accept-Encoding' });
    if (compressed) response.set('Content-Encoding', 'gzip');
    send(request, response, compressed ?? file.plain, caching);
  }

  #read(name: string): BuiltFile {
    const plain = readFileSync(new URL(name, this.folder));
    const type = types[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream';
    return { type, plain, compressed: name.endsWith('.png') ? undefined : gzipSync(plain) };
  }
}
