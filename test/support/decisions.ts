/** The decisions of a backend on many permissions for each person of the sample. */
import { catalogPermissions } from '@backstage/plugin-catalog-common/alpha';
import type { Permission } from '@backstage/plugin-permission-common';
import { basic, type Authorized, type Question } from './backend';

export const PEOPLE = ['olivia', 'nolan', 'petra'] as const;

export type Person = (typeof PEOPLE)[number];

/** ALLOW or DENY, by person and question. */
export type Decisions = Readonly<Record<Person, Readonly<Record<string, string>>>>;

/** An entity of olivia's group, one of nolan's, and one that does not exist. */
const [OLIVIAS, NOLANS, MISSING] = [
  'component:default/payments-api',
  'component:default/search-ui',
  'component:default/none',
];

const REFS: readonly string[] = [OLIVIAS, NOLANS, MISSING];

/** All permissions of the catalog and a few of other plugins. */
export const COMMON_QUESTIONS: readonly Question[] = [
  ...(catalogPermissions as readonly Permission[]).flatMap((permission): Question[] =>
    permission.type === 'resource'
      ? REFS.map(resourceRef => ({ permission, resourceRef }))
      : [{ permission }],
  ),
  basic('scaffolder.task.create', 'create'),
  basic('scaffolder.action.execute'),
  basic('policy.entity.create', 'create'),
  basic('openchoreo.foo.read', 'read'),
  basic('devtools.config', 'read'),
  basic('an.unheard.of.permission', 'delete'),
];

const keyOf = ({ permission, resourceRef }: Question): string =>
  [permission.name, permission.attributes.action ?? '-', resourceRef ?? '-'].join(' ');

/** Asks all questions in one batch for each person. */
export async function decisionsOf(
  questions: readonly Question[],
  ask: (person: Person, questions: readonly Question[]) => Promise<Authorized>,
): Promise<Decisions> {
  const decided = PEOPLE.map(async person => {
    const { status, results } = await ask(person, questions);
    if (status !== 200) throw new Error(`${person} got HTTP ${status}`);
    const entries = questions.map((question, index) => [
      keyOf(question),
      results[index]!,
    ]);
    return [person, Object.fromEntries(entries)] as const;
  });
  return Object.fromEntries(await Promise.all(decided)) as Decisions;
}

/** The decisions on permissions with this prefix. */
export const below = (decisions: Decisions, prefix: string): Decisions =>
  picked(decisions, name => name.startsWith(prefix));

/** The decisions on all other permissions. */
export const outside = (decisions: Decisions, ...prefixes: string[]): Decisions =>
  picked(decisions, name => !prefixes.some(prefix => name.startsWith(prefix)));

const picked = (decisions: Decisions, fits: (name: string) => boolean): Decisions =>
  Object.fromEntries(
    Object.entries(decisions).map(([person, each]) => [
      person,
      Object.fromEntries(Object.entries(each).filter(([name]) => fits(name))),
    ]),
  ) as Decisions;

/** The decisions if only owners may do this, and the person who may do everything. */
export const byOwnership = (
  name: string,
  action: string,
  bypassed?: Person,
): Decisions => {
  const owned: Partial<Record<Person, string>> = { olivia: OLIVIAS, nolan: NOLANS };
  return Object.fromEntries(
    PEOPLE.map(person => [
      person,
      Object.fromEntries(
        REFS.map(ref => [
          `${name} ${action} ${ref}`,
          person === bypassed || owned[person] === ref ? 'ALLOW' : 'DENY',
        ]),
      ),
    ]),
  ) as Decisions;
};

/** The different results among the decisions. */
export const resultsIn = (decisions: Decisions): string[] =>
  [...new Set(Object.values(decisions).flatMap(each => Object.values(each)))].sort();
