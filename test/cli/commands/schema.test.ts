import { readFileSync } from 'node:fs';
import { runPolicyRouter } from '../../support/cli';

it.each([
  [[], 'routing'],
  [['routing'], 'routing'],
  [['tests'], 'tests'],
])('schema %j prints the schema that the package ships', async (args, name) => {
  const { code, out, err } = await runPolicyRouter(['schema', ...args]);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(JSON.parse(out)).toEqual(
    JSON.parse(readFileSync(`config/${name}.schema.json`, 'utf8')),
  );
});

it('names the kinds of files', async () => {
  const { code, err } = await runPolicyRouter(['schema', 'test']);
  expect(err).toContain('Allowed choices are routing, tests.');
  expect(code).toBe(2);
});
