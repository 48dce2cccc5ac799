import { conditionsKind } from './conditions/kind';
import { constantAllow, constantDeny } from './constant/kind';
import { hosted } from './hosted/kind';
import type { SourceKind } from './kind';
import { opaWasm } from './opa-wasm/kind';
import { opa } from './opa/kind';
import { ownership } from './ownership/kind';

/** What `type` may be in the config of a source. */
export const KINDS: readonly SourceKind[] = [
  opa,
  opaWasm,
  ownership,
  conditionsKind,
  hosted,
];

/** Sources that every table can name without configuring them; their names are their types. */
export const BUILT_IN: readonly SourceKind[] = [constantAllow, constantDeny];

export const isBuiltIn = (name: string): boolean =>
  BUILT_IN.some(({ type }) => type === name);

/** @returns undefined if there is no such kind. */
export const kindOf = (type: unknown): SourceKind | undefined =>
  [...KINDS, ...BUILT_IN].find(kind => kind.type === type);
