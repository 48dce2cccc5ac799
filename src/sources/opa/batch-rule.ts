/** The rule that answers many questions in one request, and its form; both sides name both. */

/** Of the form of the request and of the answer. */
export const BATCH_VERSION = 1;

/** How each path of the Data API is written in Rego: `data["my-team"].decision`. */
const reference = (path: string): string =>
  ['data', ...path.split('/')].reduce((before, segment) =>
    isName(segment) ? `${before}.${segment}` : `${before}[${term(segment)}]`,
  );

/** The Data API takes whatever reads as a whole number of 64 bits for a number. */
const term = (segment: string): string => {
  const number = /^[+-]?\d+$/.test(segment)
    ? BigInt(segment.replace('+', ''))
    : undefined;
  return number !== undefined && BigInt.asIntN(64, number) === number
    ? String(number)
    : JSON.stringify(segment);
};

/** Words that Rego does not allow as a name after a dot. */
const KEYWORDS = new Set(
  (
    'as contains data default else every false if import in input not null package some ' +
    'true with'
  ).split(' '),
);

const isName = (segment: string): boolean =>
  /^[A-Za-z_]\w*$/.test(segment) && !KEYWORDS.has(segment);

/** Whether one of them is the other or part of it: then the rule would ask itself. */
export const overlap = (rule: string, entrypoint: string): boolean =>
  isWithin(rule, entrypoint) || isWithin(entrypoint, rule);

const isWithin = (path: string, parent: string): boolean =>
  `${path}/`.startsWith(`${parent}/`);

/** Whether a rule can have this path: a package of names, and the name of the rule. */
export const isRulePath = (path: string): boolean => {
  const segments = path.split('/');
  return segments.length >= 2 && segments.every(isName);
};

/**
 * The Rego source of the rule, which asks one decision about each question. Each has an `input` of
 * its own, so no question sees another; an undefined decision has no answer.
 *
 * @param entrypoint - of the decision, such as `backstage_policy/decision`.
 * @param rule - the path of the rule, see `isRulePath`; never the entrypoint itself.
 */
export function batchRule(entrypoint: string, rule: string): string {
  const path = rule.split('/');
  const name = path.pop()!;
  return `# Answers many questions of the policy router in one request. An 'opa' source with
#   entrypoint: ${entrypoint}
#   batch: ${rule}
# asks it. Made by: ${ruleCommand(entrypoint, rule)}
package ${path.join('.')}

import rego.v1

${name} := {
	"version": ${BATCH_VERSION},
	"entrypoint": ${JSON.stringify(entrypoint)},
	"decisions": {id: decision |
		identity := input.identity
		some id, permission in input.permissions
		decision := ${reference(entrypoint)} with input as {"permission": permission, "identity": identity}
	},
}
`;
}

/** The command that prints the rule. */
export const ruleCommand = (entrypoint: string, rule: string): string =>
  `policy-router rego-batch ${entrypoint}${rule === DEFAULT_RULE ? '' : ` --rule ${rule}`}`;

/** Where the documentation puts the rule. */
export const DEFAULT_RULE = 'policy_router/batch';
