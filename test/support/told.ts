import type { DecisionRecord } from '../../src/trace/record';

/** By the name of the permission, the last trace of it: its route, and what each source said. */
export const told = (traces: readonly DecisionRecord[]): Record<string, string[]> =>
  Object.fromEntries(
    traces.map(({ permission, route, sources }) => [
      permission?.name,
      [
        route ?? 'not routed',
        ...sources.map(({ source, verdict }) => `${source}: ${verdict}`),
      ],
    ]),
  ) as Record<string, string[]>;
