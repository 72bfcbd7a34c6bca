// `npm run dev`: compiles on each change, and runs the demo relay again once the compiler has written what it made of it.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const start = (args) => spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
const compiler = start(['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json', '--watch', '--preserveWatchOutput']);
const demo = start(['--watch', '--enable-source-maps', 'dist/scripts/demo.js', ...process.argv.slice(2)]);
const stop = () => {
  compiler.kill();
  demo.kill();
};
process.on('SIGINT', stop).on('SIGTERM', stop);
compiler.once('exit', stop);
demo.once('exit', stop);
