/** The command `policy-router`: what its subcommands share. Each is a file of `commands/`. */
import { Command, CommanderError } from 'commander';
import { scope } from '../trace/scope';
import { ConfigError } from '../config/types';
import { checkCommand } from './commands/check';
import { CliError, EXIT, EXIT_HELP, type ExitCode } from './exit-code';
import type { Io } from './io';

/** Makes a subcommand; its action calls `end` with an exit code other than 0. */
export type MakeCommand = (io: Io, end: (code: ExitCode) => void) => Command;

/** In the order of `--help`. */
const COMMANDS: readonly MakeCommand[] = [checkCommand];

const ABOUT = `Shows what a routing table decides before anybody feels it.

Start with:
  policy-router check`;

/** Runs one command. Never rejects. */
export async function runCli(args: readonly string[], io: Io): Promise<ExitCode> {
  let code: ExitCode = EXIT.ok;
  const program = new Command('policy-router')
    .description(ABOUT)
    .version(scope.version ?? 'unknown', '--version', 'print the version')
    .helpCommand(false);
  for (const make of COMMANDS) {
    program.addCommand(make(io, ended => (code = ended)));
  }
  for (const each of [program, ...program.commands]) {
    each
      .addHelpText('after', EXIT_HELP)
      .exitOverride()
      .showSuggestionAfterError()
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
  if (error instanceof CliError) {
    io.err(error.message);
    return error.exitCode;
  }
  if (error instanceof ConfigError) {
    io.err(error.message);
    return EXIT.found;
  }
  // A bug of ours: its stack helps whoever reports it.
  io.err(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return EXIT.usage;
}
