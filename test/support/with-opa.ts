import { NO_OPA_VARIABLE, OPA_PATH_VARIABLE } from './global-setup';

/** The real OPA that the tests run against; undefined if it could not be obtained. */
export const opaBinary = process.env[OPA_PATH_VARIABLE];

/** A suite that runs against a real OPA. Without one it is skipped, and the summary says why. */
export const describeWithOpa: jest.Describe =
  opaBinary !== undefined || process.env[NO_OPA_VARIABLE] === undefined
    ? describe
    : describe.skip;

/** For use inside such a suite. */
export function requireOpa(): string {
  if (opaBinary === undefined) throw new Error('no OPA: run the tests with npm test');
  return opaBinary;
}
