/** The keys of the router and of a route, as `readConfig` reads them. */
import { readConfig } from '../../src/config/read';
import {
  config,
  expectProblems,
  OPA,
  ROUTE,
  withRoute,
  type Row,
} from '../support/read-config';

const TOP_KEYS =
  'routingFile, observeInRoutingFile, fallback, observe, anonymous, onUnavailable, deadline, verifyConditions, maxConditionBytes, operators, audit, recentDecisions, whenAskedWithoutResource, declared, shadow, sources, routes';
const ROUTE_KEYS =
  'prefix, name, actions, resourceTypes, sources, combine, onUnavailable, default, observe';

describe('the config as a whole', () => {
  it.each<Row>([
    ['is required', undefined, `~: is required: an object of ${TOP_KEYS}`],
    ['must not be null', null, `~: must be an object of ${TOP_KEYS}`],
    ['must be an object', 'deny', `~: must be an object of ${TOP_KEYS}`],
    ['must not be a list', [], `~: must be an object of ${TOP_KEYS}`],
    [
      'a misspelt key is an error that lists the allowed keys',
      config({ onUnavailble: 'fail-closed' }),
      `~: unknown key 'onUnavailble'; allowed: ${TOP_KEYS}`,
    ],
    [
      'all misspelt keys are reported',
      config({ fallBack: 'deny', route: [] }),
      `~: unknown keys 'fallBack', 'route'; allowed: ${TOP_KEYS}`,
    ],
    [
      'operators are whole entity refs',
      config({ operators: ['platform', 'group:default/platform'] }),
      '~.operators[0]: must be a whole entity ref such as \'group:default/platform\', not "platform"',
    ],
    [
      'operators are a list',
      config({ operators: 'group:default/platform' }),
      '~.operators: must be a list of entity refs',
    ],
    [
      'an audit mode is one of three',
      config({ audit: true }),
      "~.audit: must be 'all' or 'denials' or 'off', not true",
    ],
    [
      'recent decisions are bounded',
      config({ recentDecisions: 10_001 }),
      '~.recentDecisions: must be a whole number from 0 to 10000, not 10001',
    ],
    [
      'verifyConditions must be one of three',
      config({ verifyConditions: 'strict' }),
      `~.verifyConditions: must be true, 'required' or false, not "strict"`,
    ],
    [
      'maxConditionBytes must not be zero',
      config({ maxConditionBytes: 0 }),
      '~.maxConditionBytes: must be a whole number from 1 to 90000, not 0',
    ],
    [
      'maxConditionBytes must not be more than Backstage accepts',
      config({ maxConditionBytes: 90_001 }),
      '~.maxConditionBytes: must be a whole number from 1 to 90000, not 90001',
    ],
    [
      'the fallback is required',
      config({ fallback: undefined }),
      "~.fallback: is required: 'allow' or 'deny'. It is not set; if it is ${…} in app-config, that environment variable is not set",
    ],
    [
      'the fallback must not be null',
      config({ fallback: null }),
      "~.fallback: must be 'allow' or 'deny'",
    ],
    [
      'the fallback is compared exactly',
      config({ fallback: 'ALLOW' }),
      `~.fallback: must be 'allow' or 'deny', not "ALLOW"`,
    ],
    [
      'the fallback must not be a boolean',
      config({ fallback: true }),
      "~.fallback: must be 'allow' or 'deny', not true",
    ],
    [
      'requests without a user cannot all be allowed',
      config({ anonymous: 'allow' }),
      `~.anonymous: must be 'deny' or 'evaluate', not "allow"`,
    ],
    [
      'a failure mode is one of two',
      config({ onUnavailable: 'open' }),
      `~.onUnavailable: must be 'fail-closed' or 'fail-open', not "open"`,
    ],
    [
      'routes are required',
      config({ routes: undefined }),
      '~.routes: is required: a list of routes',
    ],
    [
      'routes are a list',
      config({ routes: { prefix: '' } }),
      '~.routes: must be a list of routes',
    ],
    [
      'an empty routing table is an error',
      config({ routes: [] }),
      '~.routes: is an empty list; name one or more routes',
    ],
    [
      'sources are an object',
      config({ sources: [OPA], routes: [{ prefix: '', sources: ['deny'] }] }),
      '~.sources: must be an object of { <name>: { type, … } }',
    ],
    [
      'a routing file has a name',
      config({ routingFile: '' }),
      '~.routingFile: must be the path of a YAML file that contains fallback and routes, not empty',
    ],
  ])('%s', expectProblems);

  it('has no operators by default, audits denials and keeps 500 decisions', async () => {
    const { config: read } = await readConfig(config({ operators: [] }));
    expect(read.visibility).toEqual({
      operators: [],
      audit: 'denials',
      recentDecisions: 500,
    });
  });

  it.each([
    [true, true],
    [false, false],
    ['true', true],
    ['false', false],
    ['required', 'required'],
  ])('may verify conditions: %j', async (written, verifyConditions) => {
    const { config: read } = await readConfig(config({ verifyConditions: written }));
    expect(read.verifyConditions).toBe(verifyConditions);
  });
});

describe('a route', () => {
  it.each<Row>([
    [
      'must be an object',
      config({ routes: ['catalog', ROUTE] }),
      `~.routes[0]: must be an object of ${ROUTE_KEYS}`,
    ],
    [
      'refuses a misspelt key',
      withRoute({ source: ['opa'] }),
      `~.routes[0]: unknown key 'source'; allowed: ${ROUTE_KEYS}`,
    ],
    [
      'needs a prefix',
      withRoute({ prefix: undefined }),
      "~.routes[0].prefix: is required: a permission prefix such as 'catalog.entity', or '' for every permission; or 'name', for one exact name",
    ],
    [
      'has a prefix or a name, not both',
      withRoute({ name: 'a b' }),
      "~.routes[0]: has both 'prefix' and 'name'; keep one of them",
    ],
    [
      'needs a name that is text',
      withRoute({ prefix: undefined, name: 1 }),
      '~.routes[0].name: must be a string',
    ],
    [
      'needs a name that is not empty',
      withRoute({ prefix: undefined, name: '' }),
      "~.routes[0].name: '' is empty; write the name of a permission",
    ],
    [
      'needs a name that a permission can have',
      withRoute({ prefix: undefined, name: `\n${'n'.repeat(256)}` }),
      `~.routes[0].name: '\\u000a${'n'.repeat(93)}…' is longer than 256 characters, so no permission can match it`,
    ],
    [
      'reports a missing prefix with its other mistakes',
      withRoute({ prefix: undefined, combine: 'all' }),
      "~.routes[0].prefix: is required: a permission prefix such as 'catalog.entity', or '' for every permission; or 'name', for one exact name",
      "~.routes[0].combine: must be 'deny-overrides' or 'allow-overrides' or 'first-applicable', not \"all\"",
    ],
    [
      'needs a prefix that is text',
      withRoute({ prefix: 1 }),
      '~.routes[0].prefix: must be a string',
    ],
    [
      'needs a prefix without empty segments',
      withRoute({ prefix: 'a..b' }),
      "~.routes[0].prefix: 'a..b' has an empty segment; write '' or '*' to match every permission",
    ],
    [
      'needs a prefix, not a pattern',
      withRoute({ prefix: '*.read' }),
      "~.routes[0].prefix: '*.read' has a '*' that is not its last segment; a prefix is not a pattern",
    ],
    [
      'refuses actions that Backstage does not have',
      withRoute({ actions: ['read', 'raed'] }),
      `~.routes[0].actions[1]: must be 'create' or 'read' or 'update' or 'delete' or 'none', not "raed"`,
    ],
    [
      'refuses empty actions',
      withRoute({ actions: [] }),
      '~.routes[0].actions: is an empty list; name one or more actions',
    ],
    [
      'needs a list of actions',
      withRoute({ actions: 'read' }),
      '~.routes[0].actions: must be a list of actions',
    ],
    [
      'refuses an action twice',
      withRoute({ actions: ['read', 'read'] }),
      '~.routes[0].actions: names the same value twice',
    ],
    [
      'refuses empty resource types',
      withRoute({ resourceTypes: [] }),
      '~.routes[0].resourceTypes: is an empty list; name one or more resource types',
    ],
    [
      'needs resource types that are text',
      withRoute({ resourceTypes: [5] }),
      '~.routes[0].resourceTypes[0]: must be a resource type',
    ],
    [
      'needs resource types without white space',
      withRoute({ resourceTypes: ['catalog entity'] }),
      '~.routes[0].resourceTypes[0]: must be a resource type, without white space, not "catalog entity"',
    ],
    [
      'needs sources',
      withRoute({ sources: undefined }),
      '~.routes[0].sources: is required: a list of source names',
    ],
    [
      'needs one source or more',
      withRoute({ sources: [] }),
      '~.routes[0].sources: is an empty list; name one or more source names',
    ],
    [
      'refuses a source twice',
      withRoute({ sources: ['opa', 'opa'] }),
      '~.routes[0].sources: names the same value twice',
    ],
    [
      'combines by one of the algorithms',
      withRoute({ combine: 'permit-overrides' }),
      `~.routes[0].combine: must be 'deny-overrides' or 'allow-overrides' or 'first-applicable', not "permit-overrides"`,
    ],
    [
      'has one of two defaults',
      withRoute({ default: 'abstain' }),
      `~.routes[0].default: must be 'allow' or 'deny', not "abstain"`,
    ],
  ])('%s', expectProblems);
});
