/** The schemas of the config. Every object refuses unknown keys. */
import { z } from 'zod';
import { ALGORITHMS } from '../combining/algorithms';
import type { VerifyConditions } from '../conditions/check';
import {
  choice,
  duration,
  integer,
  nonEmptyList,
  shown,
  strict,
  text,
  word,
} from '../lib/fields';
import { having } from '../lib/json-schema';
import { PREFIX_PATTERN } from '../prefix';
import { MAX_PERMISSION_NAME_LENGTH } from '../request';
import { ACTIONS } from '../routing/route';
import { entityRef, pluginId } from '../sources/fields';
import { shadowSchema } from './shadow-config';
import { AUDIT_MODES } from './types';
import { onUnavailable } from '../sources/remote-settings';
import { observe, routeObserve } from './observe';

/** Environment variables arrive as strings, so 'true' is true. */
const asBoolean = (value: unknown): unknown =>
  value === 'true' ? true : value === 'false' ? false : value;

const flag = z.preprocess(
  asBoolean,
  z.boolean({ error: issue => `must be true or false${shown(issue.input)}` }),
);

const verifyConditions = z.preprocess(
  asBoolean,
  z.custom<VerifyConditions>(
    value => typeof value === 'boolean' || value === 'required',
    { error: issue => `must be true, 'required' or false${shown(issue.input)}` },
  ),
);

/** Beyond it, a list is a mistake: each of them is asked. */
const MAX_PLUGINS = 200;

const MAX_OPERATORS = 1000;
/** A record takes up to some 10 kB of memory. */
const MAX_RECENT_DECISIONS = 10_000;

/** A route has either `prefix` or `name`, which the reader checks, with what they are. */
export const routeSchema = strict({
  prefix: z
    .string({ error: 'must be a string' })
    .meta({ pattern: PREFIX_PATTERN, maxLength: MAX_PERMISSION_NAME_LENGTH })
    .optional()
    .describe(
      "The permissions whose name begins with these segments, such as 'catalog.entity'. '' matches " +
        "every permission. One that ends in '/' matches the names that begin with it.",
    ),
  name: z
    .string({ error: 'must be a string' })
    .meta({ minLength: 1, maxLength: MAX_PERMISSION_NAME_LENGTH })
    .optional()
    .describe(
      "In place of 'prefix': the permission of exactly this name, which may contain any characters.",
    ),
  actions: nonEmptyList(choice(ACTIONS), 'actions')
    .optional()
    .describe(
      "Only permissions with one of these actions; 'none' is a permission without an action. " +
        'Default: any action.',
    ),
  resourceTypes: nonEmptyList(word('a resource type'), 'resource types')
    .optional()
    .describe(
      "Only resource permissions of these types, such as 'catalog-entity'. Default: any, and basic " +
        'permissions.',
    ),
  sources: nonEmptyList(text('the name of a source'), 'source names').describe(
    "Names of sources, asked one after the other in this order. 'allow' and 'deny' are built in; the " +
      'others are defined in app-config.',
  ),
  combine: choice(ALGORITHMS)
    .default('deny-overrides')
    .describe(
      'How the verdicts of the sources become one. deny-overrides: all must allow. allow-overrides: ' +
        'one is enough. first-applicable: the first that does not abstain.',
    ),
  onUnavailable: onUnavailable
    .optional()
    .describe(
      'What an unavailable source counts as on this route. fail-closed: DENY. fail-open: ALLOW, so ' +
        'during an outage everybody gets what the source decides. Default: that of the source.',
    ),
  default: choice(['allow', 'deny'])
    .default('deny')
    .describe('The result if every source abstains.'),
  observe: routeObserve.describe(
    'false: the decisions of this route are enforced, even if those of the router are only ' +
      'observed. Or, if app-config has observeInRoutingFile: true, which source answers while the ' +
      'decisions of this route are only recorded, and until when.',
  ),
}).meta({ oneOf: [having('prefix'), having('name')] });

export const settingsSchema = strict({
  routingFile: text(
    'the path of a YAML file that contains fallback and routes',
  ).optional(),
  observeInRoutingFile: flag.optional(),
  fallback: choice(['allow', 'deny']).describe(
    'The result for a permission that no route matches. deny: plugins without a route are closed. ' +
      'allow: they are open to every signed-in user, including what they write.',
  ),
  observe: observe.optional(),
  anonymous: choice(['deny', 'evaluate']).default('deny'),
  onUnavailable: onUnavailable.default('fail-closed'),
  deadline: duration('2s'),
  verifyConditions: verifyConditions.default(true),
  // Backstage accepts 100 KiB, which includes what it adds to the conditions.
  maxConditionBytes: integer(1, 90_000, 65_536),
  operators: z.preprocess(
    value => (Array.isArray(value) && value.length === 0 ? undefined : value),
    nonEmptyList(entityRef, 'entity refs', MAX_OPERATORS).optional(),
  ),
  audit: choice(AUDIT_MODES).default('denials'),
  recentDecisions: integer(0, MAX_RECENT_DECISIONS, 500),
  whenAskedWithoutResource: choice(['allow', 'deny']).default('deny'),
  declared: strict({
    plugins: z.preprocess(
      value => (Array.isArray(value) && value.length === 0 ? undefined : value),
      nonEmptyList(
        pluginId('the id of a plugin'),
        'plugin ids',
        MAX_PLUGINS,
      ).optional(),
    ),
  }).optional(),
  shadow: shadowSchema.optional(),
  sources: z
    .record(z.string(), z.unknown(), {
      error: 'must be an object of { <name>: { type, … } }',
    })
    .optional(),
  routes: nonEmptyList(z.unknown(), 'routes', Infinity).describe(
    'Which sources decide which permissions. The longest matching prefix wins, in any order.',
  ),
});
