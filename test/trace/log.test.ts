/** The debug line of a decision, also if the logger cannot format its trace. */
import type { LoggerService } from '@backstage/backend-plugin-api';
import { logTraces } from '../../src/trace/log';
import type { DecisionRecord } from '../../src/trace/record';

const trace = {
  permission: { type: 'basic', name: 'tested', attributes: {} },
  result: 'DENY',
} as unknown as DecisionRecord;

function loggerThat(debug: LoggerService['debug']): LoggerService {
  return { debug } as LoggerService;
}

it('holds the result, the permission and the whole trace', () => {
  const debug = jest.fn();
  logTraces(loggerThat(debug))(trace);
  expect(debug.mock.calls).toEqual([['DENY "tested"', { decision: trace }]]);
});

it('is logged without the trace if the trace cannot be logged', () => {
  const lines: string[] = [];
  const debug: LoggerService['debug'] = (line, meta) => {
    if (meta !== undefined) throw new RangeError('Maximum call stack size exceeded');
    lines.push(line);
  };
  logTraces(loggerThat(debug))(trace);
  expect(lines).toEqual(['DENY "tested" (the trace could not be logged)']);
});
