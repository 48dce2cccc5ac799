import type { Command } from 'commander';
import type { ExitCode } from './exit-code';
import type { Io } from './io';

/** Makes a subcommand; its action calls `end` with an exit code other than 0. */
export type MakeCommand = (io: Io, end: (code: ExitCode) => void) => Command;
