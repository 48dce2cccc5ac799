import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigSources } from '@backstage/config-loader';
import { CONFIG_PATH } from '../../src/config/types';
import { unsetVariable } from '../../src/config/unset';
import { temporaryFolder } from '../support/backend';
import { problems } from '../support/read-config';

const NOT_SET = (variable: string): string =>
  `. It is not set; if it is \${${variable}} in app-config, that environment variable is not set`;
const EMPTY = '. If app-config has variables (${…}) in it, they are not set';

it.each<[what: string, config: unknown, inside: Array<string | number>, said: string]>([
  ['the variable of the shipped URL', {}, ['baseUrl'], NOT_SET('OPA_URL')],
  [
    'the variable of the shipped token',
    { auth: {} },
    ['auth', 'token'],
    NOT_SET('OPA_TOKEN'),
  ],
  ['no variable of another key', {}, ['entrypoint'], NOT_SET('…')],
  ['a key that is undefined', { bundle: undefined }, ['bundle'], NOT_SET('…')],
  ['a key that only the prototype has', {}, ['toString'], NOT_SET('…')],
  ['a key of something missing', { list: [] }, ['list', 0, 'key'], NOT_SET('…')],
  ['an object whose values are missing', { tls: {} }, ['tls'], EMPTY],
  ['a list whose values are missing', { baseUrl: [] }, ['baseUrl'], EMPTY],
])('names %s', (_what, config, inside, said) => {
  expect(unsetVariable(config, inside)).toBe(said);
});

it.each<[what: string, value: unknown]>([
  ['text', 'ftp://opa'],
  ['empty text, which an empty variable gives', ''],
  ['a number', 0],
  ['null', null],
  ['a list', ['a']],
  ['an object', { a: undefined }],
])('says nothing of %s', (_what, value) => {
  expect(unsetVariable({ key: value }, ['key'])).toBe('');
});

describe('an app-config whose variables are not set', () => {
  /** What Backstage makes of this app-config. */
  async function loaded(policyRouter: string): Promise<unknown> {
    const folder = await temporaryFolder();
    const path = join(folder, 'app-config.yaml');
    await writeFile(path, `permission:\n  policyRouter:\n${policyRouter}`);
    const config = await ConfigSources.toConfig(
      ConfigSources.default({
        argv: ['--config', path],
        substitutionFunc: async name => (name === 'EMPTY' ? '' : undefined),
        watch: false,
      }),
    );
    try {
      return config.getOptional(CONFIG_PATH);
    } finally {
      config.close();
      await rm(folder, { recursive: true });
    }
  }

  it('has errors that say so, and no other', async () => {
    const raw = await loaded(`
    fallback: \${FALLBACK}
    sources:
      opa:
        type: opa
        baseUrl: \${OPA_URL}
        entrypoint: a/b
        auth: { token: '\${OPA_TOKEN}' }
        tls: { ca: '\${OPA_CA}' }
      part: { type: opa, baseUrl: 'http://\${OPA_HOST}:8181', entrypoint: { $env: ENTRYPOINT } }
      list: { type: opa, baseUrl: ['\${OPA_URL}', '\${OTHER_URL}'], entrypoint: a/b }
      empty: { type: opa, baseUrl: '\${EMPTY}', entrypoint: a/b }
    routes:
      - { prefix: '', sources: [opa, part, list, empty] }
`);
    const url = "a URL 'http://…' or 'https://…', or 'unix:/path/to/socket'";
    expect(await problems(raw)).toEqual([
      `~.fallback: is required: 'allow' or 'deny'${NOT_SET('…')}`,
      `~.sources.opa.baseUrl: is required: ${url}${NOT_SET('OPA_URL')}`,
      `~.sources.opa.auth.token: is required: a bearer token${NOT_SET('OPA_TOKEN')}`,
      `~.sources.opa.tls: is empty; give ca, or cert and key${EMPTY}`,
      `~.sources.part.baseUrl: is required: ${url}${NOT_SET('OPA_URL')}`,
      `~.sources.part.entrypoint: is required: the path of a decision, such as 'backstage_policy/decision'${NOT_SET('…')}`,
      `~.sources.list.baseUrl: is an empty list; name one or more URLs${EMPTY}`,
      `~.sources.empty.baseUrl: must be ${url}, not empty`,
    ]);
  });

  it('has other errors about what no variable can be in', async () => {
    const content = { routes: [{}] };
    expect(await problems({}, { file: { path: 'r.yaml', content } })).toEqual([
      "r.yaml: fallback: is required: 'allow' or 'deny'",
      "r.yaml: routes[0].prefix: is required: a permission prefix such as 'catalog.entity', or '' for every permission; or 'name', for one exact name",
      'r.yaml: routes[0].sources: is required: a list of source names',
    ]);
  });
});
