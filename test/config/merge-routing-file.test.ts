import { routingFilePath } from '../../src/config/merge-routing-file';
import { readConfig } from '../../src/config/read';
import { config, problems, ROUTE, warnings } from '../support/read-config';

describe('the routing file', () => {
  const path = './config/routing.yaml';
  const raw = config({ routingFile: path, fallback: undefined, routes: undefined });
  const table = { fallback: 'allow', routes: [ROUTE] };
  const fileProblems = async (content: unknown, app: unknown = raw) =>
    await problems(app, { file: { path, content } });

  it('has the fallback and the routes', async () => {
    const read = (await readConfig(raw, { path, content: table })).config;
    expect(read.fallback).toBe('allow');
    expect(read.routes).toMatchObject([
      { segments: [], sources: ['opa', 'ownership'] },
    ]);
  });

  it.each([
    ['the fallback', { fallback: 'deny' }, ['fallback']],
    ['routes', { routes: [ROUTE] }, ['routes']],
    ['both', { fallback: 'deny', routes: [ROUTE] }, ['fallback', 'routes']],
    ['a fallback of null', { fallback: null }, ['fallback']],
  ])('cannot be combined with %s in app-config', async (_what, changes, keys) => {
    expect(await fileProblems(table, { ...raw, ...changes })).toEqual(
      keys.map(
        key =>
          `~.${key}: cannot be combined with routingFile, which contains fallback and routes; keep one of the two`,
      ),
    );
  });

  it.each([
    [
      'must not be empty',
      null,
      `${path}: must contain fallback and routes, but is empty`,
    ],
    [
      'must not be undefined',
      undefined,
      `${path}: must contain fallback and routes, but is empty`,
    ],
    [
      'must not be text',
      'deny',
      `${path}: must contain fallback and routes, but is not an object`,
    ],
    [
      'must not be a list',
      [ROUTE],
      `${path}: must contain fallback and routes, but is not an object`,
    ],
    [
      'refuses an unknown key',
      { ...table, sources: {} },
      `${path}: unknown key 'sources'; allowed: fallback, routes`,
    ],
    [
      'refuses a key that would change prototypes',
      { ...table, ...(JSON.parse('{ "__proto__": {} }') as object) },
      `${path}: unknown key '__proto__'; allowed: fallback, routes`,
    ],
    [
      'needs the fallback',
      { routes: [ROUTE] },
      `${path}: fallback: is required: 'allow' or 'deny'`,
    ],
    [
      'needs routes',
      { fallback: 'deny' },
      `${path}: routes: is required: a list of routes`,
    ],
    [
      'is named in the paths of its problems',
      { fallback: 'deny', routes: [{ prefix: '', sources: ['oppa'] }] },
      `${path}: routes[0].sources[0]: unknown source 'oppa'; allowed: 'allow', 'deny', 'opa', 'ownership'`,
    ],
    [
      'is named if routes tie',
      { fallback: 'deny', routes: [ROUTE, { ...ROUTE, sources: ['deny'] }] },
      `${path}: routes[1]: ties with routes[0]: prefix '*' and number of constraints are equal and some permission fits both; make their actions or resourceTypes disjoint`,
    ],
  ])('%s', async (_rule, content, problem) => {
    expect(await fileProblems(content)).toContain(problem);
  });

  it('is reported together with what is wrong in app-config', async () => {
    const content = { ...table, fallback: 'closed', route: [] };
    expect(
      (await fileProblems(content, { ...raw, anonymous: 'allow' })).sort(),
    ).toEqual([
      `${path}: fallback: must be 'allow' or 'deny', not "closed"`,
      `${path}: unknown key 'route'; allowed: fallback, routes`,
      `~.anonymous: must be 'deny' or 'evaluate', not "allow"`,
    ]);
  });

  it('does not change the paths of problems in app-config', async () => {
    expect(await fileProblems(table, { ...raw, anonymous: 'allow' })).toEqual([
      `~.anonymous: must be 'deny' or 'evaluate', not "allow"`,
    ]);
  });

  it.each([
    ['as it is written', { routingFile: path }, path],
    ['as undefined if it is empty', { routingFile: '' }, undefined],
    ['as undefined if it is not a string', { routingFile: 1 }, undefined],
    ['as undefined if it is missing', {}, undefined],
    ['as undefined if the config is missing', undefined, undefined],
    ['as undefined if the config is a list', [], undefined],
  ])('has its path %s', (_how, value, expected) => {
    expect(routingFilePath(value)).toBe(expected);
  });

  it('is named in the paths of warnings about its routes', async () => {
    const raw = config({
      fallback: undefined,
      routes: undefined,
      routingFile: 'r.yaml',
    });
    const content = { fallback: 'allow', routes: [{ ...ROUTE, actions: ['read'] }] };
    expect(await warnings(raw, { file: { path: 'r.yaml', content } })).toEqual([
      "'*' [read] (r.yaml: routes[0]): other permissions of this prefix (create, update, delete, none) " +
        'fall to the fallback, which allows what no source denies',
    ]);
  });
});
