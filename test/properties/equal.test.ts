import fc from 'fast-check';
import { canonical } from '../../src/lib/canonical';
import { equal } from '../../src/lib/equal';
import { Slices } from '../../src/lib/slices';

// Only a few of each, so that values are often the same.
const { anyValue } = fc.letrec<{ anyValue: unknown }>(tie => ({
  anyValue: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(null, undefined, 0, 1, '', 'a', true),
    fc.array(tie('anyValue'), { maxLength: 2 }),
    fc.dictionary(fc.constantFrom('a', 'b', '__proto__'), tie('anyValue'), {
      maxKeys: 2,
    }),
    fc
      .array(fc.tuple(fc.constantFrom('a', 'b'), tie('anyValue')), { maxLength: 2 })
      .map(entries => new Map(entries)),
  ),
}));

/** What the text of JSON does not tell apart. */
const toldApart = (value: unknown): boolean =>
  value !== undefined &&
  (typeof value !== 'object' ||
    value === null ||
    (!(value instanceof Map) &&
      (Array.isArray(value)
        ? (value as unknown[]).every(toldApart)
        : Object.values(value).every(item => item === undefined || toldApart(item)))));

it('values are equal if their canonical text is', async () => {
  const anyPlain = anyValue.filter(toldApart);
  await fc.assert(
    fc.asyncProperty(anyPlain, anyPlain, async (one, other) => {
      expect(await equal(one, other, new Slices())).toBe(
        canonical(one) === canonical(other),
      );
    }),
    { numRuns: 2000 },
  );
});

it('values that are equal have the same canonical text', async () => {
  await fc.assert(
    fc.asyncProperty(anyValue, anyValue, async (one, other) => {
      if (await equal(one, other, new Slices())) {
        expect(canonical(one)).toBe(canonical(other));
      }
    }),
    { numRuns: 2000 },
  );
});

function copyOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copyOf);
  if (value instanceof Map) return new Map([...value].map(([k, v]) => [k, copyOf(v)]));
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, copyOf(v)]));
}

it('a value is equal to its copy', async () => {
  await fc.assert(
    fc.asyncProperty(anyValue, async value => {
      expect(await equal(copyOf(value), value, new Slices())).toBe(true);
    }),
  );
});
