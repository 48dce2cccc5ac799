/** How a command ended, for scripts. `--help` of every command lists them. */
export const EXIT = {
  /** Nothing was found. */
  ok: 0,
  /** What was looked for was found: errors in a config, a case that fails, a decision that changes. */
  found: 1,
  /** The command could not run: a wrong option, or a file that cannot be read. */
  usage: 2,
  /** A backend or OPA could not be asked. */
  unreachable: 3,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_HELP = `
Exit codes:
  0  all is well
  1  something was found: an error, a case that fails, a decision that changes
  2  the command could not run: a wrong option, or a file that cannot be read
  3  a backend or OPA could not be asked`;

/** Ends a command with a message for people. */
export class CliError extends Error {
  override readonly name = 'CliError';

  constructor(
    message: string,
    readonly exitCode: ExitCode = EXIT.usage,
  ) {
    super(message);
  }
}
