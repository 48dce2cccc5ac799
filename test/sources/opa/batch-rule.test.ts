import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { batchRule, isRulePath } from '../../../src/sources/opa/batch-rule';
import { startOpa, type OpaServer } from '../../support/opa-server';
import { describeWithOpa, requireOpa } from '../../support/with-opa';

const run = promisify(execFile);

describe('the path of a rule', () => {
  it.each(['policy_router/batch', 'a/b/c', 'A/_b', '_/_', 'x1/count'])(
    'can be %s',
    path => expect(isRulePath(path)).toBe(true),
  );

  it.each([
    'batch',
    '',
    '/batch',
    'a/',
    'a//b',
    'policy-router/batch',
    'a.b/c',
    'a/1',
    'package/batch',
    'a/input',
    'data/a',
    'ä/b',
    'a/b c',
    'a/b\n',
  ])('cannot be %j', path => expect(isRulePath(path)).toBe(false));
});

it('names what it was made for, so that a mismatch is seen', () => {
  expect(batchRule('team/decision', 'policy_router/batch')).toContain(
    'policy-router rego-batch team/decision\n',
  );
  const elsewhere = batchRule('a-b/decision', 'my/own/rule');
  expect(elsewhere).toContain(
    'policy-router rego-batch a-b/decision --rule my/own/rule\n',
  );
  expect(elsewhere).toContain('\npackage my.own\n');
  expect(elsewhere).toContain('\nrule := {');
  expect(elsewhere).toContain('"entrypoint": "a-b/decision"');
  expect(elsewhere).toContain('data["a-b"].decision with input as');
});

const decision = (result: string): object => ({ result });

/** Documents by their paths; each member of `ODD` is a path into them, and names one of them. */
const DOCUMENTS = {
  plain: { decision: decision('plain') },
  'a-b': { 'c.d': decision('dashes') },
  package: { import: decision('reserved words') },
  input: { data: decision('roots') },
  every: { contains: decision('later reserved words'), if: decision('if') },
  "'q'": { 'a\\x': decision('a backslash') },
  '`b`': { '{c}': decision('brackets') },
  ä: { 日本: decision('unicode') },
  '😀': { '\u0301': decision('a combining mark') },
  _: { _: decision('wildcards'), $1: decision('generated names') },
  __proto: { __proto__: decision('a prototype') },
  'a:b': { '*': decision('signs') },
  keyed: { '0': decision('a key'), '12345678901234567890': decision('a long key') },
  list: [decision('first'), { deep: [decision('a'), decision('b')] }],
};

const ODD = [
  'plain/decision',
  'plain',
  'a-b/c.d',
  'package/import',
  'input/data',
  'every/contains',
  'every/if',
  `'q'/a\\x`,
  '`b`/{c}',
  'ä/日本',
  '😀/\u0301',
  '_/_',
  '_/$1',
  '__proto/__proto__',
  'a:b/*',
  'keyed/0',
  'keyed/12345678901234567890',
  'list/0',
  'list/1/deep/1',
  'list/-1',
  'list/00',
  'list/+1/deep/+0',
  'made/list/0',
  'made/list/1/0',
  'made/keyed/a',
  'made/numbered/7',
  'made/numbered/-7',
  'made/numbered/007',
  'plain/missing',
];

/** In what rules make, a number is no text. */
const MADE = `package made
import rego.v1
list := [{"result": "first"}, [{"result": "second"}]]
keyed := {"0": {"result": "text"}, "a": {"result": "a"}}
numbered[7] := {"result": "number"}
numbered[-7] := {"result": "negative"}
`;

const RULES = [
  'policy_router/batch',
  'my_policy/batch',
  'a/b/c',
  'my/count',
  'print/print',
  'A/_b',
];

describeWithOpa('the rule in OPA', () => {
  let folder: string;
  let opa: OpaServer;
  const odd = ODD.map((entrypoint, index) => ({ entrypoint, rule: `odd/r${index}` }));
  const named = RULES.map(rule => ({ entrypoint: 'plain/decision', rule }));

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'batch-rule-'));
    await writeFile(join(folder, 'data.json'), JSON.stringify(DOCUMENTS));
    await Promise.all(
      [...odd, ...named].map(({ entrypoint, rule }, index) =>
        writeFile(join(folder, `${index}.rego`), batchRule(entrypoint, rule)),
      ),
    );
    await writeFile(join(folder, 'made.rego'), MADE);
    opa = await startOpa({ binary: requireOpa(), policies: [folder] });
  });

  afterAll(async () => {
    await opa?.stop();
    await rm(folder, { recursive: true });
  });

  it('passes the strict checks', async () => {
    await run(requireOpa(), ['check', '--strict', folder]);
    // As Rego was before version 1, in which 'import rego.v1' says what it is.
    await run(requireOpa(), ['check', '--strict', '--v0-compatible', folder]);
  });

  it('is written as OPA formats it', async () => {
    const file = join(folder, '0.rego');
    const { stdout } = await run(requireOpa(), ['fmt', '--list', file]);
    expect(stdout).toBe('');
  });

  async function ask(path: string, input: object): Promise<unknown> {
    const url = `${opa.url}/v1/data/${path.split('/').map(encodeURIComponent).join('/')}`;
    const body = JSON.stringify({ input });
    const answer = await fetch(url, { method: 'POST', body });
    return ((await answer.json()) as { result?: unknown }).result;
  }

  const identity = { user: 'user:default/dana', claims: [] };
  const permission = { name: 'a', type: 'basic', attributes: {} };

  it.each([...odd, ...named])(
    'at $rule asks what OPA answers at $entrypoint',
    async ({ entrypoint, rule }) => {
      const expected = await ask(entrypoint, { permission, identity });
      expect(await ask(rule, { identity, permissions: { x: permission } })).toEqual({
        version: 1,
        entrypoint,
        decisions: expected === undefined ? {} : { x: expected },
      });
    },
  );
});
