import { failed, type Answer } from '../../answer';
import { isJsonObject } from '../../lib/json-object';
import { quote } from '../../lib/quote';
import { RESULTS, readDecision } from '../decision';
import { isEntrypoint } from './entrypoint';
import { plainReason } from './reason';

const REGO = { who: 'the Rego policy', mayAbstain: true, plainReason };

/**
 * The answer in a Rego decision document. `undefined` is `invalid`, because before a bundle is
 * active every decision is undefined, and that must not read as "no opinion".
 */
export function regoAnswer(document: unknown): Answer {
  if (document === undefined) {
    return failed(
      'invalid',
      'UNDEFINED_DECISION',
      'the decision is undefined: is the entrypoint right, is the bundle active? ' +
        'A policy abstains with {"result": "NOT_APPLICABLE"}',
    );
  }
  const answer = readDecision(document, REGO);
  const isBad = answer.kind === 'FAILED' && answer.failure.code === 'BAD_DECISION';
  return isBad && isJsonObject(document) && !Object.hasOwn(document, 'result')
    ? failed('invalid', 'BAD_DECISION', withoutResult(document))
    : answer;
}

/** The value of a package is an object of the values of its rules. */
function withoutResult(document: Record<string, unknown>): string {
  const rule = Object.keys(document).find(
    name => isEntrypoint(name) && isDecision(document[name]),
  );
  return rule === undefined
    ? 'the answer has no "result"; does the entrypoint name a package? It must name a rule ' +
        'whose value is a decision, such as {"result": "ALLOW"}'
    : `the answer has no "result": the entrypoint names a package, and its rule ${quote(rule)} ` +
        `is a decision; add /${quote(rule).slice(1, -1)} to the entrypoint`;
}

const isDecision = (value: unknown): boolean =>
  isJsonObject(value) &&
  Object.hasOwn(value, 'result') &&
  (RESULTS as readonly unknown[]).includes(value.result);
