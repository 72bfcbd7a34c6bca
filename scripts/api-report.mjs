// The public TypeScript API of each entry point, as docs/api shows it: a change of it must change the report as well.
// `npm run api:report` writes the reports, `npm run api:check` fails when one is out of date.
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const projectFolder = fileURLToPath(new URL('..', import.meta.url));
const entries = {
  'portal-relay': 'tunnel/index',
  'portal-relay-sdk': 'sdk/index',
  'portal-relay-sdk-node': 'sdk/node',
  'portal-relay-agent': 'agent/index',
};
const isCheck = process.argv.includes('--check');
const reportTempFolder = mkdtempSync(join(tmpdir(), 'portal-api-'));
let isStale = false;

for (const [name, entry] of Object.entries(entries)) {
  const config = ExtractorConfig.prepare({
    packageJsonFullPath: join(projectFolder, 'package.json'),
    configObjectFullPath: undefined,
    configObject: {
      newlineKind: 'lf',
      projectFolder,
      mainEntryPointFilePath: join(projectFolder, `dist/src/${entry}.d.ts`),
      compiler: { tsconfigFilePath: join(projectFolder, 'tsconfig.json') },
      apiReport: {
        enabled: true,
        reportFileName: `${name}.api.md`,
        reportFolder: join(projectFolder, 'docs/api'),
        reportTempFolder,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.Warning } },
        extractorMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
        tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
      },
    },
  });
  const result = Extractor.invoke(config, {
    localBuild: !isCheck,
    messageCallback: (message) => {
      message.handled = true;
    },
  });
  if (isCheck && result.apiReportChanged) {
    console.error(`docs/api/${name}.api.md is out of date: run \`npm run api:report\` and commit it`);
    isStale = true;
  }
}
rmSync(reportTempFolder, { recursive: true });
process.exitCode = isStale ? 1 : 0;
