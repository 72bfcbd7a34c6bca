import js from '@eslint/js';
import regexp from 'eslint-plugin-regexp';
import tseslint from 'typescript-eslint';
import { guardedHandlers } from './scripts/lint/boundaries.mjs';

export default tseslint.config(
  // The example imports what a generator makes.
  { ignores: ['dist/', 'generated/', 'docs/examples/typescript/'] },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    files: ['**/*.ts', '**/*.tsx'],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        // node:test awaits what it is given by itself
        {
          allowForKnownSafeCalls: [
            { from: 'package', package: 'node:test', name: ['test', 'it', 'describe', 'suite'] },
          ],
        },
      ],
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { attributes: false } }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', caughtErrors: 'none', ignoreRestSiblings: true },
      ],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
    },
  },
  {
    // Typed rules for what ships. Off: methods are passed on as functions all over, and none of them uses `this`; a function may be
    // async for the sake of the interface that it implements.
    files: ['src/**/*.ts', 'src/**/*.tsx'],
    extends: [...tseslint.configs.recommendedTypeCheckedOnly],
    rules: { '@typescript-eslint/unbound-method': 'off', '@typescript-eslint/require-await': 'off' },
  },
  {
    // A regular expression that backtracks can be stopped for minutes by a few kilobytes from anyone.
    files: ['src/**/*.ts', 'src/**/*.tsx'],
    plugins: { regexp },
    rules: {
      'regexp/no-super-linear-backtracking': ['error', { report: 'potential' }],
      'regexp/no-super-linear-move': ['error', { report: 'potential', ignoreSticky: false }],
    },
  },
  {
    // No packet and no timer ends the process.
    files: ['src/{agent,net,protocol,relay,sdk,sign-in,streams,tls,tunnel,unwrap}/**/*.ts'],
    plugins: { portal: { rules: { 'guarded-handlers': guardedHandlers } } },
    rules: { 'portal/guarded-handlers': 'error' },
  },
  {
    // `void` would let a rejection end the process: background() of util/boundary takes it.
    // In a page it ends nothing.
    files: ['src/**/*.ts', 'src/**/*.tsx'],
    ignores: ['src/web/**'],
    rules: { '@typescript-eslint/no-floating-promises': ['error', { ignoreVoid: false }] },
  },
  {
    files: ['**/*.mjs', '**/*.cjs'],
    languageOptions: {
      globals: { process: 'readonly', console: 'readonly', URL: 'readonly', Buffer: 'readonly', module: 'writable' },
    },
  },
  {
    files: ['scripts/docs-site/search.js'],
    languageOptions: { globals: { document: 'readonly', URL: 'readonly' } },
  },
);
