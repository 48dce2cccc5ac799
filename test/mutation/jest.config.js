'use strict';

const base = require('../../jest.config.js');

/**
 * What Stryker runs against a mutant: the unit and property tests of the pure stages.
 *
 * @type {import('jest').Config}
 */
module.exports = {
  rootDir: '../..',
  roots: base.roots,
  testEnvironment: base.testEnvironment,
  testMatch: [
    '<rootDir>/test/{routing,combining}/*.test.ts',
    '<rootDir>/test/conditions/algebra.test.ts',
    '<rootDir>/test/properties/{routing,combining,algebra}.test.ts',
  ],
  transform: base.transform,
  testTimeout: base.testTimeout,
  setupFiles: ['<rootDir>/test/mutation/fixed-seed.ts'],
};
