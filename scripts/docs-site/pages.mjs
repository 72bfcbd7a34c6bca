/** @typedef {{ slug: string, file?: string, title: string }} Page `file` is a Markdown file of the project; a page without one is served by the relay itself. */

/** The pages of the site in the order of its navigation. @type {{ title: string, pages: Page[] }[]} */
export const groups = [
  {
    title: 'Begin',
    pages: [
      { slug: 'start', file: 'docs/guides/start.md', title: 'Start in five minutes' },
      { slug: 'how-it-works', file: 'docs/guides/how-it-works.md', title: 'How it works' },
    ],
  },
  {
    title: 'Guides',
    pages: [
      { slug: 'exposing', file: 'docs/guides/exposing.md', title: 'Exposing services' },
      { slug: 'programs', file: 'docs/programs.md', title: 'Programs that were tried' },
      { slug: 'operations', file: 'docs/operations.md', title: 'Running a relay' },
      { slug: 'console', file: 'docs/guides/console.md', title: 'The console' },
      { slug: 'sdk', file: 'docs/sdk.md', title: 'Using and writing SDKs' },
      { slug: 'sdk-typescript', file: 'src/sdk/README.md', title: 'SDK in TypeScript' },
      { slug: 'sdk-python', file: 'src/sdk-python/README.md', title: 'SDK in Python' },
      { slug: 'sdk-go', file: 'src/sdk-go/README.md', title: 'SDK in Go' },
      { slug: 'conformance', file: 'docs/conformance.md', title: 'Conformance' },
    ],
  },
  {
    title: 'Reference',
    pages: [
      { slug: '', title: 'API' },
      { slug: 'errors', title: 'Error codes' },
      { slug: 'protocol', file: 'docs/protocol.md', title: 'Protocol' },
      { slug: 'vectors', file: 'docs/vectors/README.md', title: 'Test vectors' },
      { slug: 'probe', file: 'docs/probe.md', title: 'Self-probe' },
      { slug: 'glossary', file: 'docs/glossary.md', title: 'Glossary' },
    ],
  },
  {
    title: 'The project',
    pages: [
      { slug: 'architecture', file: 'docs/architecture.md', title: 'Architecture' },
      { slug: 'decisions', file: 'docs/decisions/README.md', title: 'Decisions' },
      { slug: 'benchmarks', file: 'docs/benchmarks.md', title: 'Benchmarks' },
      { slug: 'testing', file: 'docs/testing.md', title: 'Tests' },
      { slug: 'security', file: 'SECURITY.md', title: 'Security' },
      { slug: 'contributing', file: 'CONTRIBUTING.md', title: 'Contributing' },
      { slug: 'changelog', file: 'docs/CHANGELOG.md', title: 'Changes' },
    ],
  },
];
