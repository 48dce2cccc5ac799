import { runCli } from '../../src/cli/program';

export interface CliRun {
  readonly code: number;
  /** What it wrote, each with the line ends it has. */
  readonly out: string;
  readonly err: string;
}

/** Runs `policy-router` in this process, without colours; in `cwd`, if it is given. */
export async function runPolicyRouter(
  args: readonly string[],
  { cwd, env = {} }: { cwd?: string; env?: Record<string, string | undefined> } = {},
): Promise<CliRun> {
  const before = process.cwd();
  let out = '';
  let err = '';
  if (cwd !== undefined) process.chdir(cwd);
  try {
    const code = await runCli(args, {
      env,
      out: text => void (out += `${text}\n`),
      err: text => void (err += `${text}\n`),
      style: (_style, text) => text,
    });
    return { code, out, err };
  } finally {
    process.chdir(before);
  }
}
