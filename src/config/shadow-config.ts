/** Which sources are compared with another one, and what may be wrong with that. */
import { z } from 'zod';
import { cut, someNames, someOf } from '../lib/bounded';
import { integer, strict, text } from '../lib/fields';
import { isJsonObject } from '../lib/json-object';
import type { SourceConfig } from '../sources/kind';
import { kindOf } from '../sources/kinds';
import type { Checking } from './checking';
import type { Shadow } from './types';
import type { OddFinding } from './warnings';

const MAX_SHADOWS = 1000;

const SHAPE = 'the name of a source, or { source, percent }';

/** `opa-next` is short for `{ source: opa-next }`. */
const one = z.preprocess(
  value => (typeof value === 'string' ? { source: value } : value),
  z.unknown().transform((value, context): Shadow => {
    if (!isJsonObject(value)) {
      context.addIssue(`must be ${SHAPE}`);
      return z.NEVER;
    }
    const parsed = strict({
      source: text('the name of a source'),
      percent: integer(1, 100, 100),
    }).safeParse(value);
    if (parsed.success) return parsed.data;
    for (const { path, message } of parsed.error.issues) {
      context.addIssue({ code: 'custom', path, message });
    }
    return z.NEVER;
  }),
);

export const shadowSchema = z
  .record(z.string(), one, {
    error: `must be an object of { <source>: ${SHAPE} }`,
  })
  .refine(shadows => Object.keys(shadows).length <= MAX_SHADOWS, {
    error: `names more than ${MAX_SHADOWS} sources`,
  })
  .transform(
    (shadows): ReadonlyMap<string, Shadow> => new Map(Object.entries(shadows)),
  );

/** @param names - of all sources, also of those that could not be read. */
export function badShadows(
  shadows: ReadonlyMap<string, Shadow>,
  sources: ReadonlyMap<string, SourceConfig>,
  names: ReadonlySet<string>,
  { findings }: Pick<Checking, 'findings'>,
): void {
  const allowed = `allowed: ${someNames([...names])}`;
  for (const [name, { source }] of shadows) {
    const path = ['shadow', name];
    if (!names.has(name)) {
      findings.add({ path, message: `unknown source '${cut(name)}'; ${allowed}` });
    }
    const kind = kindOf(sources.get(source)?.type);
    if (!names.has(source)) {
      findings.add({ path, message: `unknown source '${cut(source)}'; ${allowed}` });
    } else if (source === name) {
      const message = `compares '${cut(name)}' with itself; name another source`;
      findings.add({ path, message });
    } else if (kind?.isRemote && kind.needsUser) {
      const message = `'${cut(source)}' is hosted, and a hosted policy cannot be asked again: it needs the credentials of the user`;
      findings.add({ path, message });
    }
  }
}

/** @param named - the sources that routes list. */
export function unusedShadows(
  shadows: ReadonlyMap<string, Shadow>,
  named: ReadonlySet<string>,
  { findings }: Pick<Checking<OddFinding>, 'findings'>,
): void {
  for (const name of shadows.keys()) {
    if (named.has(name)) continue;
    findings.add({
      code: 'UNUSED_SHADOW',
      path: ['shadow', name],
      message: `no route lists '${cut(name)}', so it is never compared`,
    });
  }
}

/** For the log: `'opa' with 'opa-next' (10 percent)`. */
export const shadowsInWords = (shadows: ReadonlyMap<string, Shadow>): string =>
  someOf(
    [...shadows].map(([name, { source, percent }]) => {
      const share = percent === 100 ? '' : ` (${percent} percent)`;
      return `'${cut(name)}' with '${cut(source)}'${share}`;
    }),
  );
