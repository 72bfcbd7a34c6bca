// Builds the documentation as a site that the relay serves at `/docs`: pages from the project's Markdown files, their style, and a search. Offline.
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Eleventy from '@11ty/eleventy';
import { build } from 'esbuild';
import { layout } from './docs-site/layout.mjs';
import { markdownOf, slugOf } from './docs-site/markdown.mjs';
import { groups } from './docs-site/pages.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const target = join(root, 'dist/src/relay/api/handlers/documentation');

const decisions = readdirSync(join(root, 'docs/decisions')).filter((name) => name !== 'README.md');
const pages = [
  ...groups.flatMap((group) => group.pages.filter(({ file }) => file !== undefined)),
  ...decisions.map((name) => ({
    slug: `decision-${name.replace(/\.md$/, '')}`,
    file: `docs/decisions/${name}`,
    title: /^# (.+)$/m.exec(readFileSync(join(root, 'docs/decisions', name), 'utf8'))[1],
  })),
];
const md = markdownOf(new Map([...pages.map(({ file, slug }) => [file, slug]), ['README.md', 'start']]));

/** The parts of a page, each with its heading, as plain text. */
function sectionsOf(page, source) {
  const sections = [{ heading: page.title, href: `/docs/${page.slug}`, level: 1, text: '' }];
  const tokens = md.parse(source, { page });
  for (const [index, token] of tokens.entries()) {
    if (token.type === 'heading_open' && token.tag !== 'h1') {
      const id = token.attrGet('id');
      const heading = plain(tokens[index + 1]);
      sections.push({ heading, id, href: `/docs/${page.slug}#${id}`, level: Number(token.tag[1]), text: '' });
    } else if (token.type === 'inline' && tokens[index - 1]?.type !== 'heading_open')
      sections.at(-1).text += `${plain(token)} `;
    else if (token.type === 'fence' || token.type === 'code_block') sections.at(-1).text += `${token.content} `;
  }
  return sections;
}

const plain = ({ children }) =>
  children
    .map(({ type, content }) => (type === 'text' || type === 'code_inline' ? content : type === 'softbreak' ? ' ' : ''))
    .join('');

const sources = new Map(pages.map((page) => [page.slug, readFileSync(join(root, page.file), 'utf8')]));
const sections = new Map(pages.map((page) => [page.slug, sectionsOf(page, sources.get(page.slug))]));
for (const [slug, all] of sections)
  for (const { id, heading } of all)
    if (id !== undefined && !id.startsWith(slugOf(heading)))
      throw new Error(`${slug}: the heading "${heading}" has the id ${id}`);

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
const style = readFileSync(join(root, 'scripts/docs-site/site.css'), 'utf8');
const index = [...sections].flatMap(([slug, all]) => {
  const { title } = pages.find((page) => page.slug === slug);
  return all.map(({ heading, href, text }) => ({ id: href, href, heading, title, text }));
});
writeFileSync(join(target, 'site.css'), style);
for (const name of readdirSync(join(root, 'docs/pictures')))
  copyFileSync(join(root, 'docs/pictures', name), join(target, name));
writeFileSync(join(target, 'search-index.js'), `export const sections = ${JSON.stringify(index)};\n`);
await build({
  entryPoints: [join(root, 'scripts/docs-site/search.js')],
  outfile: join(target, 'search.js'),
  bundle: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  legalComments: 'none',
  logLevel: 'warning',
});
const version = createHash('sha256')
  .update(style + readFileSync(join(target, 'search.js'), 'utf8') + JSON.stringify(index))
  .digest('hex')
  .slice(0, 12);

// Every page is given to the generator as it is: the files have no front matter, and stay readable in a checkout.
const empty = mkdtempSync(join(tmpdir(), 'portal-docs-'));
try {
  const site = new Eleventy(empty, target, {
    quietMode: true,
    config(eleventy) {
      for (const page of pages) {
        const headings = sections
          .get(page.slug)
          .filter(({ level }) => level === 2)
          .map(({ id, heading }) => ({ id, text: heading }));
        eleventy.addTemplate(
          `${page.slug}.11ty.js`,
          {
            render: () =>
              layout({ groups, page, content: md.render(sources.get(page.slug), { page }), headings, version }),
          },
          { permalink: `${page.slug}.html` },
        );
      }
    },
  });
  await site.write();
} finally {
  rmSync(empty, { recursive: true, force: true });
}
