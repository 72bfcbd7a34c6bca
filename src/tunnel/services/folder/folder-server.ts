import { promises as fs, type ReadStream, statSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { basename, isAbsolute, join, relative, resolve, sep } from 'node:path';
import send from 'send';
import { systemCode, UsageError } from '../../../sdk/calls/errors.js';
import { listingPage } from './listing-page.js';

/** Most entries of one listing. */
const maxListed = 1_000;

export interface FolderOptions {
  /** A path without a file gets `index.html` of the folder itself: the client-side routes of a single-page app. */
  spa?: boolean | undefined;
  /** A folder without `index.html` is listed. */
  listing?: boolean | undefined;
}

/** Where a request's path leads. Paths are real ones: no symbolic link is left in them. */
type Place = { file: string } | { directory: string } | 'missing' | 'forbidden';

/**
 * Serves the files of a folder. Nothing outside of it is served, also not by a symbolic link, and no file or folder whose
 * name begins with a dot, except for `.well-known` (RFC 8615).
 */
export class FolderServer {
  readonly #path: string;

  /** @throws UsageError when it is not a folder that can be read */
  constructor(
    readonly folder: string,
    private readonly options: FolderOptions = {},
  ) {
    try {
      this.#path = resolve(folder);
      if (!statSync(this.#path).isDirectory()) throw new UsageError(`target ${folder} is not a folder`);
    } catch (error) {
      if (error instanceof UsageError) throw error;
      throw new UsageError(`target ${folder} cannot be read (${systemCode(error)})`, { cause: error });
    }
  }

  /** Answers one request. @param url the path and query, when they are not the request's own. Never rejects. */
  async serve(request: IncomingMessage, response: ServerResponse, url = request.url ?? '/'): Promise<void> {
    try {
      await this.#serve(request, response, url);
    } catch {
      answer(response, 500, 'This file cannot be read.\n');
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse, url: string): Promise<void> {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      return answer(response, 405, 'Files can only be read.\n');
    }
    // The folder itself may be a link that leads elsewhere from the next release on.
    const root = await fs.realpath(this.#path);
    const [rawPath = '/', ...query] = url.split('?');
    const path = decodePath(rawPath);
    if (path === undefined) return answer(response, 400, 'This path is not valid.\n');
    // A link may have a name that begins with a dot, and lead to a file whose name does not.
    const place = isHidden(path.split(/[/\\]/)) ? 'missing' : await find(root, path);
    if (place === 'forbidden') return answer(response, 403, 'This file may not be read.\n');
    if (place !== 'missing' && 'file' in place) return sendFile(request, response, root, place.file);
    if (place !== 'missing') {
      if (!path.endsWith('/')) return redirect(response, `${lastSegment(rawPath)}/${['', ...query].join('?')}`);
      const index = await find(root, `${path}index.html`);
      if (typeof index === 'object' && 'file' in index) return sendFile(request, response, root, index.file);
      if (this.options.listing) return this.#list(response, path, place.directory);
    }
    if (this.options.spa && wantsPage(request, path)) {
      const index = await find(root, '/index.html');
      if (typeof index === 'object' && 'file' in index) return sendFile(request, response, root, index.file);
    }
    answer(response, 404, 'There is no such file.\n');
  }

  async #list(response: ServerResponse, path: string, directory: string): Promise<void> {
    const names: string[] = [];
    let isCut = false;
    for await (const entry of await fs.opendir(directory)) {
      if (isHidden([entry.name])) continue;
      isCut = names.length === maxListed;
      if (isCut) break;
      names.push(entry.isDirectory() ? `${entry.name}/` : entry.name);
    }
    const page = listingPage(path, names.sort(), isCut);
    response.writeHead(200, {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Length': Buffer.byteLength(page),
      'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'",
      'Cache-Control': 'no-cache',
    });
    response.end(page);
  }
}

/** Errors that say that a path leads nowhere. */
const nowhere = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'EINVAL']);

/** @throws the system's error when the file cannot be looked at for another reason, such as EMFILE */
async function find(root: string, path: string): Promise<Place> {
  try {
    const real = await fs.realpath(join(root, path));
    if (!isInside(root, real)) return 'missing';
    const stat = await fs.stat(real);
    if (stat.isDirectory()) return { directory: real };
    // A named pipe or a device would be read without end.
    return stat.isFile() && !path.endsWith('/') ? { file: real } : 'missing';
  } catch (error) {
    const code = systemCode(error) ?? '';
    if (nowhere.has(code)) return 'missing';
    if (code === 'EACCES' || code === 'EPERM') return 'forbidden';
    throw error;
  }
}

/** Also of a link's target, names that begin with a dot stay hidden. */
function isInside(root: string, real: string): boolean {
  const within = relative(root, real);
  if (within === '') return true;
  return within !== '..' && !within.startsWith(`..${sep}`) && !isAbsolute(within) && !isHidden(within.split(sep));
}

function sendFile(request: IncomingMessage, response: ServerResponse, root: string, file: string): void {
  response.setHeader('X-Content-Type-Options', 'nosniff');
  const path = relative(root, file).split(sep).map(encodeURIComponent).join('/');
  send(request, `/${path}`, { root, dotfiles: 'allow', index: false, cacheControl: false })
    // boundary: it only sets a header.
    .on('headers', (headed: ServerResponse) => void headed.setHeader('Cache-Control', 'no-cache'))
    // boundary: it only ends the response.
    .on('stream', (stream: ReadStream) => {
      // The file has become shorter meanwhile: the next response would be read as its rest.
      stream.once('end', () => {
        if (stream.bytesRead < Number(response.getHeader('content-length'))) response.destroy();
      });
    })
    // boundary: it only answers.
    .on('error', (error: NodeJS.ErrnoException & { status?: number }) => failed(response, error.status))
    .pipe(response);
}

/** @returns undefined for a path that names no file */
function decodePath(raw: string): string | undefined {
  let path: string;
  try {
    path = decodeURIComponent(raw);
  } catch {
    return undefined;
  }
  const isValid = path.startsWith('/') && !path.includes('\0') && !path.split(/[/\\]/).includes('..');
  return isValid ? path : undefined;
}

function isHidden(segments: string[]): boolean {
  return segments.some((segment) => segment.startsWith('.') && segment !== '.well-known');
}

/** The page of a single-page app is for navigations, not for its missing scripts and pictures. */
function wantsPage({ headers }: IncomingMessage, path: string): boolean {
  return (headers.accept ?? '').includes('text/html') && !basename(path).includes('.');
}

/** Relative, so that it leads nowhere else, whatever the path. */
function lastSegment(rawPath: string): string {
  return `./${rawPath.slice(rawPath.lastIndexOf('/') + 1)}`;
}

function redirect(response: ServerResponse, location: string): void {
  response.setHeader('Location', location);
  answer(response, 301, `See ${location}\n`);
}

/** `send` has found out more than the path said: a wrong range or precondition, or that the file is gone. */
function failed(response: ServerResponse, status = 500): void {
  const texts: Record<number, string> = {
    404: 'There is no such file.\n',
    412: 'The file has changed.\n',
    416: 'The file has no such range.\n',
  };
  answer(response, status, texts[status] ?? 'This file cannot be read.\n');
}

function answer(response: ServerResponse, status: number, text: string): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-store',
  });
  response.end(text);
}
