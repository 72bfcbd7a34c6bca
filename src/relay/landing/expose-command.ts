/** What a reader wants to expose. */
export interface CommandWish {
  kind: 'web' | 'folder' | 'tcp' | 'udp';
  port: number;
  name?: string | undefined;
}

/**
 * The options that name a relay, as shell words.
 * @param caFile set when the relay's certificate is not from a well-known CA
 */
export function relayWords(relay: string, caFile: string | undefined): string {
  return ['--relay', relay, ...(caFile === undefined ? [] : ['--ca', caFile])].map(quoted).join(' ');
}

/** The shell command that exposes a service. The page's script makes the same of what is typed. */
export function exposeCommand({ kind, port, name = '' }: CommandWish, relay: string): string {
  const what = { web: `${port}`, folder: './dist', tcp: `--tcp ${port}`, udp: `--udp ${port}` }[kind];
  return ['portal expose', what, ...(name === '' ? [] : [`--name ${name.toLowerCase()}`]), relay].join(' ');
}

const quoted = (word: string) => (/^[\w./:@-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);
