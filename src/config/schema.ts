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
import { ACTIONS } from '../routing/route';
import { entityRef, pluginId } from '../sources/fields';
import { AUDIT_MODES } from './types';
import { onUnavailable } from '../sources/remote-settings';

/** Environment variables arrive as strings, so 'true' is true. */
const verifyConditions = z.preprocess(
  value => (value === 'true' ? true : value === 'false' ? false : value),
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

/** A route has either `prefix` or `name`, which the reader checks. */
export const routeSchema = strict({
  prefix: z.string({ error: 'must be a string' }).optional(),
  name: z.string({ error: 'must be a string' }).optional(),
  actions: nonEmptyList(choice(ACTIONS), 'actions').optional(),
  resourceTypes: nonEmptyList(word('a resource type'), 'resource types').optional(),
  sources: nonEmptyList(text('the name of a source'), 'source names'),
  combine: choice(ALGORITHMS).default('deny-overrides'),
  onUnavailable: onUnavailable.optional(),
  default: choice(['allow', 'deny']).default('deny'),
});

export const settingsSchema = strict({
  routingFile: text(
    'the path of a YAML file that contains fallback and routes',
  ).optional(),
  fallback: choice(['allow', 'deny']),
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
  sources: z
    .record(z.string(), z.unknown(), {
      error: 'must be an object of { <name>: { type, … } }',
    })
    .optional(),
  routes: nonEmptyList(z.unknown(), 'routes', Infinity),
});
