/** The tests that `init` writes pass, and reach every route. */
import { removeFolders, folderWith } from '../../support/folder';
import { runPolicyRouter } from '../../support/cli';
import { describeWithOpa, requireOpa } from '../../support/with-opa';

afterAll(removeFolders);

async function testsPass(preset: string, args: readonly string[] = [], env = {}) {
  const cwd = folderWith();
  await runPolicyRouter(['init', preset], { cwd });
  const files = [
    'config/policy-router.tests.yaml',
    '--config',
    'app-config.policy-router.yaml',
  ];
  const run = await runPolicyRouter(['test', ...files, '--min-reach', '100', ...args], {
    cwd,
    env,
  });
  expect({ code: run.code, out: run.out }).toEqual({
    code: 0,
    out: expect.stringContaining('reach: 13 of 13') as string,
  });
}

it.each(['least-privilege', 'embedded-rego', 'observe-allow-all'])('of %s', preset =>
  testsPass(preset),
);

describeWithOpa('with an OPA', () => {
  it('of opa', () =>
    testsPass('opa', ['--policies', 'config/policies'], {
      OPA_BIN: requireOpa(),
      OPA_URL: 'http://127.0.0.1:8181',
    }));
});
