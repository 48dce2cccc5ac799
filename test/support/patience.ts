import { isJsonObject } from '../../src/lib/json-object';

/**
 * So long that only what hangs takes it, however busy the machine. Where a test is about time, it
 * sets the times itself.
 */
export const PATIENT_TIMEOUT = '60s';
export const PATIENT_DEADLINE = '10m';

/** The value of `permission.policyRouter`, with these times where it sets none. */
export function patiently(policyRouter: object): object {
  if ('deadline' in policyRouter) return policyRouter;
  const { sources } = policyRouter as { sources?: unknown };
  return {
    deadline: PATIENT_DEADLINE,
    ...policyRouter,
    ...(isJsonObject(sources)
      ? {
          sources: Object.fromEntries(
            Object.entries(sources).map(([name, source]) => [
              name,
              withTimeout(source),
            ]),
          ),
        }
      : {}),
  };
}

const withTimeout = (source: unknown): unknown =>
  isJsonObject(source) && (source.type === 'opa' || source.type === 'hosted')
    ? { timeout: PATIENT_TIMEOUT, ...source }
    : source;
