import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parse } from 'smol-toml';
import { removeTable, setInTable, TomlEditError } from '../../src/agent/configuration/toml-text.js';

const file = `# what I expose
relays = [
  "https://a.example", # the near one
  'https://b.example',
]

# the shop
[services.shop]
target = "3000" # a port
description = """
[services.fake]
target = "not this"
"""
tags = ["x",
  "y"] # both

# notes
[services."my notes"]
target = './notes'
`;

test('a key is changed, added and taken out, and all else stays byte for byte', () => {
  const path = ['services', 'shop'] as const;
  const changed = setInTable(file, path, { target: 'http://localhost:4000' });
  assert.equal(changed, file.replace('target = "3000" # a port', 'target = "http://localhost:4000" # a port'));
  const added = setInTable(file, path, { disabled: true, max_relays: 2 });
  assert.equal(added, file.replace('"y"] # both\n', '"y"] # both\ndisabled = true\nmax_relays = 2\n'));
  assert.equal(setInTable(added, path, { disabled: undefined, max_relays: undefined }), file);
  const without = setInTable(file, path, { tags: undefined });
  assert.equal(without, file.replace('tags = ["x",\n  "y"] # both\n', ''));
  const listed = setInTable(file, ['services', 'my notes'], { relays: ['https://c.example', 'a "quoted" one'] });
  assert.equal(listed, `${file}relays = ["https://c.example", "a \\"quoted\\" one"]\n`);
});

test('a table is added at the end, and taken out with the comment above it', () => {
  const added = setInTable(file, ['services', 'new'], { target: '1' });
  assert.equal(added, `${file}\n[services.new]\ntarget = "1"\n`);
  assert.equal(setInTable('', ['services', 'one'], { target: '1' }), '[services.one]\ntarget = "1"\n');
  assert.equal(setInTable('a = 1', ['services', 'one'], {}), 'a = 1\n\n[services.one]\n');
  const removed = removeTable(file, ['services', 'shop']);
  assert.equal(removed, file.slice(0, file.indexOf('# the shop')) + file.slice(file.indexOf('# notes')));
  assert.deepEqual(Object.keys((parse(removed) as { services: object }).services), ['my notes']);
});

test('a name that every object has is a name like any other', () => {
  for (const name of ['constructor', 'toString', 'hasOwnProperty']) {
    const text = setInTable('', ['services', name], { target: 'x' });
    assert.equal(text, `[services.${name}]\ntarget = "x"\n`);
    assert.equal(removeTable(`${text}[services.b]\n`, ['services', name]), '[services.b]\n');
  }
  assert.throws(() => setInTable('', ['services', '__proto__'], { target: 'x' }), TomlEditError);
  for (const inherited of [{}, Object, () => {}]) assert.equal((inherited as { target?: unknown }).target, undefined);
});

test('what is written in another way is left alone', () => {
  for (const text of [
    'services.shop.target = "1"\n',
    'services = { shop = { target = "1" } }\n',
    '[services]\nshop = { target = "1" }\n',
    '[services]\nshop.target = "1"\n',
  ]) {
    assert.throws(() => setInTable(text, ['services', 'shop'], { target: '2' }), TomlEditError, text);
    assert.throws(() => removeTable(text, ['services', 'shop']), TomlEditError, text);
  }
});

test('whatever a file says, a change changes that alone, or nothing', () => {
  const strings = fc.string({
    unit: fc.constantFrom('a', '"', "'", '#', '[', ']', '=', '\n', '\\', ' ', '.'),
    maxLength: 12,
  });
  const literals = fc.oneof(
    strings.map((text) => JSON.stringify(text)),
    fc.constantFrom(
      '"""\n[x]\n"""',
      "'''\na = 1\n'''",
      '[1, # one\n 2]',
      '{ a = [1] }',
      '1',
      'true',
      "'#'",
      '"""a\\"""b"""',
    ),
  );
  const lines = fc.oneof(
    strings.filter((text) => !text.includes('\n')).map((text) => `# ${text}`),
    fc.constant(''),
    fc.tuple(fc.constantFrom('a', 'b', '"c d"', 'target'), literals).map(([key, value]) => `${key} = ${value}`),
    fc
      .tuple(fc.constantFrom('one', 'two', '"t w"'), fc.constantFrom('', ' # why'))
      .map(([name, why]) => `[services.${name}]${why}`),
  );
  const parses = (text: string) => {
    try {
      parse(text);
      return true;
    } catch {
      return false;
    }
  };
  const files = fc
    .array(lines, { maxLength: 14 })
    .map((all) => all.join('\n') + '\n')
    .filter(parses);
  fc.assert(
    fc.property(files, fc.constantFrom('one', 'two', 't w', 'new'), (text, name) => {
      const before = parse(text) as { services?: Record<string, Record<string, unknown>> };
      const made = setInTable(text, ['services', name], { target: 'x', a: undefined });
      const after = parse(made) as typeof before;
      const wanted: Record<string, unknown> = { ...before.services?.[name], target: 'x' };
      delete wanted['a'];
      assert.deepEqual({ ...after.services![name] }, wanted);
      // Every comment is still there.
      const comments = (from: string) => from.split('\n').filter((line) => line.startsWith('# '));
      assert.deepEqual(comments(made), comments(text));
      if (!before.services?.[name]) return;
      const removed = parse(removeTable(text, ['services', name])) as typeof before;
      assert.equal(removed.services?.[name], undefined);
    }),
    { numRuns: 300 },
  );
});
