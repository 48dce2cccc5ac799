'use strict';

const tseslint = require('typescript-eslint');
const prettier = require('eslint-config-prettier');

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
  {
    // The flow of a decision is one way: a stage must not import an earlier one.
    files: ['src/combining/**', 'src/verdict.ts', 'src/request.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            '**/guard/*',
            '**/sources/*',
            '**/routing/*',
            '**/config/*',
            '**/policy',
          ],
        },
      ],
    },
  },
);
