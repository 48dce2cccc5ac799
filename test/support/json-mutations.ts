/** Arbitrary changes of a JSON document, of the kind that people and programs make by mistake. */
import fc from 'fast-check';

type Path = ReadonlyArray<string | number>;
type Json = Record<string | number, unknown>;

const isNode = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null;

const entriesOf = (value: Json): Array<[string | number, unknown]> =>
  Object.entries(value).map(([key, child]) => [
    Array.isArray(value) ? Number(key) : key,
    child,
  ]);

const pathsOf = (value: unknown, path: Path = []): Path[] => [
  path,
  ...(isNode(value)
    ? entriesOf(value).flatMap(([key, child]) => pathsOf(child, [...path, key]))
    : []),
];

const at = (value: unknown, path: Path): unknown =>
  path.reduce((node, key) => (node as Json)[key], value);

/** An own key, also if it is `__proto__`. */
const put = (node: object, key: string | number, value: unknown): void => {
  Object.defineProperty(node, key, {
    value,
    enumerable: true,
    writable: true,
    configurable: true,
  });
};

const KEYS = ['__proto__', 'constructor', '', 'x', 'a b', 'anonymous', 'allow'];

/** The document with this many changes, each of a place in it. */
export function mutated(
  document: fc.Arbitrary<unknown>,
  {
    texts,
    keys,
    most = 3,
  }: {
    /** That matter to the schema. */
    readonly texts: readonly string[];
    readonly keys: readonly string[];
    readonly most?: number;
  },
): fc.Arbitrary<unknown> {
  const anyJunk = fc.oneof(
    fc.constantFrom<unknown>(null, true, false, 0, 1, -1, 0.5, '', [], {}, [null]),
    fc.constantFrom(...texts),
    fc.constantFrom(...texts).map(text => [text, text]),
    fc.constantFrom(...texts).map(text => ({ [text]: text })),
  );
  const key = fc.constantFrom(...KEYS, ...keys);
  const change = fc.record({
    place: fc.nat(),
    kind: fc.constantFrom('replace', 'delete', 'add', 'rename', 'repeat', 'edit'),
    junk: anyJunk,
    key,
    edit: fc.tuple(fc.nat(), fc.constantFrom(...' .,*/#:$\n\u200bA', 'aa', '..')),
  });
  return fc
    .tuple(document, fc.array(change, { maxLength: most }))
    .map(([original, changes]) => {
      const root = { document: structuredClone(original) };
      for (const each of changes) {
        const paths = pathsOf(root).slice(1);
        const path = paths[each.place % paths.length]!;
        const parent = at(root, path.slice(0, -1)) as Json;
        const last = path.at(-1)!;
        const value = parent[last];
        const isList = Array.isArray(parent);
        // Later changes may be inside of it.
        const junk = structuredClone(each.junk);
        if (each.kind === 'delete' && path.length > 1) {
          if (isList) (parent as unknown as unknown[]).splice(Number(last), 1);
          else delete parent[last];
        } else if (each.kind === 'add' && isNode(value)) {
          if (Array.isArray(value)) value.push(junk);
          else put(value, each.key, junk);
        } else if (each.kind === 'rename' && !isList && path.length > 1) {
          delete parent[last];
          put(parent, each.key, value);
        } else if (each.kind === 'repeat' && Array.isArray(value) && value.length > 0) {
          value.push(structuredClone(value[0]));
        } else if (each.kind === 'edit' && typeof value === 'string') {
          const index = each.edit[0] % (value.length + 1);
          put(parent, last, value.slice(0, index) + each.edit[1] + value.slice(index));
        } else {
          put(parent, last, junk);
        }
      }
      // As a parser makes it: without prototypes of jest's own, and with no value in two places.
      return JSON.parse(JSON.stringify(root.document)) as unknown;
    });
}
