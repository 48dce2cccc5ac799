import { failed, type Answer } from '../../answer';
import { readDecision } from '../decision';

const REGO = { who: 'the Rego policy', mayAbstain: true };

/**
 * The answer in a Rego decision document. `undefined` is `invalid`, because before a bundle is
 * active every decision is undefined, and that must not read as "no opinion".
 */
export function regoAnswer(document: unknown): Answer {
  return document === undefined
    ? failed(
        'invalid',
        'UNDEFINED_DECISION',
        'the decision is undefined: is the entrypoint right, is the bundle active? ' +
          'A policy abstains with {"result": "NOT_APPLICABLE"}',
      )
    : readDecision(document, REGO);
}
