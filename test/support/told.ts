import type { DecisionTrace } from '../../src/trace/record';

/** By the name of the permission, the last trace of it: its route, and what each source said. */
export const told = (traces: readonly DecisionTrace[]): Record<string, string[]> =>
  Object.fromEntries(
    traces.map(({ permission, route, sources }) => [
      permission?.name,
      [
        route ?? 'not routed',
        ...sources.map(({ source, verdict }) => `${source}: ${verdict}`),
      ],
    ]),
  ) as Record<string, string[]>;
