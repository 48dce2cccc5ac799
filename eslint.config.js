'use strict';

const tseslint = require('typescript-eslint');
const prettier = require('eslint-config-prettier');

/**
 * The rooms of src (a folder, or a file of this name), from the outside in. A room may import
 * only rooms below it, so a decision goes one way through them and never back. Between the
 * stages of a decision (policy to combining) the order is theirs; below them is what they all
 * speak of.
 */
const ROOMS = [
  'cli',
  'index',
  'feature',
  'module',
  'operations',
  'router',
  'hosting',
  'policy',
  'recordings',
  'observing',
  'shadow',
  'asking',
  'batch',
  'snapshot',
  'config',
  'identity',
  'routing',
  'guard',
  'sources',
  'trace',
  'combining',
  'conditions',
  'declared',
  'answer',
  'prefix',
  'request',
  'verdict',
  'supported-release',
  'lib',
];

const layers = ROOMS.slice(1).map((room, index) => {
  const above = ROOMS.slice(0, index + 1);
  const below = ROOMS.slice(index + 2);
  return {
    files: [`src/${room}.ts`, `src/${room}/**/*.ts`],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              // A file of src is reached by './', another folder of src by one or more '../'.
              regex: `^(\\./|(\\.\\./)+)(${above.join('|')})(/|$)`,
              message: `No stage imports an earlier one: ${room} may import ${
                below.length > 0 ? `only ${below.join(', ')}` : 'nothing else of src'
              } (see ROOMS in eslint.config.js).`,
            },
          ],
        },
      ],
    },
  };
});

module.exports = tseslint.config(
  { ignores: ['.cache/', 'dist/', 'coverage/', 'node_modules/'] },
  {
    files: ['src/**/*.ts', 'test/**/*.ts', 'dev/**/*.ts'],
    extends: [...tseslint.configs.recommendedTypeChecked, prettier],
    languageOptions: {
      parserOptions: { project: './tsconfig.json', tsconfigRootDir: __dirname },
    },
    rules: {
      eqeqeq: 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      // A name in a message is often a string union; templates read better unguarded.
      '@typescript-eslint/restrict-template-expressions': 'off',
      '@typescript-eslint/require-await': 'off',
    },
  },
  ...layers,
);
