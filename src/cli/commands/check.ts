import { Command, Option } from 'commander';
import { checkConfig, type Checked } from '../check/check-config';
import { silence } from '../check/ignore';
import {
  checkReport,
  checkText,
  unreadableReport,
  type CheckReport,
} from '../check/report';
import { readAppConfig } from '../config/app-config';
import { UnreadableConfig } from '../config/reading-problems';
import { EXIT } from '../exit-code';
import { json, type Io } from '../io';
import { configOption, jsonOption, repeatable } from '../options';
import type { MakeCommand } from '../make-command';

interface CheckOptions {
  readonly config: readonly string[];
  readonly ignore: readonly string[];
  readonly strict?: true;
  readonly json?: true;
}

/** `policy-router check`: everything that is wrong or odd in app-config and routing file. */
export const checkCommand: MakeCommand = (io, end) =>
  new Command()
    .description(
      `Reads app-config and the routing file as a backend does, loads bundles, and lists all errors and warnings with their places. It asks no server. Run it in the folder in which the backend runs.

Example:
  policy-router check --config ../../app-config.yaml \\
    --config ../../app-config.production.yaml`,
    )
    .addOption(configOption())
    .addOption(
      repeatable(
        '--ignore <code>',
        "a warning to leave out, such as UNUSED_SOURCE, or 'UNUSED_SOURCE:sources.opa' for one place; repeatable",
      ),
    )
    .addOption(new Option('--strict', 'end with exit code 1 if there is a warning'))
    .addOption(jsonOption())
    .action(async (options: CheckOptions) => {
      const { report, checked } = await check(options, io);
      const text = options.json ? json(report) : checkText(report, checked, io);
      io.out(text);
      const isFound = !report.ok || (options.strict && report.warnings.length > 0);
      if (isFound) end(EXIT.found);
    });

async function check(
  { config, ignore }: CheckOptions,
  io: Io,
): Promise<{ readonly report: CheckReport; readonly checked?: Checked }> {
  // A code that does not exist is a slip whatever the config is.
  silence([], ignore);
  try {
    const appConfig = await readAppConfig(config, io);
    const checked = await checkConfig(appConfig, io);
    const silenced = silence(checked.warnings, ignore);
    return { report: checkReport(checked, silenced, appConfig, io), checked };
  } catch (error) {
    // A file that does not exist is a slip in the command.
    if (!(error instanceof UnreadableConfig) || !error.isInFiles) throw error;
    return { report: unreadableReport(error.problems, io) };
  }
}
