/** What the cases of a file ask, one by one: a case with lists asks every combination. */
import { matchesName } from '../../prefix';
import { normalizeRef } from '../../sources/ownership-refs';
import { CliError } from '../exit-code';
import {
  ANONYMOUS,
  type AskedPermission,
  type StandIn,
  type StandInResult,
  type TestCase,
  type TestFile,
} from './schema';
import { caseUser, type CaseUser } from './users';

/** Of one file. */
const MAX_QUESTIONS = 100_000;

export interface Question {
  /** The place of its case in the file, from 0. */
  readonly index: number;
  /** What people know it by. */
  readonly name: string;
  readonly expected: Pick<TestCase, 'expect' | 'route' | 'conditions'>;
  /** As it is written. */
  readonly who: string;
  readonly user: CaseUser;
  readonly asked: AskedPermission;
  /** A name of the file's entities. */
  readonly entity: string | undefined;
  /** What the file says in place of sources, for this question. */
  readonly standIns: ReadonlyMap<string, StandInResult>;
}

/**
 * @param path - of the file, for errors.
 * @throws CliError if there are more than 100,000.
 */
export function questionsOf(file: TestFile, path: string): Question[] {
  const count = file.cases.reduce((sum, each) => sum + combinationsOf(each), 0);
  if (count > MAX_QUESTIONS) {
    throw new CliError(
      `${path}: its lists of users, permissions and entities make ${count} cases, more than ${MAX_QUESTIONS}`,
    );
  }
  const users = new Map<string, CaseUser>();
  const userOf = (who: string): CaseUser => {
    let known = users.get(who);
    if (!known) users.set(who, (known = caseUser(who, file.users)));
    return known;
  };
  return file.cases.flatMap((each, index) =>
    each.user.flatMap(who =>
      each.permission.flatMap(asked =>
        (each.entity ?? [undefined]).map((entity): Question => {
          const user = userOf(who);
          const about = { who, user, asked, entity };
          return {
            ...about,
            index,
            name: nameOf(each, about),
            expected: each,
            standIns: standInsFor(about, file.standIns, each.standIns, userOf),
          };
        }),
      ),
    ),
  );
}

const combinationsOf = ({ user, permission, entity }: TestCase): number =>
  user.length * permission.length * (entity?.length ?? 1);

type About = Pick<Question, 'who' | 'user' | 'asked' | 'entity'>;

export const permissionName = (asked: AskedPermission): string =>
  typeof asked === 'string' ? asked : asked.name;

/** A name that stands for several questions is followed by what differs. */
function nameOf(
  { name, expect, user, permission, entity = [] }: TestCase,
  about: About,
): string {
  const asked = permissionName(about.asked);
  if (name === undefined) {
    const on = about.entity === undefined ? '' : ` on ${about.entity}`;
    return `${about.who}: ${asked}${on} is ${expect}`;
  }
  const differing = [
    ...(user.length > 1 ? [about.who] : []),
    ...(permission.length > 1 ? [asked] : []),
    ...(entity.length > 1 ? [about.entity!] : []),
  ];
  return differing.length > 0 ? `${name} (${differing.join(', ')})` : name;
}

/** Those of the case win over those of the file. */
function standInsFor(
  { user, asked }: About,
  ofFile: TestFile['standIns'],
  ofCase: TestFile['standIns'],
  userOf: (who: string) => CaseUser,
): Map<string, StandInResult> {
  const results = new Map<string, StandInResult>();
  const name = permissionName(asked);
  for (const [source, standIn] of [...(ofFile ?? []), ...(ofCase ?? [])]) {
    const result = resultOf(standIn, user, name, userOf);
    if (result !== undefined) results.set(source, result);
  }
  return results;
}

function resultOf(
  standIn: StandIn,
  { ref }: CaseUser,
  name: string,
  userOf: (who: string) => CaseUser,
): StandInResult | undefined {
  if (typeof standIn === 'string') return standIn;
  const isSame = (who: string): boolean => {
    if (ref === undefined) return who === ANONYMOUS;
    const other = userOf(who).ref;
    return other !== undefined && normalizeRef(other) === normalizeRef(ref);
  };
  return standIn.find(
    ({ users, permissions }) =>
      (users === undefined || users.some(isSame)) &&
      (permissions === undefined ||
        permissions.some(pattern => matchesName(pattern, name))),
  )?.result;
}
