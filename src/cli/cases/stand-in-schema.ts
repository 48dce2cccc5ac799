/** What a test file says in place of sources that cannot be asked. */
import { z } from 'zod';
import { byName, choice, nonEmptyList, oneOf, strict } from '../../lib/fields';
import { permissionPrefix } from '../../sources/fields';
import { who } from './names';

/** What a source can be made to say by the file. `unavailable` is an outage. */
export const STAND_IN_RESULTS = [
  'allow',
  'deny',
  'not-applicable',
  'unavailable',
] as const;
export type StandInResult = (typeof STAND_IN_RESULTS)[number];

/** An outage is of the whole source, not of single questions. */
const RULE_RESULTS = ['allow', 'deny', 'not-applicable'] as const;

/** By the type of the source, what may stand for it. A hosted policy never abstains. */
export const STAND_INS: Readonly<Record<string, readonly StandInResult[]>> = {
  hosted: ['allow', 'deny'],
  opa: STAND_IN_RESULTS,
};

const standInResult = choice(STAND_IN_RESULTS).describe(
  'The same for every question. not-applicable and unavailable are only for sources of type opa.',
);

const standInRules = nonEmptyList(
  strict({
    users: nonEmptyList(who, 'users')
      .optional()
      .describe('Only for questions of these users. Default: of everyone.'),
    permissions: nonEmptyList(permissionPrefix, 'permission prefixes')
      .optional()
      .describe('Only for permissions with one of these prefixes. Default: all.'),
    result: choice(RULE_RESULTS).describe(
      'What the source says. not-applicable is only for sources of type opa.',
    ),
  }),
  'rules: objects of users, permissions and result',
);

/** The same for every question, or the first rule that fits. */
const standIn = oneOf<typeof standInResult | typeof standInRules>(
  [standInResult, standInRules],
  value => (Array.isArray(value) ? standInRules : standInResult),
);

const sourceName = z
  .string()
  .regex(/^(?!(?:allow|deny|__proto__)$)[^\s\p{C}]{1,64}$/u, {
    error:
      "must be the name of a source: 1 to 64 characters, without white space; 'allow' and 'deny' need no stand-in",
  });

export const standIns = byName(
  sourceName,
  standIn,
  "sources that cannot be asked here: { <source>: 'allow' or another result, or rules }",
);

export type StandIn = z.output<typeof standIn>;
