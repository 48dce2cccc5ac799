import { parseDecision } from '../decision';
import { failed, type Answer } from '../source';

/**
 * The verdict in a Rego decision document. `undefined` is `invalid`, because before a bundle is
 * active every decision is undefined, and that must not read as "no opinion".
 */
export function parseRegoDecision(value: unknown): Answer {
  return value === undefined
    ? failed(
        'invalid',
        'UNDEFINED_DECISION',
        'the decision is undefined: is the entrypoint right, is the bundle active? ' +
          'A policy abstains with {"result": "NOT_APPLICABLE"}',
      )
    : parseDecision(value, 'the Rego policy');
}
