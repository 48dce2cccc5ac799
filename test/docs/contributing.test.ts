/**
 * docs/CONTRIBUTING.md knows every room of src/ and every command it tells people to run, and its
 * worked example works.
 */
import { execFile } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { transformFile } from '@swc/core';
import { parse } from 'yaml';
import { Guide } from '../support/guide';

const page = readFileSync('docs/CONTRIBUTING.md', 'utf8');

const rooms = readdirSync('src', { withFileTypes: true }).map(entry =>
  entry.isDirectory() ? `${entry.name}/` : entry.name,
);

it.each(rooms)('the map has %s', room => {
  const map = /^## The rooms of src\/$([\s\S]*?)^## /m.exec(page)![1]!;
  const lines = map.split('\n').filter(line => line.startsWith('- '));
  expect(lines.some(line => line.split(':')[0]!.includes(`\`${room}\``))).toBe(true);
});

const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  scripts: Record<string, string>;
};
const commands = [...page.matchAll(/npm run ([\w:-]+)/g)].map(([, name]) => name!);

it.each([...new Set(commands)])('npm run %s is a script of package.json', name => {
  expect(Object.keys(scripts)).toContain(name);
});

describe('the worked example of a kind of source', () => {
  const HEADING = 'Add a kind of source';
  const KINDS = 'src/sources/kinds.ts';
  const guide = new Guide('docs/CONTRIBUTING.md');
  let folder: string;

  beforeAll(async () => {
    await mkdir('.cache', { recursive: true });
    folder = await mkdtemp('.cache/worked-example-');
    await cp('src', join(folder, 'src'), { recursive: true });
    for (const block of guide.all(HEADING, 'ts')) {
      const [, path, code] = /^\/\/ (src\/\S+)\n([\s\S]*)$/.exec(block)!;
      await mkdir(join(folder, path!, '..'), { recursive: true });
      await writeFile(join(folder, path!), code!, { flag: 'wx' });
    }
    const kinds = await readFile(join(folder, KINDS), 'utf8');
    const [diff] = guide.all(HEADING, 'diff');
    await writeFile(join(folder, KINDS), patched(kinds, diff!));
    await writeFile(
      join(folder, 'tsconfig.json'),
      JSON.stringify({
        extends: '../../tsconfig.build.json',
        compilerOptions: { rootDir: 'src', outDir: 'dist', noEmitOnError: true },
        include: ['src'],
      }),
    );
    await node(require.resolve('typescript/bin/tsc'));
    await writeFile(join(folder, 'decide.js'), DECIDE);
  });

  afterAll(() => rm(folder, { recursive: true }));

  const node = async (...args: string[]): Promise<string> => {
    const run = promisify(execFile)(process.execPath, args, { cwd: folder });
    const { stdout } = await run.catch((error: Error & { stdout: string }) => {
      throw new Error(`${error.message}\n${error.stdout}`);
    });
    return stdout;
  };

  /** What the compiled router decides with the config of the page; its error if it does not start. */
  async function decide(until: Date): Promise<Record<string, unknown>> {
    const [text] = guide.all(HEADING, 'yaml');
    const config = parse(text!) as {
      permission: { policyRouter: { sources: { release: { until: string } } } };
    };
    config.permission.policyRouter.sources.release.until = until.toISOString();
    const printed = await node('decide.js', JSON.stringify(config));
    return JSON.parse(printed) as Record<string, unknown>;
  }

  const inHours = (hours: number): Date => new Date(Date.now() + hours * 3_600_000);

  it('compiles, and decides as the page says', async () => {
    expect(await decide(inHours(1))).toEqual({
      read: 'ALLOW',
      update: 'DENY',
      delete: 'DENY',
      none: 'DENY',
    });
    expect(await decide(inHours(-1))).toEqual({
      read: 'ALLOW',
      update: 'ALLOW',
      delete: 'ALLOW',
      none: 'ALLOW',
    });
  });

  it('without its line is refused as the page says', async () => {
    const { code } = await transformFile(KINDS, {
      jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
      module: { type: 'commonjs' },
    });
    await writeFile(join(folder, 'dist/sources/kinds.js'), code);
    const [refusal] = guide.all(HEADING, 'text');
    expect(await decide(inHours(1))).toEqual({ error: refusal!.trimEnd() });
  });
});

/** Applies each hunk of a diff where its old lines are, which must be one place. */
function patched(code: string, diff: string): string {
  const [, ...hunks] = diff.split(/^@@.*\n/m);
  expect(hunks).not.toEqual([]);
  return hunks.reduce((patching, hunk) => {
    const side = (sign: RegExp): string =>
      [...hunk.matchAll(sign)].map(([, line]) => `${line}\n`).join('');
    const parts = patching.split(side(/^[ -](.*)$/gm));
    expect(parts).toHaveLength(2);
    return parts.join(side(/^[ +](.*)$/gm));
  }, code);
}

/** Prints what the router decides, by action; runs beside the compiled `dist`. */
const DECIDE = `
const { ConfigReader } = require('@backstage/config');
const { ProvidedPolicies } = require('./dist/hosting/provided-policies.js');
const { createRouter } = require('./dist/router.js');

async function main() {
  const silent = () => {};
  const router = await createRouter({
    config: new ConfigReader(JSON.parse(process.argv[2])),
    services: {
      logger: { debug: silent, info: silent, warn: silent, error: silent },
      userInfo: { getUserInfo: () => Promise.reject(new Error('not expected')) },
      readRules: () => Promise.reject(new Error('not expected')),
      policies: new ProvidedPolicies(),
    },
  });
  const user = {
    info: { userEntityRef: 'user:default/olivia', ownershipEntityRefs: [] },
  };
  const results = {};
  for (const action of ['read', 'update', 'delete', undefined]) {
    const permission = { type: 'basic', name: 'catalog.x', attributes: { action } };
    const { result } = await router.policy.handle({ permission }, user);
    results[action ?? 'none'] = result;
  }
  router.close();
  return results;
}

main()
  .catch(error => ({ error: error.message }))
  .then(results => console.log(JSON.stringify(results)));
`;
