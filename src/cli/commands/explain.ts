import { Command, InvalidArgumentError, Option } from 'commander';
import { explainAnswer } from '../../operations/explain-answer';
import type { Explained } from '../../operations/explain';
import { someNames } from '../../lib/bounded';
import { ACTIONS } from '../../request';
import { entityRef } from '../../sources/fields';
import { backendOf, backendOption, tokenOption } from '../backend';
import { entityIn } from '../cases/load';
import { ANONYMOUS } from '../cases/schema';
import { askedPermission, writtenPermission } from '../asked-permission';
import { readAppConfig } from '../config/app-config';
import { CliError, EXIT } from '../exit-code';
import { explanation, explanationLines, type Explanation } from '../explanation';
import { json, type Io } from '../io';
import { processed, refOf, type Entities } from '../local/entities';
import { LocalRouter } from '../local/local-router';
import { CATALOG_ONLY, readMetadata } from '../local/metadata';
import { openOpa, type OpaOptions } from '../local/open-opa';
import { standInNotes, type StandIns } from '../local/stand-ins';
import { sourceTypes } from '../local/table';
import {
  configOption,
  jsonOption,
  metadataOption,
  opaOptions,
  repeatable,
} from '../options';
import type { MakeCommand } from '../make-command';

interface ExplainOptions extends OpaOptions {
  readonly user?: string;
  readonly group: readonly string[];
  readonly permission: string;
  readonly action?: Exclude<(typeof ACTIONS)[number], 'none'>;
  readonly resourceType?: string;
  readonly entity?: string;
  readonly resource?: string;
  readonly config: readonly string[];
  readonly metadata?: string;
  readonly standIn?: ReadonlyMap<string, StandInResult>;
  readonly backend?: string;
  readonly token?: string;
  readonly json?: true;
}

const RESULTS = ['allow', 'deny', 'not-applicable'] as const;
type StandInResult = (typeof RESULTS)[number];

/** What is of no use with a running backend, or only with one. */
const LOCAL_ONLY = ['config', 'metadata', 'entity', 'opa', 'policies', 'standIn'];

/** `policy-router explain`: why somebody may or may not do something. */
export const explainCommand: MakeCommand = io => {
  const command = new Command()
    .description(
      `Decides one question and shows why: the route, what each source said, and which conditions hold. Without --backend the table and its sources are asked here.

Example:
  policy-router explain --user user:default/olivia \\
    --group group:default/platform --permission catalog.entity.delete \\
    --entity catalog-info.yaml`,
    )
    .option('--user <ref>', `who asks, such as user:default/olivia, or ${ANONYMOUS}`)
    .addOption(
      repeatable('--group <ref>', 'a group that the user belongs to; repeatable'),
    )
    .requiredOption(
      '--permission <name>',
      'what is asked, such as catalog.entity.delete',
    )
    .addOption(
      new Option('--action <action>', 'of a permission that is not declared').choices(
        ACTIONS.filter(action => action !== 'none'),
      ),
    )
    .option('--resource-type <type>', 'of a permission that is not declared')
    .addOption(
      new Option(
        '--entity <file>',
        "the entity that is asked about; of a file with several: 'all.yaml#component:default/website'",
      ).conflicts('resource'),
    )
    .option('--resource <ref>', 'with --backend: what is asked about')
    .addOption(configOption().conflicts('backend'))
    .addOption(metadataOption());
  for (const option of opaOptions()) command.addOption(option);
  return command
    .addOption(
      new Option(
        '--stand-in <source=result>',
        `what a source says that cannot be asked here: ${RESULTS.join(', ')}; repeatable`,
      ).argParser(standIn),
    )
    .addOption(backendOption().conflicts(LOCAL_ONLY))
    .addOption(tokenOption())
    .addOption(jsonOption())
    .action(async (options: ExplainOptions) => {
      const answer =
        options.backend === undefined
          ? await explainHere(options, io)
          : await explainThere(options, options.backend, io);
      if (options.json) io.out(json(answer));
      else for (const line of explanationLines(answer, io)) io.out(line);
    });
};

/** Asks the operations API. */
async function explainThere(
  options: ExplainOptions,
  url: string,
  io: Io,
): Promise<Explanation> {
  const { user, group, resource } = options;
  if (user === ANONYMOUS) {
    throw new CliError(`--user ${ANONYMOUS} cannot be combined with --backend`);
  }
  if (group.length > 0 && user === undefined) {
    throw new CliError('--group needs --user: whose groups these are');
  }
  const written = writtenPermission(options);
  const answer = await backendOf(url, options.token, io).post<unknown>('/explain', {
    permission: written ?? options.permission,
    ...(user === undefined ? {} : { user }),
    ...(group.length > 0 ? { refs: [...new Set([user, ...group])] } : {}),
    ...(resource === undefined ? {} : { resource }),
  });
  const parsed = explanation.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new CliError(
    `${url} answered with something else than an explanation. Is the policy router there of another version?`,
    EXIT.unreachable,
  );
}

/** Decides here. */
async function explainHere(options: ExplainOptions, io: Io): Promise<Explanation> {
  const { user, group } = options;
  if (user === undefined) {
    throw new CliError(
      `--user is required without --backend, such as --user user:default/olivia, or --user ${ANONYMOUS}`,
    );
  }
  if (options.resource !== undefined) {
    throw new CliError(
      '--resource needs --backend, which knows the resource. Without one, give its file: --entity catalog-info.yaml',
    );
  }
  if (user === ANONYMOUS ? group.length > 0 : !isUserRef(user)) {
    throw new CliError(
      user === ANONYMOUS
        ? `--user ${ANONYMOUS} is in no group; leave out --group`
        : `--user must be the entity ref of a user such as user:default/olivia, not '${user}'`,
    );
  }
  for (const ref of group) checkGroup(ref);
  const { policyRouter } = await readAppConfig(options.config, io);
  const entities = await entitiesOf(options.entity);
  const metadata =
    options.metadata === undefined ? CATALOG_ONLY : readMetadata(options.metadata);
  const standIns: StandIns = new Map(
    [...(options.standIn ?? [])].map(([source, result]) => [source, () => result]),
  );
  const types = sourceTypes(policyRouter);
  checkStandIns(options, types);
  const opa = await openOpa(options, io);
  try {
    const local = { policyRouter, metadata, entities, opa, standIns };
    const router = await LocalRouter.open(local);
    try {
      return await explained(router, options, [...entities.keys()][0], types);
    } finally {
      router.close();
    }
  } finally {
    await opa.close();
  }
}

const isUserRef = (ref: string): boolean =>
  /^user:/i.test(ref) && entityRef.safeParse(ref).success;

/** A ref that is not whole fits no claim: the answer would be a wrong DENY. */
function checkGroup(ref: string): void {
  const { success } = entityRef.safeParse(ref);
  if (success) return;
  throw new CliError(
    `--group must be a whole entity ref such as group:default/platform, not '${ref}'`,
  );
}

async function entitiesOf(written: string | undefined): Promise<Entities> {
  if (written === undefined) return new Map();
  const [file = '', ref] = written.split('#');
  const entity = await processed(entityIn(file, ref, '--entity'));
  return new Map([[refOf(entity), entity]]);
}

async function explained(
  router: LocalRouter,
  options: ExplainOptions,
  resource: string | undefined,
  types: ReadonlyMap<string, string>,
): Promise<Explanation> {
  const { user = '', group } = options;
  const standIns: ExplainOptions['standIn'] = options.standIn ?? new Map();
  const { permission, notes } = askedPermission(options, router.table.declared);
  if (resource !== undefined && permission.type === 'basic') {
    throw new CliError(
      `--entity must be left out for ${permission.name}: ${notes[0] ?? 'it is not about a resource'}`,
    );
  }
  const principal =
    user === ANONYMOUS
      ? undefined
      : { userEntityRef: user, ownershipEntityRefs: [...new Set([user, ...group])] };
  const { record, missing } = await router.decide(permission, principal);
  const [unknown] = missing;
  if (unknown !== undefined) throw new CliError(missingText(unknown, types));
  const applied =
    record.result === 'CONDITIONAL' && resource !== undefined
      ? await router.apply(record, resource)
      : undefined;
  const whole: Explained = {
    record,
    applied,
    result: applied?.kind === 'applied' ? applied.result : record.result,
    origin: 'given',
    recorded: undefined,
    notes: [...notes, ...standInNotes(record, source => standIns.get(source))],
  };
  return explainAnswer(whole, true, resource) as unknown as Explanation;
}

function checkStandIns(
  { standIn: given = new Map() }: ExplainOptions,
  types: ReadonlyMap<string, string>,
): void {
  const allowed = [...types].flatMap(([name, type]) =>
    type === 'hosted' || type === 'opa' ? [name] : [],
  );
  for (const source of given.keys()) {
    if (allowed.includes(source)) continue;
    const which = allowed.length > 0 ? `; allowed: ${someNames(allowed)}` : '';
    throw new CliError(
      types.has(source)
        ? `--stand-in ${source}: a source of type '${types.get(source)}' decides here itself; leave it out`
        : `--stand-in: unknown source '${source}'${which}`,
    );
  }
}

const missingText = (source: string, types: ReadonlyMap<string, string>): string => {
  const orElse =
    types.get(source) === 'opa'
      ? ', or name an OPA: --opa <url>, --policies <path>'
      : '';
  return (
    `source '${source}' of type '${types.get(source)}' cannot be asked here. ` +
    `Say what it would answer: --stand-in ${source}=deny${orElse}`
  );
};

function standIn(
  value: string,
  before: ReadonlyMap<string, StandInResult> = new Map(),
): Map<string, StandInResult> {
  const [source = '', said] = value.split('=');
  const result = RESULTS.find(each => each === said);
  if (source === '' || result === undefined) {
    throw new InvalidArgumentError(
      `Write <source>=<result> with ${RESULTS.join(', ')}, such as rbac=allow.`,
    );
  }
  return new Map([...before, [source, result]]);
}
