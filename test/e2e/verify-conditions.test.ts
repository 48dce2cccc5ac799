/** Conditions checked against the rules of a real plugin, behind a real Backstage backend. */
import { toolsPlugin } from '../fixtures/tools-plugin';
import {
  authorize,
  basic,
  startBackend,
  type Question,
  type RunningBackend,
} from '../support/backend';
import { decision, startStub, type StubServer } from '../support/stub-server';

const onTool = (resourceRef: string): Question => ({
  permission: {
    type: 'resource',
    name: 'tools.use',
    attributes: {},
    resourceType: 'tool',
  },
  resourceRef,
});

const when = (rule: string, params?: object, pluginId = 'tools'): unknown => ({
  result: 'CONDITIONAL',
  pluginId,
  resourceType: 'tool',
  conditions: { rule, resourceType: 'tool', params },
});

const NOLAN = 'user:default/nolan';
const siblings = (question: Question): Question[] => [
  basic('open.read', 'read'),
  question,
  basic('open.read', 'read'),
];

describe.each(['true', 'required', 'false'] as const)('verifyConditions: %s', mode => {
  const verifyConditions = mode === 'required' ? mode : mode === 'true';
  let stub: StubServer;
  let backend: RunningBackend;
  let token: string;
  const tools = toolsPlugin('tools');
  const silent = toolsPlugin('silent-tools', 503);

  beforeAll(async () => {
    stub = await startStub(decision({ result: 'ALLOW' }));
    backend = await startBackend({
      features: [tools.feature, silent.feature],
      policyRouter: {
        fallback: 'deny',
        verifyConditions,
        sources: {
          opa: {
            type: 'opa',
            baseUrl: stub.url,
            entrypoint: 'backstage_policy/decision',
            onUnavailable: 'fail-open',
          },
        },
        routes: [
          { prefix: 'tools', sources: ['opa'] },
          { prefix: 'open', sources: ['allow'] },
        ],
      },
    });
    token = await backend.signIn('nolan');
  });
  afterAll(async () => {
    await backend.stop();
    await stub.stop();
  });

  async function ask(answer: unknown, ref = 'hammer') {
    stub.become(decision(answer));
    return authorize(backend.url, token, siblings(onTool(ref)));
  }

  const A = 'ALLOW';
  const D = 'DENY';

  it('logs at start whether conditions are verified', async () => {
    const { message } = await backend.logs.waitFor(
      'The policy router is the permission',
    );
    const notice = 'Conditions are NOT VERIFIED (verifyConditions: false).';
    expect(message.includes(notice)).toBe(mode === 'false');
  });

  it('returns conditions that the plugin can apply', async () => {
    expect(await ask(when('IS_OWNED_BY', { owner: NOLAN }))).toEqual({
      status: 200,
      results: [A, A, A],
    });
    expect((await ask(when('IS_OWNED_BY', { owner: 'x' }))).results).toEqual([A, D, A]);
    expect((await ask(when('IS_OWNED_BY', { owner: NOLAN }), 'saw')).results).toEqual([
      A,
      D,
      A,
    ]);
  });

  it.each([
    ['a rule without parameters', 'EXISTS'],
    ['a rule with an empty object of parameters', 'EXISTS_TOO'],
    ['a rule whose parameters are all optional', 'MAY_BE_OWNED_BY'],
  ])('needs no params for %s', async (_what, name) => {
    expect(await ask(when(name))).toEqual({ status: 200, results: [A, A, A] });
    expect(await ask(when(name, {}))).toEqual({ status: 200, results: [A, A, A] });
  });

  const wrong: ReadonlyArray<[string, string, object | undefined, number]> = [
    ['an unknown rule', 'IS_OWNER', { owner: NOLAN }, 500],
    ['a missing parameter', 'IS_OWNED_BY', {}, 400],
    ['missing params', 'IS_OWNED_BY', undefined, 400],
    ['a parameter of the wrong type', 'IS_OWNED_BY', { owner: [NOLAN] }, 400],
    ['an extra parameter', 'IS_STRICTLY_OWNED_BY', { owner: NOLAN, x: 1 }, 400],
    ['a parameter in the wrong format', 'HAS_MAIL', { mail: 'nolan' }, 400],
    ['a missing parameter in zod 4', 'IS_NAMED', {}, 400],
  ];
  it('denies only what the plugin cannot apply', async () => {
    for (const [what, name, params, ofBackstage] of wrong) {
      const { status, results } = await ask(when(name, params));
      const expected = mode === 'false' ? [what, ofBackstage] : [what, 200, A, D, A];
      expect([what, status, ...results]).toEqual(expected);
    }
    if (mode === 'false') return;
    const last = backend.traces.findLast(
      ({ permission }) => permission?.name === 'tools.use',
    );
    expect(last?.sources[0]?.reason).toMatch(
      /^'\w+' is invalid: rule "IS_NAMED": "params" must have required property 'name' \[BAD_PARAMS\]$/,
    );
  });

  it.each([
    ['zod 3', 'MAY_BE_OWNED_BY', { ovner: 'x' }],
    ['zod 4', 'MAY_BE_NAMED', { nome: 'saw' }],
  ])(
    'denies a misspelt parameter in %s, which the plugin would ignore',
    async (...row) => {
      const [, name, params] = row;
      const { status, results } = await ask(when(name, params));
      expect([status, ...results]).toEqual([200, A, mode === 'false' ? A : D, A]);
    },
  );

  it.each([
    ['a plugin that does not exist', 'hammers', 404],
    ['a plugin id in the wrong case', 'Tools', 401],
    ['an overlong plugin id', 't'.repeat(8000), 200],
  ])('denies conditions for %s', async (_what, pluginId, ofBackstage) => {
    const { status, results } = await ask(when('EXISTS', {}, pluginId));
    const expected = mode === 'false' ? ofBackstage : 200;
    expect(status).toBe(expected);
    if (expected === 200) expect(results).toEqual([A, D, A]);
  });

  it("follows this setting while the plugin's rules cannot be read", async () => {
    const silently = when('IS_OWNED_BY', { owner: NOLAN }, 'silent-tools');
    const { status, results } = await ask(silently);
    expect([status, ...results]).toEqual([200, A, mode === 'required' ? D : A, A]);
    await ask(silently);
    const lines = backend.logs.lines.filter(({ message }) =>
      message.includes('Could not read the permission rules of plugin "silent-tools"'),
    );
    expect(lines.map(({ level, message }) => `${level} ${message}`)).toEqual(
      mode === 'false'
        ? []
        : [
            'warn Could not read the permission rules of plugin "silent-tools" (HTTP 503). ' +
              'Until they can be read, its conditions cannot be verified ' +
              '(verifyConditions: true lets them pass, required denies them)',
          ],
    );
  });
});
