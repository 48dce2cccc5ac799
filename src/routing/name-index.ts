import { textOf, type NamePattern } from '../prefix';

/** A value whose pattern matches a name. */
export interface Match<V> {
  readonly value: V;
  /** Of the matching text; an exact name is longer than every prefix. */
  readonly length: number;
}

/**
 * Values by name patterns. To find those that match a name costs the number of its segments, not
 * the number of patterns: every look-up is by key, in maps rather than objects because names are
 * arbitrary input (`__proto__`).
 */
export class NameIndex<V> {
  private readonly bySegments = new Branch<V>();
  private readonly byStart = new Branch<V>();
  private readonly byName = new Branch<V>();

  /** @param create - makes the value of a pattern that has none yet. */
  constructor(private readonly create: () => V) {}

  /** The value of a pattern. */
  at(pattern: NamePattern): V {
    let branch = this.rootOf(pattern);
    for (const segment of pattern.segments) branch = branch.descend(segment);
    branch.value ??= this.create();
    return branch.value;
  }

  /**
   * The values whose patterns match a name, longest first. A prefix of segments and one that ends
   * in `/` can be equally long; then that of segments, which matches fewer names, is first.
   */
  matching(name: string): Array<Match<V>> {
    const bySegments = alongSegments(this.bySegments, name);
    const byStart = alongStarts(this.byStart, name);
    // Both are in order already, and few names match prefixes of both kinds.
    const matches =
      byStart.length === 0
        ? bySegments.reverse()
        : [...bySegments, ...byStart].sort((a, b) => b.length - a.length);
    const exact = this.byName.child(name)?.value;
    return exact === undefined
      ? matches
      : [{ value: exact, length: Infinity }, ...matches];
  }

  /**
   * At most so many values whose patterns share the most segments with a name; none if they share
   * not even the first.
   */
  near(name: string, most: number): V[] {
    let branch = this.bySegments;
    for (const segment of name.split('.')) {
      const child = branch.child(segment);
      if (!child) break;
      branch = child;
    }
    return branch === this.bySegments ? [] : branch.values(most);
  }

  /** The values whose patterns match every name that this one matches, but for its own; longest first. */
  wider(pattern: NamePattern): V[] {
    const own = this.at(pattern);
    const values = this.matching(textOf(pattern)).map(({ value }) => value);
    return values.slice(values.indexOf(own) + 1);
  }

  private rootOf({ kind }: NamePattern): Branch<V> {
    if (kind === 'name') return this.byName;
    return kind === 'start' ? this.byStart : this.bySegments;
  }
}

/** The values on the way of a name from dot to dot, and at its end. */
function alongSegments<V>(root: Branch<V>, name: string): Array<Match<V>> {
  const found: Array<Match<V>> = [];
  let branch: Branch<V> | undefined = root;
  let start = 0;
  let end = 0;
  while (branch) {
    if (branch.value !== undefined) found.push({ value: branch.value, length: end });
    if (start > name.length) break;
    const dot = name.indexOf('.', start);
    end = dot === -1 ? name.length : dot;
    branch = branch.child(name.slice(start, end));
    start = end + 1;
  }
  return found;
}

/** The values on the way of a name from slash to slash; what follows the last one does not matter. */
function alongStarts<V>(root: Branch<V>, name: string): Array<Match<V>> {
  const found: Array<Match<V>> = [];
  let branch: Branch<V> | undefined = root;
  let start = 0;
  while (branch?.hasChildren) {
    const slash = name.indexOf('/', start);
    if (slash === -1) break;
    branch = branch.child(name.slice(start, slash));
    start = slash + 1;
    if (branch?.value !== undefined) found.push({ value: branch.value, length: start });
  }
  return found;
}

/** Where the patterns that begin with the same segments part. */
class Branch<V> {
  value: V | undefined;
  private children: Map<string, Branch<V>> | undefined;

  get hasChildren(): boolean {
    return this.children !== undefined;
  }

  /** At most so many values of it and below it. */
  values(most: number): V[] {
    const found: V[] = this.value === undefined ? [] : [this.value];
    for (const child of this.children?.values() ?? []) {
      if (found.length >= most) break;
      found.push(...child.values(most - found.length));
    }
    return found.slice(0, most);
  }

  child(segment: string): Branch<V> | undefined {
    return this.children?.get(segment);
  }

  descend(segment: string): Branch<V> {
    this.children ??= new Map();
    let child = this.children.get(segment);
    if (!child) this.children.set(segment, (child = new Branch()));
    return child;
  }
}
