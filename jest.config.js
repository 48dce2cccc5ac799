'use strict';

const { availableParallelism } = require('node:os');

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/src', '<rootDir>/test'],
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  // These install whole backends: npm run test:releases.
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/releases/'],
  transform: {
    '^.+\\.[jt]s$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
        module: { type: 'commonjs' },
      },
    ],
  },
  // These are ESM only; Node requires them, jest must transform them.
  transformIgnorePatterns: [
    '/node_modules/(?!(p-limit|yocto-queue|(light-my-request/node_modules/)?cookie)/)',
  ],
  moduleNameMapper: {
    '^(@aws-sdk|@azure|@google-cloud)/(?!.*package\\.json$)':
      '<rootDir>/test/support/unused-cloud.js',
  },
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  testSequencer: '<rootDir>/test/support/longest-first.js',
  reporters: ['default', '<rootDir>/test/support/count-reporter.js'],
  // Backends log and the config loader prints; failures are reported all the same.
  silent: true,
  // For what hangs; a busy machine may need a minute for the start of a backend.
  testTimeout: 180_000,
  // Never in jest's own process, as it would on two cores: what a failed test leaves open would
  // keep that alive for good. Backends fill a worker's memory; a new one has no long collections.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  workerIdleMemoryLimit: '400MB',
};
