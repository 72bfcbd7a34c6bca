const escape = (text) =>
  text.replace(/[&<>"]/g, (each) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[each]);

const link = ({ slug, title }, current) =>
  `<li><a href="/docs${slug && `/${slug}`}"${slug === current ? ' aria-current="page"' : ''}>${escape(title)}</a></li>`;

/** A page around its content. Complete without a script; the script adds the search. */
export function layout({ groups, page, content, headings, version }) {
  const pages = groups.flatMap((group) => group.pages.filter(({ file }) => file !== undefined));
  const at = pages.findIndex(({ slug }) => slug === page.slug);
  const [before, after] = at < 0 ? [] : [pages[at - 1], pages[at + 1]];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="${escape(page.title)}: documentation of Portal, a relay that does not read the traffic.">
<title>${escape(page.title)} · Portal</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/site.css?v=${version}">
<script type="module" src="/docs/search.js?v=${version}"></script>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header><a href="/docs/start"><strong>Portal</strong></a><div id="search" role="search"></div></header>
<nav aria-label="Pages"><details class="menu"><summary>All pages</summary>
${groups.map((group) => `<h2>${escape(group.title)}</h2>\n<ul>${group.pages.map((each) => link(each, page.slug)).join('')}</ul>`).join('\n')}
</details></nav>
<main id="content">
${content}
<footer>${before ? `<a rel="prev" href="/docs/${before.slug}">← ${escape(before.title)}</a>` : '<span></span>'}${
    after ? `<a rel="next" href="/docs/${after.slug}">${escape(after.title)} →</a>` : '<span></span>'
  }</footer>
</main>
${
  headings.length > 1
    ? `<aside aria-labelledby="on-this-page"><h2 id="on-this-page">On this page</h2>
<ul>${headings.map(({ id, text }) => `<li><a href="#${id}">${escape(text)}</a></li>`).join('')}</ul></aside>`
    : ''
}
</body>
</html>
`;
}
