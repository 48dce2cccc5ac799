import { Command, Option } from 'commander';
import { readAppConfig } from '../config/app-config';
import { nothingRead } from '../decisions/nothing-read';
import { Decisions } from '../decisions/recorded';
import { grouped } from '../counted';
import { CliError, EXIT, type ExitCode } from '../exit-code';
import { json, type Io } from '../io';
import { LocalRouter } from '../local/local-router';
import { readMetadata } from '../local/metadata';
import { openOpa, type OpaOptions, type OpenOpa } from '../local/open-opa';
import { localConfig, type StandIns } from '../local/stand-ins';
import { withTable } from '../local/table';
import {
  configOption,
  jsonOption,
  limitOption,
  metadataOption,
  opaOptions,
  standInOption,
  type StandInOption,
} from '../options';
import { Again } from '../replay/again';
import { Comparer } from '../replay/compare';
import { replayText } from '../replay/report';
import { Tally, type Replayed } from '../replay/tally';

interface ReplayOptions extends OpaOptions {
  readonly config: readonly string[];
  readonly table?: string;
  readonly metadata?: string;
  readonly standIn: StandInOption;
  readonly limit: number;
  readonly json?: boolean;
}

/** Decisions between two signs of life on a terminal. */
const PROGRESS_EVERY = 1000;

/** `policy-router replay`: what a table would change of decisions that were made. */
export const replayCommand = (io: Io, end: (code: ExitCode) => void): Command => {
  const command = new Command('replay')
    .summary('compare recorded decisions with a proposed table')
    .description(
      `Decides recorded decisions again, by a proposed table, and shows what would change. Reads the log of a backend with 'audit: all', and answers of GET decisions. The sources are those of app-config; nothing is asked over the network unless you name an OPA.

Exit code 3: nothing changes, but some decisions are undetermined.

Example:
  policy-router replay backend.log --table new-routing.yaml`,
    )
    .argument('<decisions...>', 'files with recorded decisions')
    .addOption(
      new Option(
        '--table <file>',
        'the proposed routing file (default: the table of app-config)',
      ),
    )
    .addOption(configOption())
    .addOption(metadataOption());
  for (const option of opaOptions()) command.addOption(option);
  return command
    .addOption(standInOption())
    .addOption(limitOption('how many groups of changes are shown'))
    .addOption(jsonOption())
    .action(async (paths: readonly string[], options: ReplayOptions) => {
      const replayed = await replay(paths, options, io);
      io.out(options.json ? json(replayed) : replayText(replayed, io));
      end(codeOf(replayed));
    });
};

function codeOf({ changed, otherRoute, undetermined }: Replayed): ExitCode {
  if (changed + otherRoute > 0) return EXIT.found;
  return undetermined.count > 0 ? EXIT.unreachable : EXIT.ok;
}

async function replay(
  paths: readonly string[],
  options: ReplayOptions,
  io: Io,
): Promise<Replayed> {
  const { policyRouter } = await readAppConfig(options.config, io);
  const opa = await openOpa(options, io);
  try {
    const router = await openRouter(
      withTable(policyRouter, options.table),
      opa,
      options,
    );
    try {
      const again = new Again(router, options.metadata !== undefined);
      return await compareAll(paths, new Comparer(router, again), options.limit, io);
    } finally {
      router.close();
    }
  } finally {
    await opa.close();
  }
}

async function compareAll(
  paths: readonly string[],
  comparer: Comparer,
  limit: number,
  io: Io,
): Promise<Replayed> {
  const decisions = new Decisions(paths);
  const tally = new Tally();
  for await (const recorded of decisions.all()) {
    tally.add(recorded, await comparer.compare(recorded));
    if (tally.count % PROGRESS_EVERY === 0)
      io.progress?.(`${grouped(tally.count)} decisions`);
  }
  io.progress?.('');
  const replayed = tally.result(decisions.skipped, limit);
  if (replayed.read === 0) throw new CliError(nothingRead(paths, replayed.skipped));
  return replayed;
}

function openRouter(
  policyRouter: unknown,
  { url, token }: OpenOpa,
  { metadata, standIn }: ReplayOptions,
): Promise<LocalRouter> {
  const opa = { url, token };
  return LocalRouter.open({
    policyRouter,
    opa,
    ...(metadata === undefined ? {} : { metadata: readMetadata(metadata) }),
    standIns: standInsFor(standIn, localConfig(policyRouter, opa).hosted),
    // A question was recorded as it was decided.
    completes: false,
  });
}

/** @throws CliError if a stand-in is for a source that needs none. */
function standInsFor(given: StandInOption, needed: readonly string[]): StandIns {
  const unknown = [...given.keys()].find(name => !needed.includes(name));
  if (unknown !== undefined) {
    const which =
      needed.length > 0
        ? `those that can have one: ${needed.join(', ')}`
        : 'none can have one';
    throw new CliError(
      `--stand-in ${unknown}: no source of this name needs a stand-in; ${which}`,
    );
  }
  return new Map([...given].map(([name, said]) => [name, () => said]));
}
