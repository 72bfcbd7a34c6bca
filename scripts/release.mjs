// npm run release -- VERSION [--dry-run]
// Makes a release of what is on main: version, changelog, the contract that clients may rely on from now on, commit and tag.
// Nothing leaves this machine: pushing and publishing are the last two lines that it prints.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const path = (relative) => fileURLToPath(new URL(`../${relative}`, import.meta.url));
const run = (program, ...args) => execFileSync(program, args, { cwd: path(''), encoding: 'utf8' }).trim();
const refuse = (reason) => {
  console.error(`release: ${reason}`);
  process.exit(1);
};

const [version] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const isDryRun = process.argv.includes('--dry-run');
if (!/^\d+\.\d+\.\d+$/.test(version ?? '')) refuse('give a version: npm run release -- 1.2.3 [--dry-run]');
const tag = `v${version}`;
if (run('git', 'status', '--porcelain') !== '') refuse('the work tree has changes: commit or stash them first');
if (run('git', 'branch', '--show-current') !== 'main') refuse('releases are made from main: git switch main');
if (run('git', 'tag', '--list', tag) !== '') refuse(`${tag} exists already: take the next version`);

const changelogFile = path('docs/CHANGELOG.md');
const changelog = readFileSync(changelogFile, 'utf8');
const [, unreleased = ''] = /^## Unreleased\n([\s\S]*?)(?=^## )/m.exec(changelog) ?? [];
if (unreleased.trim() === '') refuse('docs/CHANGELOG.md has nothing under "Unreleased": say what changed');
execFileSync('npm', ['run', '--silent', 'check'], { cwd: path(''), stdio: 'inherit' });

const contracts = Object.entries({ openapi: 'generated/openapi.json', agent: 'generated/agent/openapi.json' }).map(
  ([name, file]) => {
    const text = readFileSync(path(file), 'utf8');
    const { title, version: of } = JSON.parse(text).info;
    return { text, said: `${title} ${of}`, released: path(`test/contract/released/${name}-${of}.json`) };
  },
);
const day = new Date().toISOString().slice(0, 10);
console.log(`${tag}, ${day}, ${contracts.map(({ said }) => said).join(', ')}\n${unreleased.trimEnd()}\n`);
if (isDryRun) process.exit(0);

run('npm', 'version', version, '--no-git-tag-version');
const python = path('src/sdk-python/pyproject.toml');
writeFileSync(python, readFileSync(python, 'utf8').replace(/^version = ".*"$/m, `version = "${version}"`));
writeFileSync(changelogFile, changelog.replace('## Unreleased\n', `## Unreleased\n\n## ${version} (${day})\n`));
for (const { text, released } of contracts) if (!existsSync(released)) writeFileSync(released, text);
run('git', 'add', '--all');
run('git', 'commit', '--quiet', '--message', `release: ${version}`, '--message', unreleased.trim());
run('git', 'tag', '--annotate', tag, '--message', `${tag}\n\n${unreleased.trim()}`);
console.log(
  `committed and tagged ${tag}. Now:\n  git push --follow-tags\n  npm publish\n  npm publish dist/portal-sdk`,
);
