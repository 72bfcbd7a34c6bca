// Which room may import which. `npm run lint:imports` fails for an import that points the wrong way, and for any cycle.
const rooms = (...names) => `^src/(${names.join('|')})/`;

/** A room imports only these rooms, and itself. */
function only(room, ...others) {
  return {
    name: `${room.replaceAll('/', '-')}-imports-only`,
    comment: `src/${room} imports ${others.length > 0 ? others.join(', ') : 'nothing of ours'}.`,
    severity: 'error',
    from: { path: `^src/${room}/` },
    to: { path: '^src/', pathNot: rooms(room, ...others) },
  };
}

module.exports = {
  forbidden: [
    { name: 'no-cycle', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-folder-cycle', severity: 'error', scope: 'folder', from: {}, to: { circular: true } },
    only('util'),
    only('contract'),
    only('net', 'util'),
    { ...only('protocol', 'net/ip-address'), to: { path: '^src/', pathNot: '^src/(protocol/|net/ip-address)' } },
    only('kernel', 'protocol', 'util'),
    only('streams', 'protocol', 'net', 'util'),
    only('tls', 'net', 'util'),
    only('unwrap', 'streams', 'protocol', 'tls', 'net', 'util'),
    only('entry', 'kernel', 'unwrap', 'streams', 'protocol', 'tls', 'net', 'util'),
    only('sdk', 'contract', 'protocol', 'net', 'util'),
    only('acme', 'sdk', 'tls', 'util'),
    only('http-api', 'contract', 'util'),
    only('sign-in', 'contract'),
    only('tunnel', 'contract', 'acme', 'sdk', 'unwrap', 'tls', 'streams', 'protocol', 'net', 'util'),
    {
      ...only(
        'relay',
        'contract',
        'http-api',
        'sign-in',
        'acme',
        'sdk',
        'kernel',
        'entry',
        'unwrap',
        'tls',
        'streams',
        'protocol',
        'net',
        'util',
      ),
      comment: 'Relay and tunnel meet on the wire, and in what both import.',
    },
    only('conformance', 'contract', 'relay', 'sdk', 'tunnel', 'tls', 'streams', 'protocol', 'util'),
    {
      ...only('dashboard', 'agent/client', 'agent/contract', 'util/human'),
      to: { path: '^src/', pathNot: '^src/(dashboard/|agent/client/|agent/contract|util/human)' },
    },
    { ...only('web'), comment: 'The console knows the relay by its contract alone.' },
    only('agent', 'contract', 'http-api', 'sign-in', 'sdk', 'tunnel', 'net', 'util'),
    {
      name: 'relay-uses-few-parts-of-the-sdk',
      comment: 'A relay needs key files, descriptors, and the way to other relays; not the tenant’s calls.',
      severity: 'error',
      from: { path: '^src/relay/' },
      to: {
        path: '^src/sdk/',
        pathNot:
          '^src/sdk/(identity/|discovery/|calls/(relay-url|errors)|transport/address-rule|lease/(backoff|sleep))',
      },
    },
    {
      name: 'protocol-without-io',
      comment: 'What both ends agree on is pure: it neither reads nor writes.',
      severity: 'error',
      from: { path: '^src/protocol/' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(net|buffer)$' },
    },
    {
      name: 'browser-sdk-without-node',
      comment: 'What src/sdk/index.ts leads to runs in a page (the lease keeper, of tunnels only, needs events).',
      severity: 'error',
      from: { path: '^src/sdk/(index\\.ts|calls/|lease/)' },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?events$' },
    },
    {
      name: 'no-tests-in-src',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|scripts)/' },
    },
    {
      name: 'only-declared-packages',
      comment: 'The dashboard and the console are bundled, with their packages in them.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(dashboard|web)/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-dev'] },
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules', '^generated/'] },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'node', 'default'] },
  },
};
