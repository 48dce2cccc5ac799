import { readdirSync } from 'node:fs';
import { SecretValues } from '../../src/cli/secret-values';
import { processIo } from '../../src/cli/io';
import { runPolicyRouter } from '../support/cli';

const COMMANDS = readdirSync('src/cli/commands').map(name => name.replace(/\.ts$/, ''));

const help = async (...args: string[]): Promise<string> => {
  const { code, out, err } = await runPolicyRouter([...args, '--help']);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return out;
};

it('--help lists every command with a line about it, and how to start', async () => {
  const text = await help();
  for (const name of COMMANDS)
    expect(text).toMatch(new RegExp(`^  ${name} {2,}\\w+`, 'm'));
  expect(text).toContain('Start with:\n  policy-router init ');
  expect(text).toContain('Exit codes:\n');
});

it.each(COMMANDS)('%s --help has an example, and the exit codes', async name => {
  const text = await help(name);
  expect(text).toMatch(new RegExp(`^Usage: policy-router ${name} \\[options\\]`));
  expect(text).toMatch(new RegExp(`^Example:\\n  [^\\n]*policy-router ${name} `, 'm'));
  expect(text).toContain('Exit codes:\n  0  all is well\n');
  expect(text).not.toContain('(default: [])');
});

it('no command at all prints the help, and is a slip', async () => {
  const { code, err } = await runPolicyRouter([]);
  expect(err).toContain('Usage: policy-router [options] [command]');
  expect(code).toBe(2);
});

it.each([
  [['chekc'], "error: unknown command 'chekc'\n(Did you mean check?)\n"],
  [['check', '--jsno'], "error: unknown option '--jsno'\n(Did you mean --json?)\n"],
  [['init'], "error: missing required argument 'preset'\n"],
])('%j is answered with what was meant', async (args, message) => {
  expect(await runPolicyRouter(args)).toEqual({ code: 2, out: '', err: message });
});

describe('colours', () => {
  const io = (isTTY: boolean, env: NodeJS.ProcessEnv) => {
    const stream = { isTTY, write: () => true };
    return processIo({
      stdout: stream,
      stderr: stream,
      env,
    } as unknown as NodeJS.Process);
  };

  it.each<[string, boolean, NodeJS.ProcessEnv, boolean]>([
    ['on a terminal', true, {}, true],
    ['not in a pipe', false, {}, false],
    ['not with NO_COLOR', true, { NO_COLOR: '1' }, false],
    ['not on a dumb terminal', true, { TERM: 'dumb' }, false],
  ])('%s', (_where, isTTY, env, expected) => {
    expect(io(isTTY, env).style('red', 'text') !== 'text').toBe(expected);
  });
});

describe('secret values', () => {
  const secrets = new SecretValues();
  secrets.add('a-secret value', '${TOKEN}');
  secrets.add('a-secret value with more', '${LONGER}');
  secrets.add('TOKEN', '${NAME}');
  secrets.add('ab', '${SHORT}');

  it.each([
    ['nothing of it', 'nothing of it'],
    ['x a-secret value y', 'x ${TOKEN} y'],
    ["'A-SECRET VALUE'".toLowerCase(), "'${TOKEN}'"],
    ['a-secret value with more', '${LONGER}'],
    ['a-secret value with mo…', '${TOKEN} with mo…'],
    // A beginning of both; either name hides it.
    ['a-secret va…', '${LONGER}'],
    ['ab', 'ab'],
  ])('%s', (text, hidden) => expect(secrets.hide(text)).toBe(hidden));
});
