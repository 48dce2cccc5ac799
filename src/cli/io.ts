import { styleText } from 'node:util';
import type { SecretValues } from './secret-values';

type Style = Parameters<typeof styleText>[0];

/** Where a command writes to, and what it may read besides files. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A line, or several, for the result. */
  out(text: string): void;
  /** A line, or several, for progress and problems. */
  err(text: string): void;
  /** Replaces the last text of how far a command is, on a terminal; absent elsewhere. */
  progress?(text: string): void;
  /** The text in this style if a person reads the result on a terminal. */
  style(style: Style, text: string): string;
  /** What the config has from elsewhere; a message about the config must not show it. */
  readonly secrets: SecretValues;
}

/** What a process gives. */
export type ProcessIo = Omit<Io, 'secrets'>;

/** Colours only on a terminal, and never where `NO_COLOR` is set (https://no-color.org). */
export function processIo({ stdout, stderr, env }: NodeJS.Process): ProcessIo {
  const hasColours = stdout.isTTY && !env.NO_COLOR && env.TERM !== 'dumb';
  return {
    env,
    out: text => void stdout.write(`${text}\n`),
    err: text => void stderr.write(`${text}\n`),
    ...(stderr.isTTY
      ? { progress: (text: string) => void stderr.write(`\r\u001b[K${text}`) }
      : {}),
    // Looked at above; by itself it looks at another stream.
    style: (style, text) =>
      hasColours ? styleText(style, text, { validateStream: false }) : text,
  };
}

/** What `--json` prints: indented, because people read it too. */
export const json = (value: unknown): string => JSON.stringify(value, null, 2);
