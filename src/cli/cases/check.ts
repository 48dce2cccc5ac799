/** What is wrong in a test file as a whole: names that are not defined, stand-ins that cannot be. */
import type { Findings, Path } from '../../config/findings';
import { cut, someNames } from '../../lib/bounded';
import { closest } from '../../lib/closest';
import {
  ANONYMOUS,
  STAND_INS,
  type StandIn,
  type StandInResult,
  type TestFile,
} from './schema';
import { usersOfRef } from './users';

/** What the file is used with; what is absent is not checked. */
export interface Surroundings {
  /** Names of permissions that are declared besides those of the file. */
  readonly permissions?: ReadonlySet<string>;
  /** The type of each source of the config, by name. */
  readonly sources?: ReadonlyMap<string, string>;
}

/** Adds an error for each place, such as `cases[3].user`. */
export function checkCases(
  file: TestFile,
  findings: Findings,
  surroundings: Surroundings = {},
): void {
  new Checker(file, findings, surroundings).check();
}

class Checker {
  private readonly userNames: ReadonlySet<string>;
  private readonly entityNames: ReadonlySet<string>;
  private readonly declared: ReadonlySet<string>;
  /** By entity ref: a file may have thousands of cases of the same user. */
  private readonly byRef = new Map<string, readonly string[]>();

  constructor(
    private readonly file: TestFile,
    private readonly findings: Findings,
    private readonly surroundings: Surroundings,
  ) {
    this.userNames = new Set(file.users?.keys());
    this.entityNames = new Set(file.entities?.keys());
    this.declared = new Set(file.permissions?.map(({ name }) => name));
  }

  check(): void {
    const { standIns, cases } = this.file;
    this.declarations();
    this.standIns(standIns, ['standIns']);
    for (const [index, each] of cases.entries()) {
      const path = ['cases', index];
      for (const who of each.user) this.user(who, [...path, 'user']);
      for (const name of each.entity ?? []) {
        if (this.entityNames.has(name)) continue;
        this.unknown('entity', name, this.entityNames, [...path, 'entity']);
      }
      for (const asked of each.permission) {
        if (typeof asked === 'string') this.permission(asked, [...path, 'permission']);
      }
      this.standIns(each.standIns, [...path, 'standIns']);
    }
  }

  private declarations(): void {
    const seen = new Map<string, number>();
    for (const [index, { name }] of (this.file.permissions ?? []).entries()) {
      const path = ['permissions', index, 'name'];
      const first = seen.get(name);
      if (first !== undefined) {
        this.add(path, `'${cut(name)}' is already declared by permissions[${first}]`);
      } else if (this.surroundings.permissions?.has(name)) {
        this.add(path, `'${cut(name)}' is declared by its plugin; leave it out here`);
      }
      seen.set(name, first ?? index);
    }
  }

  private user(who: string, path: Path): void {
    if (who === ANONYMOUS || this.userNames.has(who)) return;
    if (!who.includes(':')) {
      const also = `'${ANONYMOUS}' or an entity ref such as 'user:default/olivia'`;
      this.unknown('user', who, this.userNames, path, also);
      return;
    }
    let names = this.byRef.get(who);
    if (!names) this.byRef.set(who, (names = usersOfRef(who, this.file.users)));
    if (names.length < 2) return;
    this.add(
      path,
      `'${cut(who)}' is the ref of the users ${someNames(names)}; write one of these names`,
    );
  }

  private permission(name: string, path: Path): void {
    const { permissions } = this.surroundings;
    if (!permissions || permissions.has(name) || this.declared.has(name)) return;
    const likely = closest(name, [...this.declared, ...permissions]);
    this.add(
      path,
      `nothing declares the permission '${cut(name)}'${didYouMean(likely)}; ` +
        "declare it in 'permissions', or write out its name, type, action and resourceType here",
    );
  }

  private standIns(standIns: TestFile['standIns'], path: Path): void {
    for (const [source, standIn] of standIns ?? []) {
      const place = [...path, source];
      const allowed = this.allowedFor(source, place);
      if (typeof standIn === 'string') {
        this.result(standIn, allowed, place);
      } else {
        this.rules(standIn, allowed, place);
      }
    }
  }

  private rules(
    rules: Exclude<StandIn, string>,
    allowed: readonly StandInResult[] | undefined,
    path: Path,
  ): void {
    for (const [index, { users = [], result }] of rules.entries()) {
      for (const who of users) this.user(who, [...path, index, 'users']);
      this.result(result, allowed, [...path, index, 'result']);
    }
    const last = rules.at(-1);
    if (last?.users === undefined && last?.permissions === undefined) return;
    this.add(
      [...path, rules.length - 1],
      'the last rule must fit every question; add one with a result only, such as { result: deny }',
    );
  }

  /** What may stand for the source; undefined if that is not known. */
  private allowedFor(source: string, path: Path): readonly StandInResult[] | undefined {
    const { sources } = this.surroundings;
    if (!sources) return undefined;
    const type = sources.get(source);
    if (type === undefined) {
      this.unknown('source', source, new Set(sources.keys()), path);
      return undefined;
    }
    if (!Object.hasOwn(STAND_INS, type)) {
      this.add(path, `a source of type '${type}' decides here itself; leave it out`);
      return undefined;
    }
    return STAND_INS[type];
  }

  private result(
    result: StandInResult,
    allowed: readonly StandInResult[] | undefined,
    path: Path,
  ): void {
    if (!allowed || allowed.includes(result)) return;
    const results = allowed.map(each => `'${each}'`).join(' or ');
    this.add(path, `must be ${results} for a source of this type, not '${result}'`);
  }

  private unknown(
    what: string,
    name: string,
    names: ReadonlySet<string>,
    path: Path,
    also?: string,
  ): void {
    const known = names.size === 0 ? [] : [someNames([...names])];
    const allowed = [...known, ...(also === undefined ? [] : [also])].join(', ');
    this.add(
      path,
      `unknown ${what} '${cut(name)}'${didYouMean(closest(name, names))}` +
        (allowed === '' ? `; the file defines none` : `; allowed: ${allowed}`),
    );
  }

  private add(path: Path, message: string): void {
    this.findings.add({ path, message, sameAs: message });
  }
}

const didYouMean = (likely: string | undefined): string =>
  likely === undefined ? '' : ` (did you mean '${cut(likely)}'?)`;
