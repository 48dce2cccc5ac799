/** The recipes of config/, checked and tested as docs/ci.md tells users to do it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { runPolicyRouter, type CliRun } from '../support/cli';
import { describeWithOpa, requireOpa } from '../support/with-opa';

const FOLDER = 'config/recipes';
const RECIPES = readdirSync(FOLDER);
/** Of the recipes that have no Rego of their own. */
const SHIPPED = 'config/policies/backstage.rego';

const run = (...args: string[]): Promise<CliRun> =>
  runPolicyRouter(args, {
    env: { OPA_BIN: requireOpa(), OPA_URL: process.env.OPA_URL },
  });

it('docs/recipes.md lists them all', () => {
  const rows = readFileSync('docs/recipes.md', 'utf8').matchAll(/^\| `([\w-]+)`/gm);
  expect([...rows].map(([, name]) => name).sort()).toEqual([...RECIPES].sort());
});

describeWithOpa.each(RECIPES)('the recipe %s', recipe => {
  const folder = `${FOLDER}/${recipe}`;
  const config = ['--config', `${folder}/app-config.yaml`];
  const own = `${folder}/policies`;

  beforeAll(() => {
    // app-config takes it from the environment; nobody is asked there.
    process.env.OPA_URL ??= 'http://127.0.0.1:8181';
  });

  it('has nothing to warn of', async () => {
    expect(await run('check', '--strict', ...config)).toMatchObject({
      code: 0,
      err: '',
    });
  });

  it('decides as its cases say, and has one for each route', async () => {
    const rego = ['--policies', existsSync(own) ? own : SHIPPED];
    const cases = ['--min-reach', '100', `${folder}/tests.yaml`];
    const { code, out, err } = await run('test', ...config, ...rego, ...cases);
    expect({ code, err, out }).toMatchObject({ code: 0, err: '' });
    expect(out).toMatch(/^\d+ passed$/m);
  });
});
