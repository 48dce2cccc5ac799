/** The command `policy-router`: what its subcommands share. Each is a file of `commands/`. */
import { Command, CommanderError, Help } from 'commander';
import { scope } from '../trace/scope';
import { ConfigError } from '../config/types';
import type * as Check from './commands/check';
import type * as Explain from './commands/explain';
import type * as Init from './commands/init';
import type * as Coverage from './commands/coverage';
import type * as Replay from './commands/replay';
import type * as Observed from './commands/observed';
import type * as RegoBatch from './commands/rego-batch';
import type * as Schema from './commands/schema';
import type * as Test from './commands/test';
import { CliError, EXIT, EXIT_HELP, type ExitCode } from './exit-code';
import { SecretValues } from './secret-values';
import type { Io, ProcessIo } from './io';
import type { MakeCommand } from './make-command';

interface Listed {
  readonly name: string;
  /** Its line in `--help`. */
  readonly summary: string;
  /** Loaded when it is needed: what some commands work with takes seconds to load. */
  readonly load: () => MakeCommand;
}

/* eslint-disable @typescript-eslint/no-require-imports -- an import would load it at start */
/** In the order of `--help`. */
const COMMANDS: readonly Listed[] = [
  {
    name: 'init',
    summary: 'write a routing table to start from, its app-config and tests',
    load: () => (require('./commands/init') as typeof Init).initCommand,
  },
  {
    name: 'check',
    summary: 'find the mistakes in app-config and routing file',
    load: () => (require('./commands/check') as typeof Check).checkCommand,
  },
  {
    name: 'test',
    summary: 'test what the routing table decides',
    load: () => (require('./commands/test') as typeof Test).testCommand,
  },
  {
    name: 'explain',
    summary: 'explain one decision, and why it was made',
    load: () => (require('./commands/explain') as typeof Explain).explainCommand,
  },
  {
    name: 'coverage',
    summary: 'show what decides each permission that the plugins declare',
    load: () => (require('./commands/coverage') as typeof Coverage).coverageCommand,
  },
  {
    name: 'replay',
    summary: 'decide recorded decisions again by another table',
    load: () => (require('./commands/replay') as typeof Replay).replayCommand,
  },
  {
    name: 'observed',
    summary: 'sum up what observe would have denied',
    load: () => (require('./commands/observed') as typeof Observed).observedCommand,
  },
  {
    name: 'schema',
    summary: 'print the JSON Schema of a routing file or of a test file',
    load: () => (require('./commands/schema') as typeof Schema).schemaCommand,
  },
  {
    name: 'rego-batch',
    summary: 'print the Rego rule that answers many questions in one request',
    load: () => (require('./commands/rego-batch') as typeof RegoBatch).regoBatchCommand,
  },
];
/* eslint-enable @typescript-eslint/no-require-imports */

const ABOUT = `Shows what a routing table decides before anybody feels it.

Start with:
  policy-router init least-privilege --dir packages/backend

It prints what to run next.

More about each command: docs/cli.md in the package`;

const HELP: Partial<Help> = {
  // An empty list, or no stand-in, as a default is no news.
  optionDescription: option =>
    typeof option.defaultValue === 'object'
      ? option.description
      : new Help().optionDescription(option),
};

/** Runs one command. Never rejects. */
export async function runCli(
  args: readonly string[],
  process: ProcessIo,
): Promise<ExitCode> {
  const io: Io = { ...process, secrets: new SecretValues() };
  let code: ExitCode = EXIT.ok;
  const program = new Command('policy-router')
    .description(ABOUT)
    .version(scope.version ?? 'unknown', '--version', 'print the version')
    .helpCommand(false);
  for (const { name, summary, load } of COMMANDS) {
    const command = args.includes(name)
      ? load()(io, ended => (code = ended))
      : new Command(name).usage('[options]');
    program.addCommand(command.name(name).summary(summary));
  }
  for (const each of [program, ...program.commands]) {
    each
      .addHelpText('after', EXIT_HELP)
      .exitOverride()
      .showSuggestionAfterError()
      .configureHelp(HELP)
      .configureOutput({
        writeOut: text => io.out(text.trimEnd()),
        writeErr: text => io.err(text.trimEnd()),
      });
  }
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    return codeOf(error, io);
  }
}

function codeOf(error: unknown, io: Io): ExitCode {
  // commander has printed it.
  if (error instanceof CommanderError)
    return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const say = (text: string): void => io.err(io.secrets.hide(text));
  if (error instanceof CliError) {
    say(error.message);
    return error.exitCode;
  }
  if (error instanceof ConfigError) {
    say(`${error.message}\n'policy-router check' shows where each of them is.`);
    return EXIT.found;
  }
  // A bug in this command: its stack helps to report it.
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return EXIT.usage;
}
