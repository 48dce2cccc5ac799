import { writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { junitOf } from '../cases/junit';
import type { TableFacts } from '../cases/judge';
import { loadTestFile, type LoadedFile } from '../cases/load';
import { percentOf } from '../cases/reach';
import { hasFailed, reportJson, reportLines } from '../cases/report';
import { runCases, type Run } from '../cases/run';
import { observedIn } from '../../config/observe';
import { readAppConfig } from '../config/app-config';
import { CliError, EXIT } from '../exit-code';
import { json, type Io } from '../io';
import { LocalRouter } from '../local/local-router';
import { CATALOG_ONLY, readMetadata, type Metadata } from '../local/metadata';
import { openOpa, type OpaOptions } from '../local/open-opa';
import { sourceTypes, withTable } from '../local/table';
import { configOption, jsonOption, metadataOption, opaOptions } from '../options';
import type { MakeCommand } from '../make-command';

interface TestOptions extends OpaOptions {
  readonly config: readonly string[];
  readonly table?: string;
  readonly metadata?: string;
  readonly filter?: string;
  readonly minReach?: number;
  readonly junit?: string;
  readonly json?: true;
}

/** `policy-router test`: whether the table decides what test files expect. */
export const testCommand: MakeCommand = (io, end) => {
  const command = new Command()
    .description(
      `Runs test files: users, entities, and the decisions that are expected. The table, Rego, ownership and conditions are the real ones. What cannot be asked here is said by the file.

Example:
  policy-router test tests.yaml --policies ./policies --min-reach 100`,
    )
    .argument('<files...>', 'test files, such as tests.yaml')
    .addOption(configOption())
    .option('--table <file>', 'test this routing file in place of the configured table')
    .addOption(metadataOption());
  for (const option of opaOptions()) command.addOption(option);
  return command
    .option('--filter <text>', 'only the cases that have this text in their name')
    .addOption(
      new Option(
        '--min-reach <percent>',
        'fail if the cases reach fewer routes, the fallback included',
      )
        .argParser(percent)
        .conflicts('filter'),
    )
    .option('--junit <file>', 'write a JUnit report too')
    .addOption(jsonOption())
    .action(async (paths: readonly string[], options: TestOptions) => {
      const run = await runFiles(paths, options, io);
      if (options.junit !== undefined) writeJunit(options.junit, run);
      if (options.json) io.out(json(reportJson(run)));
      else for (const line of reportLines(run, io)) io.out(line);
      const { minReach = 0 } = options;
      const isTooLow = percentOf(run.reach) < minReach;
      if (isTooLow) io.err(`the reach is below --min-reach ${minReach}`);
      if (isTooLow || run.outcomes.some(hasFailed)) end(EXIT.found);
    });
};

async function runFiles(
  paths: readonly string[],
  options: TestOptions,
  io: Io,
): Promise<Run> {
  const appConfig = await readAppConfig(options.config, io);
  const policyRouter = withTable(appConfig.policyRouter, options.table);
  const metadata =
    options.metadata === undefined ? CATALOG_ONLY : readMetadata(options.metadata);
  const facts = await factsOf(policyRouter, io);
  const files = await loadAll(paths, metadata, facts);
  const opa = await openOpa(options, io);
  try {
    return await runCases(files, {
      policyRouter,
      metadata,
      opa,
      facts,
      filter: options.filter,
      progress: progressOf(io),
    });
  } finally {
    io.progress?.('');
    await opa.close();
  }
}

/** @throws ConfigError with every problem of the config. */
async function factsOf(policyRouter: unknown, io: Io): Promise<TableFacts> {
  const router = await LocalRouter.open({ policyRouter });
  const { routes } = router.table.startConfig.config;
  router.close();
  if (observedIn(router.table.startConfig.config).length > 0) {
    io.err(
      'Decisions are observed: what the table decides is tested, not the answers.',
    );
  }
  return { labels: routes.map(({ label }) => label), types: sourceTypes(policyRouter) };
}

async function loadAll(
  paths: readonly string[],
  metadata: Metadata,
  { types }: TableFacts,
): Promise<LoadedFile[]> {
  const names = [...metadata.values()].flatMap(({ permissions }) =>
    permissions.map(({ name }) => name),
  );
  const surroundings = { permissions: new Set(names), sources: types };
  const files: LoadedFile[] = [];
  for (const path of new Set(paths)) files.push(await loadTestFile(path, surroundings));
  return files;
}

/** In milliseconds. */
const BETWEEN_PROGRESS = 100;

function progressOf(io: Io): (done: number, of: number) => void {
  let last = performance.now();
  return (done, of) => {
    if (performance.now() - last < BETWEEN_PROGRESS) return;
    last = performance.now();
    io.progress?.(`${done} of ${of} cases`);
  };
}

function writeJunit(path: string, { outcomes }: Run): void {
  try {
    writeFileSync(path, `${junitOf(outcomes)}\n`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === 'ENOENT' ? 'its folder does not exist' : (code ?? 'unknown error');
    throw new CliError(`${path} cannot be written: ${why}`);
  }
}

function percent(value: string): number {
  const number = Number(value);
  if (value.trim() !== '' && number >= 0 && number <= 100) return number;
  throw new InvalidArgumentError('It must be a number from 0 to 100.');
}
