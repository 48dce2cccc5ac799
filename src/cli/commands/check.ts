import { Command } from 'commander';
import { readAppConfig } from '../config/app-config';
import { LocalRouter } from '../local/local-router';
import type { Io } from '../io';
import { configOption } from '../options';

interface CheckOptions {
  readonly config: readonly string[];
}

/** `policy-router check`: everything that is wrong or odd in app-config and routing file. */
export const checkCommand = (io: Io): Command =>
  new Command('check')
    .summary('check app-config and routing file')
    .description(
      `Checks app-config and routing file, and names every error with its place.

Example:
  policy-router check --config app-config.yaml --config app-config.production.yaml`,
    )
    .addOption(configOption())
    .action(async ({ config }: CheckOptions) => {
      const { policyRouter } = await readAppConfig(config);
      const router = await LocalRouter.open({ policyRouter });
      io.out('ok');
      router.close();
    });
