import type { DecisionRecord } from '../../src/trace/record';

/** The route and each source's verdict in the last trace of each permission, by its name. */
export const verdictsByPermission = (
  traces: readonly DecisionRecord[],
): Record<string, string[]> =>
  Object.fromEntries(
    traces.map(({ permission, route, sources }) => [
      permission?.name,
      [
        route ?? 'not routed',
        ...sources.map(({ source, verdict }) => `${source}: ${verdict}`),
      ],
    ]),
  ) as Record<string, string[]>;
