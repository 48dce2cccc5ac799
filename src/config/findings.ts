/** What is wrong or odd in a config: what is shown of it is bounded, the rest is counted. */
import { cut, someOf } from '../lib/bounded';
import { MAX_LENGTH, MAX_LISTED } from './types';

/** The keys below `permission.policyRouter`. */
export type Path = ReadonlyArray<string | number>;

export interface Finding {
  readonly path: Path;
  /** What a person knows it by, such as the label of a route. */
  readonly subject?: string | undefined;
  readonly message: string;
  /** Of a warning: its kind, in one stable word. */
  readonly code?: string | undefined;
  /** Equal for findings that say the same of different places. */
  readonly sameAs?: string | undefined;
}

/** How many that say the same stay lines of their own; one line names as many other places. */
const MAX_ALONE = 5;

interface Kept<F> {
  /** Among all findings. */
  readonly order: number;
  readonly finding: F;
}

interface Group<F> {
  /** The first six. */
  readonly first: Kept<F>[];
  size: number;
}

/**
 * Collects findings. More than five that say the same become one, which names the first places.
 * Only what may be shown is kept.
 */
export class Findings<F extends Finding = Finding> {
  private readonly groups = new Map<unknown, Group<F>>();
  private added = 0;
  private notKept = 0;

  add(finding: F): void {
    const order = this.added++;
    const key = finding.sameAs ?? finding;
    const group = this.groups.get(key);
    if (group) {
      group.size++;
      if (group.first.length <= MAX_ALONE) group.first.push({ order, finding });
    } else if (this.groups.size < MAX_LISTED) {
      this.groups.set(key, { first: [{ order, finding }], size: 1 });
    } else {
      this.notKept++;
    }
  }

  /** In the order in which they were added, at most 50, and how many there are in all. */
  list(): { readonly listed: readonly F[]; readonly count: number } {
    const kept = [...this.groups.values()].flatMap(group =>
      group.size > MAX_ALONE ? [asOne(group)] : group.first,
    );
    const listed = kept
      .sort((a, b) => a.order - b.order)
      .slice(0, MAX_LISTED)
      .map(({ finding }) => finding);
    return { listed, count: kept.length + this.notKept };
  }
}

function asOne<F extends Finding>({ first, size }: Group<F>): Kept<F> {
  const [{ order, finding }, ...others] = first as [Kept<F>, ...Kept<F>[]];
  const places = others.map(({ finding: other }) =>
    cut(other.subject ?? formatPath(other.path), 60),
  );
  const rest = `; the same applies to ${someOf(places, size - 1)}`;
  const message = cut(finding.message, MAX_LENGTH - rest.length) + rest;
  return { order, finding: { ...finding, message } };
}

/** Such as `routes[0].sources`. */
export const formatPath = (path: Path): string =>
  path.reduce<string>(
    (whole, key) =>
      typeof key === 'number'
        ? `${whole}[${key}]`
        : `${whole}${whole === '' ? '' : '.'}${cut(key)}`,
    '',
  );
