/** A target is a port or an address; `seconds` and `number` are integers. */
export type SettingKind = 'text' | 'texts' | 'number' | 'seconds' | 'switch' | 'target';

export interface ExposeSetting {
  kind: SettingKind;
  /** The flag without its dashes. `no-…` turns off a switch that is on by default. */
  flag?: string;
  /** Name of the flag's value in the help text. */
  argument?: string;
  env?: string;
  /**
   * Where the `--config` file may set it: only in a service, or also at the top level. Its key is the setting's name.
   */
  file?: 'service' | 'anywhere';
  /** Smallest value of a number. */
  least?: number;
  help: string;
}

/** Every setting of a service, by its key in the file of `--config`: the one place where a setting is added. */
export const exposeSettings = {
  target: { kind: 'target', file: 'service', help: '' },
  tcp: {
    kind: 'target',
    flag: 'tcp',
    argument: 'TARGET',
    env: 'PORTAL_TCP',
    file: 'service',
    help: 'what a public TCP port leads to, such as 22',
  },
  udp: {
    kind: 'target',
    flag: 'udp',
    argument: 'TARGET',
    env: 'PORTAL_UDP',
    file: 'service',
    help: 'what a public UDP port leads to, such as 53',
  },
  tcp_port: {
    kind: 'number',
    flag: 'tcp-port',
    argument: 'PORT',
    env: 'PORTAL_TCP_PORT',
    file: 'service',
    least: 1,
    help: 'the public port for --tcp, of the range that the relay has; reserved for five minutes when the tunnel is gone [any]',
  },
  udp_port: {
    kind: 'number',
    flag: 'udp-port',
    argument: 'PORT',
    env: 'PORTAL_UDP_PORT',
    file: 'service',
    least: 1,
    help: 'the public port for --udp, likewise [any]',
  },
  relays: {
    kind: 'texts',
    flag: 'relay',
    argument: 'URL',
    env: 'PORTAL_RELAY',
    file: 'anywhere',
    help: 'the relay, https://host[:port]; may be given several times, in the environment separated by commas: a public URL on each',
  },
  discovery: {
    kind: 'switch',
    flag: 'discovery',
    env: 'PORTAL_DISCOVERY',
    file: 'anywhere',
    help: 'also use relays that those know',
  },
  max_relays: {
    kind: 'number',
    flag: 'max-relays',
    argument: 'NUMBER',
    env: 'PORTAL_MAX_RELAYS',
    file: 'anywhere',
    least: 1,
    help: 'on how many relays at once; the others are spares [all that are given; with --discovery 3, if fewer are given]',
  },
  allow_private: {
    kind: 'switch',
    flag: 'allow-private',
    file: 'anywhere',
    help: 'with --discovery, also use relays on loopback and private addresses',
  },
  name: {
    kind: 'text',
    flag: 'name',
    argument: 'NAME',
    env: 'PORTAL_NAME',
    file: 'service',
    help: 'first label of the public name [derived from the identity]',
  },
  group: {
    kind: 'text',
    flag: 'group',
    argument: 'GROUP',
    env: 'PORTAL_GROUP',
    file: 'service',
    help: 'share the name with other tunnels of the same identity and group; without it, a second tunnel replaces the first',
  },
  identity: {
    kind: 'text',
    flag: 'identity',
    argument: 'FILE',
    env: 'PORTAL_IDENTITY',
    file: 'anywhere',
    help: 'the identity that leases the name; made when missing [~/.config/portal/identity.json]',
  },
  ca: {
    kind: 'text',
    flag: 'ca',
    argument: 'FILE',
    env: 'PORTAL_CA',
    file: 'anywhere',
    help: 'PEM certificates to trust for relays instead of the well-known ones',
  },
  carrier: {
    kind: 'text',
    flag: 'carrier',
    argument: 'KIND',
    env: 'PORTAL_CARRIER',
    file: 'anywhere',
    help: 'raw, ws, or auto: raw, and ws where a proxy lets only that through [auto]',
  },
  unwrap: {
    kind: 'switch',
    flag: 'no-unwrap',
    env: 'PORTAL_NO_UNWRAP',
    file: 'anywhere',
    help: "keep the TLS to the relay around raw sessions, although they only carry visitors' own TLS",
  },
  udp_carrier: {
    kind: 'text',
    flag: 'udp-carrier',
    argument: 'KIND',
    env: 'PORTAL_UDP_CARRIER',
    file: 'anywhere',
    help: 'ws, quic, or auto: quic where the relay has it, the package @currentspace/http3 is installed here and UDP gets through, otherwise ws [auto]',
  },
  ttl: {
    kind: 'seconds',
    flag: 'ttl',
    argument: 'SECONDS',
    env: 'PORTAL_TTL',
    file: 'anywhere',
    least: 1,
    help: "how long the lease lasts; it is renewed in time [the relay's default]",
  },
  description: {
    kind: 'text',
    flag: 'description',
    argument: 'TEXT',
    env: 'PORTAL_DESCRIPTION',
    file: 'service',
    help: "shown in the relay's listings, like the next four",
  },
  owner: { kind: 'text', flag: 'owner', argument: 'TEXT', env: 'PORTAL_OWNER', file: 'anywhere', help: '' },
  thumbnail: { kind: 'text', flag: 'thumbnail', argument: 'URL', env: 'PORTAL_THUMBNAIL', file: 'service', help: '' },
  tags: {
    kind: 'texts',
    flag: 'tag',
    argument: 'TEXT',
    env: 'PORTAL_TAGS',
    file: 'service',
    help: 'may be given several times; in the environment, separated by commas',
  },
  hide: {
    kind: 'switch',
    flag: 'hide',
    env: 'PORTAL_HIDE',
    file: 'anywhere',
    help: 'keep the service out of listings',
  },
  http: {
    kind: 'switch',
    flag: 'http',
    env: 'PORTAL_HTTP',
    file: 'service',
    help: "forward requests: sets X-Forwarded-For, -Host and -Proto, and drops a visitor's own; the default for http:// and https:// targets, folders, and services that answer a HEAD request in HTTP",
  },
  raw: {
    kind: 'switch',
    flag: 'raw',
    env: 'PORTAL_RAW',
    file: 'service',
    help: 'forward bytes as they are, whatever the service speaks',
  },
  host_header: {
    kind: 'text',
    flag: 'host-header',
    argument: 'HOST',
    env: 'PORTAL_HOST_HEADER',
    file: 'service',
    help: 'the Host header sent to the service, for one that checks it; "rewrite" for its own address; implies --http',
  },
  routes: {
    kind: 'texts',
    flag: 'route',
    argument: 'PATH=TARGET',
    env: 'PORTAL_ROUTES',
    file: 'service',
    help: 'another target for a part of the paths, such as /api=http://localhost:3001; may be given several times, the longest path counts',
  },
  strip_prefix: {
    kind: 'switch',
    flag: 'strip-prefix',
    env: 'PORTAL_STRIP_PREFIX',
    file: 'service',
    help: "take a route's path off before its target gets the request",
  },
  spa: {
    kind: 'switch',
    flag: 'spa',
    env: 'PORTAL_SPA',
    file: 'service',
    help: 'a folder: answer paths without a file with its index.html',
  },
  listing: {
    kind: 'switch',
    flag: 'listing',
    env: 'PORTAL_LISTING',
    file: 'service',
    help: 'a folder: list what is in one without index.html',
  },
  upstream_ca: {
    kind: 'text',
    flag: 'upstream-ca',
    argument: 'FILE',
    env: 'PORTAL_UPSTREAM_CA',
    file: 'service',
    help: 'PEM certificates to trust for https:// targets instead of the well-known ones',
  },
  upstream_insecure: {
    kind: 'switch',
    flag: 'upstream-insecure',
    env: 'PORTAL_UPSTREAM_INSECURE',
    file: 'service',
    help: 'accept any certificate of https:// targets',
  },
  allow_ip: {
    kind: 'texts',
    flag: 'allow-ip',
    argument: 'CIDR',
    env: 'PORTAL_ALLOW_IP',
    file: 'anywhere',
    help: 'let only visitors from this address or range in; may be given several times',
  },
  deny_ip: {
    kind: 'texts',
    flag: 'deny-ip',
    argument: 'CIDR',
    env: 'PORTAL_DENY_IP',
    file: 'anywhere',
    help: 'let no visitor from this address or range in, even where --allow-ip does; may be given several times',
  },
  inspect: {
    kind: 'switch',
    flag: 'inspect',
    env: 'PORTAL_INSPECT',
    file: 'service',
    help: 'show the last requests on a page of this machine, where they can be changed and sent again',
  },
  inspect_port: {
    kind: 'number',
    flag: 'inspect-port',
    argument: 'PORT',
    env: 'PORTAL_INSPECT_PORT',
    file: 'service',
    least: 1,
    help: 'port of that page; implies --inspect [4040, or another where that is taken]',
  },
  basic_auth: {
    kind: 'text',
    flag: 'basic-auth',
    argument: 'FILE',
    env: 'PORTAL_BASIC_AUTH',
    file: 'service',
    help: 'ask visitors for a user and password of this file, as htpasswd -B writes it',
  },
  oidc: {
    kind: 'text',
    flag: 'oidc',
    argument: 'ISSUER',
    env: 'PORTAL_OIDC',
    file: 'service',
    help: 'let visitors sign in with an OpenID provider, such as https://accounts.google.com; it must know the address https://NAME/.portal/oidc/callback',
  },
  oidc_client: {
    kind: 'text',
    flag: 'oidc-client',
    argument: 'ID',
    env: 'PORTAL_OIDC_CLIENT',
    file: 'service',
    help: 'client id at that provider',
  },
  oidc_secret: {
    kind: 'text',
    flag: 'oidc-secret',
    argument: 'FILE',
    env: 'PORTAL_OIDC_SECRET',
    file: 'service',
    help: 'file of the client secret, where the client has one',
  },
  oidc_emails: {
    kind: 'texts',
    flag: 'oidc-email',
    argument: 'ADDRESS',
    env: 'PORTAL_OIDC_EMAILS',
    file: 'service',
    help: "who may come in: an address, @example.com for a domain, or '*' for everybody; may be given several times",
  },
  oidc_groups: {
    kind: 'texts',
    flag: 'oidc-group',
    argument: 'GROUP',
    env: 'PORTAL_OIDC_GROUPS',
    file: 'service',
    help: 'members of this group may come in as well; may be given several times',
  },
  oidc_scope: {
    kind: 'text',
    flag: 'oidc-scope',
    argument: 'SCOPES',
    env: 'PORTAL_OIDC_SCOPE',
    file: 'service',
    help: 'what is asked of the provider [openid email profile]',
  },
  wallets: {
    kind: 'texts',
    flag: 'wallet',
    argument: '0x...',
    env: 'PORTAL_WALLETS',
    file: 'service',
    help: 'let visitors sign in with this Ethereum wallet; may be given several times',
  },
  webhooks: {
    kind: 'texts',
    flag: 'webhook',
    argument: 'PATH=KIND:FILE',
    env: 'PORTAL_WEBHOOKS',
    file: 'service',
    help: 'let requests to this path in only if signed by github, stripe, slack or hmac with the secret in this file, such as /hook=github:secret.txt; may be given several times',
  },
  proxy_protocol: {
    kind: 'switch',
    flag: 'proxy-protocol',
    env: 'PORTAL_PROXY_PROTOCOL',
    file: 'service',
    help: 'begin connections to the service with a PROXY v2 header that names the visitor',
  },
  grace: {
    kind: 'seconds',
    flag: 'grace',
    argument: 'SECONDS',
    env: 'PORTAL_GRACE',
    file: 'anywhere',
    least: 0,
    help: 'how long connections may finish after an interrupt [10]',
  },
  live: {
    kind: 'switch',
    flag: 'no-live',
    env: 'PORTAL_NO_LIVE',
    help: 'on a terminal: print lines only, without the status at the bottom and the QR code',
  },
  probe: {
    kind: 'switch',
    flag: 'no-probe',
    env: 'PORTAL_NO_PROBE',
    file: 'anywhere',
    help: "do not check now and then whether visitors' TLS really ends here",
  },
  ban_mitm: {
    kind: 'switch',
    flag: 'ban-mitm',
    env: 'PORTAL_BAN_MITM',
    file: 'anywhere',
    help: 'leave a relay for good when it does not, instead of only reporting it',
  },
} as const satisfies Record<string, ExposeSetting>;

export type SettingKey = keyof typeof exposeSettings;
type ValueOf<Kind extends SettingKind> = Kind extends 'text'
  ? string
  : Kind extends 'texts'
    ? string[]
    : Kind extends 'switch'
      ? boolean
      : Kind extends 'target'
        ? string | number
        : number;
/** The settings of one service, from whatever source. */
export type GivenSettings = { [Key in SettingKey]?: ValueOf<(typeof exposeSettings)[Key]['kind']> | undefined };

export const settingEntries = Object.entries(exposeSettings) as [SettingKey, ExposeSetting][];
