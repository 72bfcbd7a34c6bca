import { Writable } from 'node:stream';
import { pino, type Logger } from 'pino';

export type { Logger };

export const logLevels = ['silent', 'error', 'warn', 'info', 'debug', 'trace'] as const;
export type LogLevel = (typeof logLevels)[number];

/**
 * The relay's log: one JSON object per line, or plain text on a terminal (`pretty`). Properties with the name of a
 * credential are redacted as a last line of defence; callers must not pass credentials.
 */
export function createLogger(level: LogLevel, stream: NodeJS.WriteStream = process.stderr): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: ['token', 'access_token', 'private_key', 'signature', 'siwe_signature', 'headers'],
  };
  return pino(options, stream.isTTY ? plainLines(stream) : stream);
}

function plainLines(out: NodeJS.WritableStream): Writable {
  return new Writable({
    decodeStrings: false,
    write(line: string, _encoding, done) {
      const { level, time, msg, err, ...fields } = JSON.parse(line) as Record<string, unknown>;
      const details = Object.entries(fields).map(
        ([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
      );
      const cause = err ? `\n  ${(err as { stack?: string; message: string }).stack ?? (err as Error).message}` : '';
      out.write(`${String(time).slice(11, 23)} ${String(level).padEnd(5)} ${String(msg)}${details.join('')}${cause}\n`);
      done();
    },
  });
}
