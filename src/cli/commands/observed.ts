import { Command, Option } from 'commander';
import { backendOf, backendOption, tokenOption } from '../backend';
import { Decisions } from '../decisions/recorded';
import { nothingRead } from '../decisions/nothing-read';
import { counted } from '../counted';
import { CliError, EXIT, type ExitCode } from '../exit-code';
import { json, type Io } from '../io';
import { jsonOption, limitOption } from '../options';
import { observedText } from '../observed/report';
import { RecordedSums, type Observed, type Selection } from '../observed/sums';

interface ObservedOptions extends Selection {
  readonly limit: number;
  readonly backend?: string;
  readonly token?: string;
  readonly json?: boolean;
}

/** `policy-router observed`: what the decisions that are only recorded would change. */
export const observedCommand = (io: Io, end: (code: ExitCode) => void): Command =>
  new Command('observed')
    .summary('show what observed decisions would change')
    .description(
      `Sums by route, user and permission what would change if decisions that are only observed were enforced. Asks a running backend for what it has counted since its start or the last change of its table; or reads its log, with 'audit: all' or 'denials'.

Exit code 1: something would be denied.

Example:
  policy-router observed --backend http://localhost:7007
  policy-router observed backend.log --permission catalog`,
    )
    .argument('[decisions...]', 'files with recorded decisions')
    .addOption(backendOption())
    .addOption(tokenOption())
    .addOption(
      new Option(
        '--route <label>',
        'only this route, such as "\'catalog\'", or fallback',
      ),
    )
    .addOption(new Option('--user <ref>', 'only this user, such as user:default/nolan'))
    .addOption(
      new Option('--permission <prefix>', 'only permissions with this prefix or name'),
    )
    .addOption(limitOption('how many lines are shown'))
    .addOption(jsonOption())
    .action(async (paths: readonly string[], options: ObservedOptions) => {
      const observed = await observe(paths, options, io);
      const shown = { ...observed, sums: observed.sums.slice(0, options.limit) };
      io.out(options.json ? json(shown) : observedText(shown, io));
      const isDenied = observed.sums.some(({ result }) => result === 'DENY');
      end(isDenied ? EXIT.found : EXIT.ok);
    });

async function observe(
  paths: readonly string[],
  { backend, token, ...selection }: ObservedOptions,
  io: Io,
): Promise<Observed> {
  if ((backend === undefined) === (paths.length === 0)) {
    throw new CliError('Name a backend (--backend), or files with recorded decisions');
  }
  if (backend !== undefined) {
    const { route, user, permission } = selection;
    const query = { route, user, permission };
    return backendOf(backend, token, io).get('/observed', query);
  }
  const decisions = new Decisions(paths);
  const sums = new RecordedSums();
  let read = 0;
  for await (const recorded of decisions.all()) {
    read++;
    sums.add(recorded);
  }
  if (read === 0) throw new CliError(nothingRead(paths, decisions.skipped));
  const { otherEvents } = decisions.skipped;
  if (otherEvents > 0) io.err(notSummed(otherEvents));
  return sums.answer(selection);
}

/** Under `audit: denials` the decisions of an outage are counted in events of their own. */
const notSummed = (events: number): string =>
  `${counted(events, 'event is', 'events are')} about an outage or a changed table; decisions that ` +
  "such an event only counts are in no line. 'audit: all' records each of them";
