import { isJsonObject } from '../../src/lib/json-object';

/**
 * Long enough that only a hang reaches them on any machine. Tests about time set the times
 * themselves.
 */
export const PATIENT_TIMEOUT = '60s';
export const PATIENT_DEADLINE = '10m';

/** The value of `permission.policyRouter`, with these times as defaults. */
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
