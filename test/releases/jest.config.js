'use strict';

const {
  globalSetup: _opa,
  testSequencer: _order,
  ...config
} = require('../../jest.config');

/**
 * `npm run test:releases`: installs whole backends, so it is not part of `npm test`.
 *
 * @type {import('jest').Config}
 */
module.exports = {
  ...config,
  rootDir: '../..',
  testMatch: ['<rootDir>/test/releases/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/'],
  reporters: [...config.reporters, '<rootDir>/test/releases/matrix-reporter.js'],
  silent: false,
  verbose: true,
  maxWorkers: 1,
};
