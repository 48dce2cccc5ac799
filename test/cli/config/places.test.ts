import { ConfigSources } from '@backstage/config-loader';
import type { Path } from '../../../src/config/findings';
import { formatPlace, Places } from '../../../src/cli/config/places';
import { folderWith, removeFolders } from '../../support/folder';

const before = process.cwd();
afterEach(() => process.chdir(before));
afterAll(removeFolders);

/** Where a key is: in the last of the files, as the command reads them. */
async function placeOf(
  path: Path,
  files: Readonly<Record<string, string>>,
  {
    read = ['app-config.yaml'],
    env = {},
  }: { read?: readonly string[]; env?: Record<string, string> } = {},
): Promise<string | undefined> {
  process.chdir(folderWith(files));
  const argv = read.flatMap(name => ['--config', name]);
  const source = ConfigSources.default({ argv, env, watch: false });
  const { value } = await source.readConfigData().next();
  const place = new Places({ files: value!.configs }, env).inAppConfig(path);
  return place && formatPlace(place);
}

const below = (text: string): string =>
  `permission:\n  policyRouter:\n${text.replace(/^/gm, '    ')}`;

describe('a key', () => {
  it.each<[string, Path, string, string]>([
    [
      'in a block',
      ['sources', 'opa', 'type'],
      below('sources:\n  opa:\n    type: opa'),
      '5:9',
    ],
    [
      'in flow style',
      ['sources', 'opa', 'type'],
      below('sources: { opa: { type: opa } }'),
      '3:23',
    ],
    ['that is a list item', ['routes', 1], below('routes:\n  - a: 1\n  - a: 2'), '5:9'],
    [
      'in a list item',
      ['routes', 1, 'b'],
      below('routes:\n  - a: 1\n  - a: 2\n    b: 3'),
      '6:9',
    ],
    [
      'in a list item in flow style',
      ['routes', 1, 'a'],
      below('routes: [{ a: 1 }, { a: 2 }]'),
      '3:26',
    ],
    [
      'that is missing',
      ['sources', 'opa', 'type'],
      below('sources:\n  opa:\n    timeout: 1s'),
      '4:7',
    ],
    ['whose parents are missing', ['sources', 'opa'], below('fallback: deny'), '2:3'],
    [
      'in quotes',
      ['sources', 'a b', 'type'],
      below('sources:\n  "a b": { type: opa }'),
      '4:16',
    ],
    [
      'that is a number',
      ['sources', '1', 'type'],
      below('sources: { 1: { type: opa } }'),
      '3:21',
    ],
    [
      'behind an alias',
      ['sources', 'b', 'type'],
      below('sources:\n  a: &a\n    type: opa\n  b: *a'),
      '5:9',
    ],
    ['of an item that is not there', ['routes', 5], below('routes: [{ a: 1 }]'), '3:5'],
    [
      'after Windows line ends',
      ['fallback'],
      below('anonymous: deny\nfallback: deny').replaceAll('\n', '\r\n'),
      '4:5',
    ],
    [
      'after a byte order mark',
      ['fallback'],
      `\ufeff${below('fallback: deny')}`,
      '3:5',
    ],
  ])('%s', async (_what, path, text, place) => {
    expect(await placeOf(path, { 'app-config.yaml': text })).toBe(
      `app-config.yaml:${place}`,
    );
  });
});

describe('in several files', () => {
  const read = ['a.yaml', 'b.yaml'];

  it('the last one with the value wins', async () => {
    const files = { 'a.yaml': below('fallback: deny'), 'b.yaml': below('fallback: x') };
    expect(await placeOf(['fallback'], files, { read })).toBe('b.yaml:3:5');
    expect(await placeOf(['fallback'], files, { read: ['b.yaml', 'a.yaml'] })).toBe(
      'a.yaml:3:5',
    );
  });

  it('the one that goes deepest has it, because maps are merged', async () => {
    const files = {
      'a.yaml': below('sources:\n  opa:\n    type: x'),
      'b.yaml': below('sources:\n  opa:\n    timeout: 1s'),
    };
    expect(await placeOf(['sources', 'opa', 'type'], files, { read })).toBe(
      'a.yaml:5:9',
    );
  });

  it('a list replaces the one before, also where an item lacks the key', async () => {
    const files = {
      'a.yaml': below('routes:\n  - prefix: a\n    sources: [a]'),
      'b.yaml': below('anonymous: deny\nroutes:\n  - prefix: a'),
    };
    expect(await placeOf(['routes', 0, 'sources'], files, { read })).toBe('b.yaml:5:9');
  });

  it('a text replaces the map before', async () => {
    const files = {
      'a.yaml': below('sources:\n  opa: { type: x }'),
      'b.yaml': below('sources:\n  opa: opa'),
    };
    expect(await placeOf(['sources', 'opa', 'type'], files, { read })).toBe(
      'b.yaml:4:7',
    );
  });

  it('one without the section does not matter', async () => {
    const files = { 'a.yaml': below('fallback: x'), 'b.yaml': 'app: {}' };
    expect(await placeOf(['fallback'], files, { read })).toBe('a.yaml:3:5');
  });
});

describe('through $include', () => {
  it('of the whole, of a part, and of a file in a file in another folder', async () => {
    const files = {
      'app-config.yaml': below('$include: parts/router.yaml'),
      'parts/router.yaml':
        '# the router\nfallback: deny\nroutes:\n  $include: deep/all.yaml#tables.main\n',
      'parts/deep/all.yaml':
        'tables:\n  other: []\n  main:\n    - prefix: a\n    - prefix: b\n',
    };
    expect(await placeOf(['fallback'], files)).toBe('parts/router.yaml:2:1');
    expect(await placeOf(['routes', 1, 'prefix'], files)).toBe(
      'parts/deep/all.yaml:5:7',
    );
    expect(await placeOf(['routes', 1, 'sources'], files)).toBe(
      'parts/deep/all.yaml:5:7',
    );
    expect(await placeOf(['sources'], files)).toBe('parts/router.yaml:2:1');
  });

  it('of one list item', async () => {
    const files = {
      'app-config.yaml': below('routes:\n  - $include: one.yaml\n  - { prefix: b }'),
      'one.yaml': 'prefix: a\nsources: [x]\n',
    };
    expect(await placeOf(['routes', 0, 'sources', 0], files)).toBe('one.yaml:2:11');
    expect(await placeOf(['routes', 1, 'prefix'], files)).toBe('app-config.yaml:5:11');
  });

  it('of a JSON file', async () => {
    const files = {
      'app-config.yaml': below('routes: { $include: ./routes.json }'),
      'routes.json': '[\n  { "prefix": "a" }\n]\n',
    };
    expect(await placeOf(['routes', 0, 'prefix'], files)).toBe('routes.json:2:5');
  });
});

describe('of the environment', () => {
  it('names the variable that sets the value, or what is around it', async () => {
    const files = { 'app-config.yaml': below('fallback: deny\nsources: {}') };
    const env = {
      APP_CONFIG_permission_policyRouter_fallback: 'nope',
      APP_CONFIG_permission_policyRouter_sources: '{"opa":{"type":"x"}}',
    };
    expect(await placeOf(['fallback'], files, { env })).toBe(
      'APP_CONFIG_permission_policyRouter_fallback',
    );
    expect(await placeOf(['sources', 'opa', 'type'], files, { env })).toBe(
      'APP_CONFIG_permission_policyRouter_sources',
    );
    expect(await placeOf(['anonymous'], files, { env })).toBe('app-config.yaml:2:3');
  });

  it('is the key whose value has a variable', async () => {
    process.env.SOME_FALLBACK = 'nope';
    const files = { 'app-config.yaml': below('fallback: ${SOME_FALLBACK}') };
    expect(await placeOf(['fallback'], files)).toBe('app-config.yaml:3:5');
    delete process.env.SOME_FALLBACK;
  });
});

it('is not found in files without the section', async () => {
  expect(await placeOf(['fallback'], { 'app-config.yaml': 'app: {}' })).toBeUndefined();
});

it('ends where files include each other', () => {
  const folder = folderWith({
    'a.yaml': 'permission: { $include: b.yaml }',
    'b.yaml': '$include: a.yaml#permission',
  });
  process.chdir(folder);
  const files = [{ path: `${folder}/a.yaml`, data: {}, context: '' }];
  expect(new Places({ files }).inAppConfig(['fallback'])).toMatchObject({ line: 1 });
});
