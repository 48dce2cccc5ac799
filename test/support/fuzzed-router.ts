/** A router with the sinks that write the log, and the checks for each of its decisions. */
import type { BackstageUserInfo } from '@backstage/backend-plugin-api';
import type { PolicyDecision } from '@backstage/plugin-permission-common';
import type { PolicyQuery, PolicyQueryUser } from '@backstage/plugin-permission-node';
import { givenBy } from '../../src/trace/facts';
import { warnOfFailures } from '../../src/trace/failure-log';
import { generalSentence, sentenceOf } from '../../src/trace/sentence';
import { warnOfLargeConditions } from '../../src/trace/size-log';
import type { DecisionRecord } from '../../src/trace/record';
import { CapturedLogs } from './captured-logs';
import { startRouter } from './router';
import { ProvidedPolicies } from '../../src/hosting/provided-policies';

/** The maximum length of a log line and of any string in a trace. */
export const MAX_LINE = 3_000;
/** The maximum length of a trace as JSON, except for quotes: exchange, conditions, user. */
export const MAX_TRACE = 20_000;

/** Control characters, line breaks, direction marks, halves of characters. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/u;

export interface FuzzedRouter {
  /** Decides, and throws if the decision, its trace or its log lines are not valid. */
  decide(
    query: unknown,
    user: unknown,
  ): Promise<{ decision: PolicyDecision; trace: Readonly<DecisionRecord> }>;
  /** Sets what the `userInfo` service answers. */
  serve(getUserInfo: () => Promise<BackstageUserInfo>): void;
  close(): void;
}

/** @param provided - the policies of the hosted sources. */
export async function fuzzedRouter(
  config: object,
  provided = new ProvidedPolicies(),
): Promise<FuzzedRouter> {
  const logs = new CapturedLogs();
  const logger = logs.logger();
  const traces: Array<Readonly<DecisionRecord>> = [];
  let serve: () => Promise<BackstageUserInfo> = () => Promise.reject(new Error('none'));
  const router = await startRouter(config, {
    logger,
    policies: provided,
    userInfo: { getUserInfo: () => serve() },
    sinks: [
      trace => traces.push(trace),
      // A new one each time, because it logs only the first line of each kind.
      trace => warnOfFailures(logger)(trace),
      trace => warnOfLargeConditions(logger)(trace),
    ],
  });
  return {
    decide: async (query, user) => {
      traces.length = logs.lines.length = 0;
      const decision = await router.decide(
        query as PolicyQuery,
        user as PolicyQueryUser,
      );
      // Under observe the decision is recorded later.
      while (traces.length === 0) await new Promise(resolve => setImmediate(resolve));
      const [trace, ...others] = traces;
      if (!trace || others.length > 0) throw new Error(`${traces.length} traces`);
      const given = givenBy(trace);
      if (given.result !== decision.result) {
        throw new Error(`traced as ${given.result}, decided ${decision.result}`);
      }
      if (!logs.lines.some(line => line.level === 'debug')) {
        throw new Error('no debug line');
      }
      for (const { message } of logs.lines) checkLine(message);
      checkTrace(trace);
      checkLine(sentenceOf(trace));
      checkLine(generalSentence(trace));
      return { decision, trace };
    },
    serve: getUserInfo => {
      serve = getUserInfo;
    },
    close: () => router.close(),
  };
}

/** Quotes of callers, the host and OPA; in the debug log only as values. */
const QUOTED = new Set(['permission', 'user', 'refs', 'exchange', 'conditions']);

function checkTrace(trace: Readonly<DecisionRecord>): void {
  const text = JSON.stringify(trace, (key, value: unknown) => {
    if (QUOTED.has(key)) return undefined;
    if (typeof value === 'string') checkLine(value);
    return value;
  });
  const length = text.length + (JSON.stringify(trace.permission) ?? '').length;
  if (length > MAX_TRACE) throw new Error(`a trace of ${length} characters`);
}

export function checkLine(text: string): void {
  if (text.length > MAX_LINE) throw new Error(`a line of ${text.length} characters`);
  const found = UNPRINTABLE.exec(text);
  if (found) throw new Error(`unprintable at ${found.index}: ${JSON.stringify(text)}`);
}
