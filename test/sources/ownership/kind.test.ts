import {
  configOf,
  expectProblems,
  OWNERSHIP,
  problems,
  withOwnership,
  type Row,
} from '../../support/read-config';

const BAD_KIND =
  "must be an entity kind such as 'Component': a letter, then up to 62 letters and digits";

describe('a source of type ownership', () => {
  it('may replace the owner rule of entities', async () => {
    const resources = { 'catalog-entity': { pluginId: 'a', rule: 'b', param: 'c' } };
    expect(await problems(withOwnership({ resources }))).toEqual([]);
  });

  it('may name one kind, with owner rules of other resource types', async () => {
    const resources = { tool: { pluginId: 'tools', rule: 'IS_OWNER', param: 'refs' } };
    const raw = withOwnership({ kinds: ['Component'], resources });
    expect(await problems(raw)).toEqual([]);
  });

  it.each<Row>([
    [
      'refuses a misspelt key',
      withOwnership({ bypas: ['group:default/platform'] }),
      "~.sources.ownership: unknown key 'bypas'; allowed: type, bypass, kinds, resources",
    ],
    [
      'needs whole entity refs in its bypass',
      withOwnership({ bypass: ['group:default/a', 'platform'] }),
      `~.sources.ownership.bypass[1]: must be a whole entity ref such as 'group:default/platform', not "platform"`,
    ],
    [
      'needs a kind in every ref of its bypass',
      withOwnership({ bypass: ['default/platform'] }),
      `~.sources.ownership.bypass[0]: must be a whole entity ref such as 'group:default/platform', not "default/platform"`,
    ],
    [
      'refuses an empty bypass',
      withOwnership({ bypass: [] }),
      '~.sources.ownership.bypass: is an empty list; name one or more entity refs. If app-config has variables (${…}) in it, they are not set',
    ],
    [
      'refuses a ref twice in its bypass',
      withOwnership({ bypass: ['group:default/a', 'group:default/a'] }),
      '~.sources.ownership.bypass: names the same value twice',
    ],
    [
      'needs a list for its bypass',
      withOwnership({ bypass: 'group:default/a' }),
      '~.sources.ownership.bypass: must be a list of entity refs',
    ],
    [
      'needs a list for its kinds',
      withOwnership({ kinds: 'Component' }),
      '~.sources.ownership.kinds: must be a list of entity kinds',
    ],
    [
      'refuses empty kinds',
      withOwnership({ kinds: [] }),
      '~.sources.ownership.kinds: is an empty list; name one or more entity kinds. If app-config has variables (${…}) in it, they are not set',
    ],
    [
      'refuses a kind twice, in any letter case',
      withOwnership({ kinds: ['Component', 'API', 'component'] }),
      '~.sources.ownership.kinds: names the same value twice',
    ],
    [
      'needs kinds that an entity can have',
      withOwnership({
        kinds: ['Component,API', '', 7, '2nd', 'component:default/a', 'K'.repeat(64)],
      }),
      `~.sources.ownership.kinds[0]: ${BAD_KIND}, not "Component,API"`,
      "~.sources.ownership.kinds[1]: must be an entity kind such as 'Component', not empty",
      "~.sources.ownership.kinds[2]: must be an entity kind such as 'Component'",
      `~.sources.ownership.kinds[3]: ${BAD_KIND}, not "2nd"`,
      `~.sources.ownership.kinds[4]: ${BAD_KIND}, not "component:default/a"`,
      `~.sources.ownership.kinds[5]: ${BAD_KIND}, not "${'K'.repeat(64)}"`,
    ],
    [
      'refuses kinds if its rule for entities is replaced',
      withOwnership({
        kinds: ['Component'],
        resources: { 'catalog-entity': { pluginId: 'a', rule: 'b', param: 'c' } },
      }),
      '~.sources.ownership.kinds: has no effect: resources replaces the rule of catalog-entity',
    ],
    [
      'needs whole owner rules',
      withOwnership({ resources: { tool: { pluginId: 'tools', rule: '' } } }),
      "~.sources.ownership.resources.tool.rule: must be the name of the plugin's owner rule, not empty",
      "~.sources.ownership.resources.tool.param: is required: the rule's parameter that takes the user's refs. It is not set; if it is ${…} in app-config, that environment variable is not set",
    ],
    [
      'needs owner rules that a plugin can have',
      withOwnership({
        resources: { tool: { pluginId: 'tools/..', rule: 'IS OWNER', param: ' ' } },
      }),
      "~.sources.ownership.resources.tool.pluginId: must be the id of a plugin such as 'catalog': up to 64 letters, digits, '-' and '_', not \"tools/..\"",
      '~.sources.ownership.resources.tool.rule: must be the name of the plugin\'s owner rule, without white space, not "IS OWNER"',
      '~.sources.ownership.resources.tool.param: must be the rule\'s parameter that takes the user\'s refs, without white space, not " "',
    ],
    [
      'refuses a parameter that no rule can have',
      withOwnership({
        resources: {
          tool: { pluginId: 'tools', rule: 'IS_OWNER', param: '__proto__' },
        },
      }),
      "~.sources.ownership.resources.tool.param: must not be '__proto__', which no rule can have",
    ],
    ...['', 'billing invoice'].map((resourceType): [string, object, string] => [
      `refuses an owner rule for the resource type '${resourceType}'`,
      withOwnership({
        resources: { [resourceType]: { pluginId: 'a', rule: 'b', param: 'c' } },
      }),
      `~.sources.ownership.resources.${resourceType}: must be a resource type, without white space`,
    ]),
    [
      'refuses a misspelt key in an owner rule',
      withOwnership({
        resources: { tool: { pluginId: 'a', rule: 'b', param: 'c', params: 'd' } },
      }),
      "~.sources.ownership.resources.tool: unknown key 'params'; allowed: pluginId, rule, param",
    ],
    [
      'needs its owner rules by resource type',
      withOwnership({ resources: ['tool'] }),
      '~.sources.ownership.resources: must be an object of { <resourceType>: { pluginId, rule, param } }',
    ],
  ])('%s', expectProblems);

  it('takes no standby, as it cannot be unavailable', async () => {
    const raw = configOf({ opa: { ...OWNERSHIP, standby: 'nobody' } });
    expect(await problems(raw)).toEqual([
      "~.sources.opa: unknown key 'standby'; allowed: type, bypass, kinds, resources",
    ]);
  });
});
