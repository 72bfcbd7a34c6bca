import { posix } from 'node:path';
import { renderMermaidSVG } from 'beautiful-mermaid';
import markdownIt from 'markdown-it';
import anchor from 'markdown-it-anchor';

/** The id of a heading, as it is on other places that show Markdown: links of the files work on both. */
export const slugOf = (heading) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-');

/** Colours are those of the page, also when it turns dark. */
const colours = {
  bg: 'var(--ground)',
  fg: 'var(--ink)',
  line: 'var(--soft)',
  accent: 'var(--accent)',
  muted: 'var(--soft)',
  surface: 'var(--card)',
  border: 'var(--line)',
  font: 'system-ui',
  transparent: true,
};

/** The picture of a Mermaid diagram. What it says is read out from its source, which is folded below it. */
function picture(source, escape) {
  // The font would come from elsewhere.
  const svg = renderMermaidSVG(source, colours).replace(/@import url\([^)]*\);?/g, '');
  if (/https?:\/\/(?!www\.w3\.org\/)/.test(svg)) throw new Error('a picture names another origin');
  return `<figure>${svg.replace('<svg ', '<svg role="img" aria-label="Diagram" ')}
<details><summary>The diagram as text</summary><pre><code>${escape(source)}</code></pre></details></figure>\n`;
}

/**
 * Markdown of the project's files. Links between pages lead to the pages; links to other files become the name of the file, since they are only
 * in a checkout.
 * @param {Map<string, string>} slugs pages by file
 */
export function markdownOf(slugs) {
  const md = markdownIt({ html: false, linkify: false }).use(anchor, {
    slugify: slugOf,
    permalink: anchor.permalink.headerLink({ safariReaderFix: true }),
  });
  const { escapeHtml } = md.utils;
  const fence = md.renderer.rules.fence;
  md.renderer.rules.fence = (tokens, index, ...rest) =>
    tokens[index].info.trim() === 'mermaid'
      ? picture(tokens[index].content, escapeHtml)
      : fence(tokens, index, ...rest).replace('<pre>', '<pre tabindex="0">');
  md.renderer.rules.image = (tokens, index) => {
    const { content, attrs } = tokens[index];
    const [, source] = attrs.find(([name]) => name === 'src');
    return `<img src="/docs/${escapeHtml(posix.basename(source))}" alt="${escapeHtml(content)}" loading="lazy">`;
  };
  md.renderer.rules.table_open = () => '<div class="table" tabindex="0"><table>\n';
  md.renderer.rules.table_close = () => '</table></div>\n';
  md.renderer.rules.link_open = (tokens, index, options, { page }, self) => {
    const token = tokens[index];
    const href = token.attrGet('href');
    if (/^(https?:|#)/.test(href)) return self.renderToken(tokens, index, options);
    const [path, fragment] = href.split('#');
    const file = posix.join(posix.dirname(page.file), path);
    const slug = slugs.get(file) ?? slugs.get(`${file.replace(/\/$/, '')}/README.md`);
    const after = tokens.slice(index).find(({ type }) => type === 'link_close');
    if (slug === undefined) {
      token.meta = { file };
      after.meta = { file };
      return '';
    }
    token.attrSet('href', `/docs/${slug}${fragment === undefined ? '' : `#${fragment}`}`);
    return self.renderToken(tokens, index, options);
  };
  md.renderer.rules.link_close = (tokens, index, options, _page, self) =>
    tokens[index].meta?.file === undefined
      ? self.renderToken(tokens, index, options)
      : ` (<code>${escapeHtml(tokens[index].meta.file)}</code>)`;
  return md;
}
