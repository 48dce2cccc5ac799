import { readFileSync } from 'node:fs';
import { Audit } from '../../src/trace/audit';
import type { DecisionRecord } from '../../src/trace/record';
import { all, permission, rule } from '../fixtures/builders';
import { BAD_AUDITORS, RecordingAuditor } from '../support/auditor';
import { CapturedLogs } from '../support/captured-logs';
import {
  AT,
  attemptOf,
  failure,
  insteadOfOpa,
  observedOf,
  recordOf,
  refused,
  sourceOf,
} from '../support/records';

const MINUTE = 60_000;

let auditor: RecordingAuditor;
let logs: CapturedLogs;
let audit: Audit;

beforeEach(() => {
  jest.useFakeTimers();
  auditor = new RecordingAuditor();
  logs = new CapturedLogs();
});
afterEach(() => {
  audit.close();
  jest.useRealTimers();
});

const pass = (milliseconds: number): Promise<void> =>
  jest.advanceTimersByTimeAsync(milliseconds);

/** The events of these decisions, under this mode. */
async function eventsOf(
  mode: 'all' | 'denials' | 'off',
  ...records: DecisionRecord[]
): Promise<RecordingAuditor['events']> {
  audit = new Audit(auditor.service, logs.logger(), mode);
  for (const record of records) audit.sink(record);
  await pass(0);
  return auditor.events;
}

const allowed = (fields: Partial<DecisionRecord> = {}): DecisionRecord =>
  recordOf({ result: 'ALLOW', sources: [sourceOf({ verdict: 'ALLOW' })], ...fields });

const conditions = rule('IS_ENTITY_OWNER', { params: { claims: ['group:default/x'] } });
const conditionally = recordOf({
  result: 'CONDITIONAL',
  conditions,
  conditionSize: { bytes: 100, limit: 65_536 },
  sources: [sourceOf({ verdict: 'CONDITIONAL', conditions })],
});

const openedByFailure = allowed({
  sources: [sourceOf({ verdict: 'ALLOW', failure: refused })],
});
const outageDenial = recordOf({ sources: [sourceOf({ failure: refused })] });

const oneByOne = {
  denied: recordOf(),
  'denied because of a wrong answer': recordOf({
    sources: [sourceOf({ failure: failure('invalid', 'BAD_JSON') })],
  }),
  'allowed by a bypass': allowed({
    sources: [sourceOf({ verdict: 'ALLOW', bypass: 'group:default/platform' })],
  }),
  'denied as it could not be read': recordOf({
    permission: undefined,
    user: undefined,
  }),
};

const inOutage = {
  'denied by an unavailable source': outageDenial,
  'denied by an overloaded one': recordOf({
    sources: [sourceOf({ failure: failure('overloaded', 'QUEUE_FULL') })],
  }),
  'allowed by fail-open': openedByFailure,
  'allowed by a standby': allowed({
    sources: [insteadOfOpa({ source: 'embedded', standby: true })],
  }),
  'conditional by a standby': {
    ...conditionally,
    sources: [
      {
        ...insteadOfOpa({ source: 'embedded', standby: true }),
        verdict: 'CONDITIONAL',
      },
    ],
  } as DecisionRecord,
  'denied, because it got no turn': recordOf({
    sources: [],
    failure: failure('overloaded', 'NO_TURN'),
  }),
  'denied, because the user is not known': recordOf({
    user: undefined,
    sources: [],
    failure: failure('unavailable', 'IDENTITY'),
  }),
};

const notADenial = {
  allowed: allowed(),
  conditional: conditionally,
  'allowed by another endpoint': allowed({
    sources: [insteadOfOpa({ endpoint: 'http://two' })],
  }),
  'allowed by one source while another is unavailable, and closed': allowed({
    sources: [sourceOf({ failure: refused }), sourceOf({ verdict: 'ALLOW' })],
  }),
};

describe('denials', () => {
  it.each(Object.entries(oneByOne))(
    'has one event for each that is %s',
    async (_, record) => {
      const events = await eventsOf('denials', record, record);
      expect(events.map(({ eventId }) => eventId)).toEqual(['decision', 'decision']);
    },
  );

  it.each(Object.entries(inOutage))(
    'has one event for all that are %s',
    async (_, record) => {
      const events = await eventsOf('denials', record, record);
      expect(events.map(({ eventId }) => eventId)).toEqual(['outage']);
    },
  );

  it.each(Object.entries(notADenial))('has none for what is %s', async (_, record) => {
    expect(await eventsOf('denials', record)).toEqual([]);
  });
});

describe('all', () => {
  const records = [oneByOne, inOutage, notADenial].flatMap(group =>
    Object.values(group),
  );

  it('has one event for each decision, also in an outage', async () => {
    const events = await eventsOf('all', ...records);
    expect(events.map(({ eventId, meta }) => [eventId, meta.result])).toEqual(
      records.map(({ result }) => ['decision', result]),
    );
  });
});

describe('off', () => {
  it('has none', async () => {
    await eventsOf('off', ...Object.values(oneByOne), ...Object.values(inOutage));
    audit.reloaded('a', 'b', 'off');
    await pass(MINUTE);
    expect(auditor.begun).toEqual([]);
  });
});

describe('an event', () => {
  it('says who was denied what, by which route and source, and why', async () => {
    const [event] = await eventsOf(
      'denials',
      recordOf({
        asked: permission('catalog.entity.delete'),
        declared: 'completed',
        sources: [
          sourceOf({ verdict: 'NOT_APPLICABLE', source: 'ownership' }),
          sourceOf({ decisionId: 'an-id', endpoint: 'http://one' }),
          sourceOf({
            source: 'second',
            failure: failure('invalid', 'HTTP_500', { message: 'never shown' }),
          }),
          { source: 'third', verdict: 'NOT_ASKED' },
        ],
      }),
    );
    expect(event).toEqual({
      eventId: 'decision',
      severityLevel: 'medium',
      suppressInitialEvent: true,
      meta: {
        schemaVersion: 1,
        at: '2027-01-31T12:04:31.000Z',
        user: 'user:default/olivia',
        permission: {
          name: 'catalog.entity.delete',
          type: 'resource',
          action: 'delete',
          resourceType: 'catalog-entity',
        },
        asked: { name: 'catalog.entity.delete', type: 'basic' },
        declared: 'completed',
        result: 'DENY',
        route: "'catalog'",
        routeIndex: 2,
        reason: 'why',
        sources: [
          { source: 'ownership', verdict: 'NOT_APPLICABLE' },
          {
            source: 'opa',
            verdict: 'DENY',
            endpoint: 'http://one',
            decisionId: 'an-id',
          },
          {
            source: 'second',
            verdict: 'DENY',
            failure: { class: 'invalid', code: 'HTTP_500' },
          },
          { source: 'third', verdict: 'NOT_ASKED' },
        ],
      },
    });
  });

  it('says which standby or endpoint decided, and in whose place', async () => {
    const [standby, endpoint] = await eventsOf(
      'all',
      allowed({
        sources: [insteadOfOpa({ source: 'next', standby: true, decisionId: 'an-id' })],
      }),
      allowed({ sources: [insteadOfOpa({ endpoint: 'http://two' })] }),
    );
    const inPlaceOf = {
      class: 'unavailable',
      code: 'ECONNREFUSED',
      since: '2027-01-31T12:04:31.000Z',
    };
    expect(standby!.meta).toMatchObject({
      standby: true,
      sources: [
        {
          source: 'opa',
          verdict: 'ALLOW',
          failure: inPlaceOf,
          standby: 'next',
          decisionId: 'an-id',
        },
      ],
    });
    expect(endpoint!.meta).not.toHaveProperty('standby');
    expect(endpoint!.meta.sources).toEqual([
      { source: 'opa', verdict: 'ALLOW', failure: inPlaceOf, endpoint: 'http://two' },
    ]);
  });

  it('says why a breaker is open', async () => {
    const open = failure('unavailable', 'BREAKER_OPEN', {
      cause: { code: 'TIMEOUT', message: 'never shown' },
    });
    const record = recordOf({ sources: [sourceOf({ failure: open })] });
    const [event] = await eventsOf('all', record);
    expect(event!.meta.sources).toMatchObject([
      { failure: { class: 'unavailable', code: 'BREAKER_OPEN', cause: 'TIMEOUT' } },
    ]);
  });

  it('is of high severity if a failure counted as ALLOW, of medium severity otherwise', async () => {
    const groups = [oneByOne, inOutage, notADenial];
    const records = groups.flatMap(group => Object.values(group));
    const events = await eventsOf('all', ...records);
    const high = events.filter(({ severityLevel }) => severityLevel === 'high');
    expect(high.map(({ meta }) => meta.failOpen)).toEqual([true]);
    expect(events.every(({ severityLevel }) => severityLevel !== 'low')).toBe(true);
    const [denied, opened] = await eventsOf(
      'denials',
      outageDenial,
      openedByFailure,
    ).then(written => written.slice(-2));
    expect([denied!.severityLevel, opened!.severityLevel]).toEqual(['medium', 'high']);
  });

  it('has refs and condition values under all only, and those are enough to decide again', async () => {
    const exchange = { input: 'of-the-policy', response: 'of-the-policy' };
    const record: DecisionRecord = {
      ...conditionally,
      sources: [{ ...insteadOfOpa({ standby: true, exchange }), conditions, exchange }],
    };
    const [full] = await eventsOf('all', record);
    expect(full!.meta).toMatchObject({
      permission: {
        name: 'catalog.entity.delete',
        type: 'resource',
        action: 'delete',
        resourceType: 'catalog-entity',
      },
      refs: ['user:default/olivia', 'group:default/payments'],
      conditions,
    });
    const [brief] = (await eventsOf('denials', record)).slice(-1);
    expect(brief!.eventId).toBe('outage');
    const text = JSON.stringify(brief!.meta);
    for (const value of ['group:default/payments', 'group:default/x', 'claims']) {
      expect(text).not.toContain(value);
    }
    expect(JSON.stringify(auditor.events)).not.toContain('of-the-policy');
  });

  it('is of bounded size', async () => {
    const long = 'x'.repeat(100_000);
    const refs = Array.from({ length: 1200 }, (_, index) => `group:default/${index}`);
    const huge = all(...refs.map(ref => rule('R', { params: { ref: long + ref } })));
    const [event] = await eventsOf('all', {
      ...conditionally,
      conditions: huge,
      conditionSize: undefined,
      reason: long,
      user: long,
      route: long,
      refs: [long, ...refs],
      sources: [
        sourceOf({ endpoint: long, failure: failure('invalid', long) }),
        sourceOf({ verdict: 'CONDITIONAL', conditions: huge }),
      ],
    });
    expect(event!.meta).toMatchObject({ conditionsLeftOut: true, refsLeftOut: 201 });
    expect(event!.meta).not.toHaveProperty('conditions');
    expect(JSON.stringify(event!.meta).length).toBeLessThan(32_000);
  });

  it('has its content where the auditor of Backstage logs it once', async () => {
    await eventsOf('denials', recordOf());
    expect(auditor.begun).toEqual([
      { eventId: 'decision', severityLevel: 'medium', suppressInitialEvent: true },
    ]);
  });
});

describe('an outage', () => {
  const later = (record: DecisionRecord, milliseconds: number): DecisionRecord => ({
    ...record,
    at: AT + milliseconds,
  });

  it('is an event at once, with its first decision', async () => {
    const [event] = await eventsOf('denials', openedByFailure);
    expect(event).toMatchObject({
      eventId: 'outage',
      meta: {
        schemaVersion: 1,
        source: 'opa',
        class: 'unavailable',
        code: 'ECONNREFUSED',
        result: 'ALLOW',
        failOpen: true,
        count: 1,
        decision: {
          user: 'user:default/olivia',
          permission: { name: 'catalog.entity.delete' },
          reason: 'why',
        },
      },
    });
    expect(event!.meta.decision).not.toHaveProperty('refs');
  });

  it('is one event each minute with the count of the others, until a minute has none', async () => {
    await eventsOf(
      'denials',
      outageDenial,
      ...[1, 2, 3].map(seconds => later(outageDenial, seconds * 1000)),
    );
    expect(auditor.events).toHaveLength(1);
    await pass(MINUTE);
    expect(auditor.events.slice(1).map(({ meta }) => meta)).toEqual([
      {
        schemaVersion: 1,
        source: 'opa',
        class: 'unavailable',
        code: 'ECONNREFUSED',
        result: 'DENY',
        count: 3,
        from: '2027-01-31T12:04:32.000Z',
        to: '2027-01-31T12:04:34.000Z',
      },
    ]);

    audit.sink(later(outageDenial, MINUTE));
    await pass(MINUTE - 1);
    expect(auditor.events).toHaveLength(2);
    await pass(1);
    expect(auditor.events.at(-1)!.meta).toMatchObject({ count: 1 });
    expect(auditor.events.at(-1)!.meta).not.toHaveProperty('decision');

    await pass(2 * MINUTE);
    expect(auditor.events).toHaveLength(3);
    audit.sink(outageDenial);
    await pass(0);
    expect(auditor.events.at(-1)!.meta).toHaveProperty('decision');
  });

  it('has one kind for each source, class, code, result and way', async () => {
    const ofOther = sourceOf({ source: 'other', failure: refused });
    const timedOut = failure('unavailable', 'TIMEOUT');
    const full = failure('overloaded', 'ECONNREFUSED');
    const byStandby = insteadOfOpa({ source: 'embedded', standby: true });
    const different = [
      outageDenial,
      openedByFailure,
      recordOf({ sources: [ofOther] }),
      recordOf({ sources: [sourceOf({ failure: timedOut })] }),
      recordOf({ sources: [sourceOf({ failure: full })] }),
      allowed({ sources: [byStandby] }),
    ];
    await eventsOf('denials', ...different, ...different);
    expect(auditor.events).toHaveLength(different.length);
  });

  it('has a bounded number of kinds; the others of one class and result count as one', async () => {
    const ofCode = (code: string): DecisionRecord =>
      recordOf({ sources: [sourceOf({ failure: failure('unavailable', code) })] });
    const records = Array.from({ length: 5000 }, (_, index) => ofCode(`HTTP_${index}`));
    await eventsOf('denials', ...records, ofCode('HTTP_0'));
    expect(auditor.events).toHaveLength(101);
    expect(auditor.events.at(-1)!.meta).toMatchObject({ code: 'OTHER', count: 1 });
    await pass(MINUTE);
    expect(
      auditor.events.slice(101).map(({ meta }) => [meta.code, meta.count]),
    ).toEqual([
      ['HTTP_0', 1],
      ['OTHER', 4899],
    ]);
  });

  it('has no part in what another source denies meanwhile: that is an event each', async () => {
    const denied = recordOf({
      sources: [{ ...insteadOfOpa({ verdict: 'DENY' }), verdict: 'DENY' }],
    });
    const events = await eventsOf('denials', denied, denied);
    expect(events.map(({ eventId }) => eventId)).toEqual(['decision', 'decision']);
    const open = recordOf({
      sources: [
        sourceOf({ verdict: 'ALLOW', failure: refused }),
        sourceOf({ source: 'ownership' }),
      ],
    });
    const [event] = await eventsOf('denials', open);
    expect(event!.eventId).toBe('decision');
  });

  it('is named by its first failure that is an outage, of an attempt too', async () => {
    const wrong = failure('invalid', 'BAD_JSON');
    const [event] = await eventsOf(
      'denials',
      recordOf({
        sources: [
          sourceOf({ source: 'first', failure: wrong }),
          sourceOf({
            failure: refused,
            attempts: [
              attemptOf({ failure: refused }),
              attemptOf({ source: 'embedded', standby: true, failure: wrong }),
            ],
          }),
        ],
      }),
    );
    expect(event!.meta).toMatchObject({ source: 'opa', code: 'ECONNREFUSED' });
  });

  it.each<[string, () => void]>([
    ['the router closes', () => audit.close()],
    ['all decisions are audited', () => audit.reloaded('a', 'a', 'all')],
    ['the audit is switched off', () => audit.reloaded('a', 'a', 'off')],
  ])('is written when %s, and no timer is left', async (_, end) => {
    await eventsOf('denials', outageDenial, outageDenial, outageDenial);
    end();
    await pass(0);
    expect(auditor.events.map(({ meta }) => meta.count)).toEqual([1, 2]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('of one decision is written once', async () => {
    await eventsOf('denials', outageDenial);
    audit.close();
    await pass(MINUTE);
    expect(auditor.events).toHaveLength(1);
  });

  it('is decided one by one once the router is closed', async () => {
    await eventsOf('denials');
    audit.close();
    audit.sink(outageDenial);
    await pass(0);
    expect(auditor.events.map(({ eventId }) => eventId)).toEqual(['decision']);
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('a reload', () => {
  it('that changes the table is an event with both digests', async () => {
    await eventsOf('denials');
    audit.reloaded('aaa', 'bbb', 'denials');
    await pass(0);
    expect(auditor.events).toMatchObject([
      {
        eventId: 'table-changed',
        severityLevel: 'high',
        meta: { schemaVersion: 1, previous: 'aaa', next: 'bbb' },
      },
    ]);
    expect(auditor.events[0]!.meta.at).toMatch(/^\d{4}-.*Z$/);
  });

  it('that changes something else is none', async () => {
    await eventsOf('denials');
    audit.reloaded('aaa', 'aaa', 'all');
    await pass(0);
    expect(auditor.events).toEqual([]);
  });

  it('changes the mode of the decisions after it', async () => {
    await eventsOf('denials', allowed());
    audit.reloaded('a', 'a', 'all');
    audit.sink(allowed());
    audit.reloaded('a', 'a', 'off');
    audit.sink(recordOf());
    await pass(0);
    expect(auditor.events.map(({ meta }) => meta.result)).toEqual(['ALLOW']);
  });

  it('that switches the audit off is still audited', async () => {
    await eventsOf('denials');
    audit.reloaded('a', 'b', 'off');
    audit.reloaded('b', 'c', 'off');
    audit.reloaded('c', 'd', 'all');
    await pass(0);
    expect(auditor.events.map(({ meta }) => meta.next)).toEqual(['b', 'd']);
  });
});

describe('an auditor that', () => {
  const refusing = Object.keys(BAD_AUDITORS).filter(name => !name.startsWith('never'));

  it.each(refusing)(
    '%s is counted, and a warning says so once a minute',
    async name => {
      audit = new Audit(BAD_AUDITORS[name]!(), logs.logger(), 'denials');
      for (let count = 0; count < 3; count++) audit.sink(recordOf());
      await pass(0);
      expect(audit.status()).toEqual({ pending: 0, dropped: 0, failed: 3 });
      await pass(MINUTE);
      audit.sink(recordOf());
      await pass(0);
      const what = /^. audit events? (is|are) lost: the auditor failed with \w+$/;
      expect(logs.lines.map(({ level }) => level)).toEqual(['warn', 'warn']);
      for (const { message } of logs.lines) expect(message).toMatch(what);
      expect(logs.lines[1]!.message).toContain('3 audit events are lost');
    },
  );

  const hanging = Object.keys(BAD_AUDITORS).filter(name => name.startsWith('never'));

  it.each(hanging)('%s gets 1,000 events; the rest are counted', async name => {
    audit = new Audit(BAD_AUDITORS[name]!(), logs.logger(), 'denials');
    for (let count = 0; count < 1500; count++) audit.sink(recordOf());
    await pass(MINUTE);
    audit.sink(recordOf());
    expect(audit.status()).toEqual({ pending: 1000, dropped: 501, failed: 0 });
    expect(logs.lines.map(({ message }) => message)).toEqual([
      '1 audit event is lost: 1000 wait for the auditor',
      '500 audit events are lost: 1000 wait for the auditor',
    ]);
  });

  it('answers late gets the events after that', async () => {
    const answers: Array<() => void> = [];
    const slow = {
      ...auditor.service,
      createEvent: async (options: never) => {
        await new Promise<void>(answer => answers.push(answer));
        return auditor.service.createEvent(options);
      },
    };
    audit = new Audit(slow, logs.logger(), 'denials');
    for (let count = 0; count < 1001; count++) audit.sink(recordOf());
    expect(audit.status()).toEqual({ pending: 1000, dropped: 1, failed: 0 });
    for (const answer of answers.splice(0)) answer();
    await pass(0);
    expect(audit.status()).toEqual({ pending: 0, dropped: 1, failed: 0 });
    audit.sink(recordOf());
    for (const answer of answers) answer();
    await pass(0);
    expect(auditor.events).toHaveLength(1001);
  });

  it('fails, with a logger that fails, stops nothing', async () => {
    const logger = {
      ...logs.logger(),
      warn: () => {
        throw new Error('thrown by the logger');
      },
    };
    audit = new Audit(BAD_AUDITORS.rejects!(), logger, 'denials');
    audit.sink(recordOf());
    await pass(0);
    expect(audit.status().failed).toBe(1);
  });
});

describe('docs/audit.md', () => {
  const page = readFileSync('docs/audit.md', 'utf8');
  /** The names in the first column of the table under this heading. */
  const fieldsUnder = (heading: string): string[] => {
    const [, text = ''] = page.split(`### The fields of ${heading}\n`);
    const [table = ''] = text.split(/^#/m);
    return [...table.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name!).sort();
  };
  const keysOf = (...objects: object[]): string[] =>
    [...new Set(objects.flatMap(each => Object.keys(each)))].sort();

  it('lists the fields of each event, and no others', async () => {
    const cut = Array<string>(1001).fill('group:default/payments');
    const large = rule('R', { params: { text: 'x'.repeat(9000) } });
    const open = failure('unavailable', 'BREAKER_OPEN', {
      since: AT,
      cause: { code: 'TIMEOUT', message: 'why' },
    });
    const groups = [oneByOne, inOutage, notADenial];
    const decisions = await eventsOf(
      'all',
      ...groups.flatMap(group => Object.values<DecisionRecord>(group)),
      recordOf({
        asked: permission('a'),
        declared: 'completed',
        withoutResource: true,
      }),
      { ...conditionally, refs: cut, conditions: large, conditionSize: undefined },
      recordOf({ sources: [sourceOf({ failure: open, decisionId: 'an-id' })] }),
      recordOf({
        observed: observedOf({ failure: open, withoutResource: true, conditions }),
      }),
      recordOf({ observed: observedOf({ conditions: large }) }),
    );
    const metas = decisions.map(({ meta }) => meta);
    expect(fieldsUnder('a decision')).toEqual(keysOf(...metas));
    const sources = metas.flatMap(({ sources: said }) => said as object[]);
    expect(fieldsUnder('a source')).toEqual(keysOf(...sources));
    const observed = metas.flatMap(meta => (meta.observed as object | undefined) ?? []);
    expect(fieldsUnder('an observed decision')).toEqual(keysOf(...observed));

    auditor.events.length = 0;
    const bypassed = sourceOf({ verdict: 'ALLOW', bypass: 'group:default/platform' });
    const records = [
      ...Object.values<DecisionRecord>(inOutage),
      allowed({ sources: [sourceOf({ failure: refused }), bypassed] }),
      { ...outageDenial, observed: observedOf() },
    ];
    const outages = await eventsOf('denials', ...records, ...records);
    await pass(MINUTE);
    expect(fieldsUnder('an outage')).toEqual(
      keysOf(...outages.map(({ meta }) => meta)),
    );

    auditor.events.length = 0;
    audit.reloaded('a', 'b', 'denials');
    await pass(0);
    expect(fieldsUnder('a changed table')).toEqual(keysOf(auditor.events[0]!.meta));
  });

  it('has the warning', async () => {
    audit = new Audit(BAD_AUDITORS['never answers']!(), logs.logger(), 'denials');
    for (let count = 0; count < 1500; count++) audit.sink(recordOf());
    await pass(MINUTE);
    audit.sink(recordOf());
    expect(page).toContain(logs.lines[1]!.message);
  });
});

describe('what is observed', () => {
  const answersDeny = observedOf({
    result: 'DENY',
    source: sourceOf({ source: 'team', reason: 'why not' }),
  });
  const answersInOutage = observedOf({
    result: 'DENY',
    source: sourceOf({ source: 'team', failure: refused }),
  });

  it('is an event with both results', async () => {
    const [event] = await eventsOf('denials', recordOf({ observed: observedOf() }));
    expect(event).toMatchObject({ eventId: 'decision', severityLevel: 'medium' });
    expect(event!.meta).toMatchObject({
      result: 'DENY',
      reason: 'why',
      observed: {
        answer: 'team',
        until: '2027-02-28T00:00:00.000Z',
        result: 'ALLOW',
        reason: 'why not',
        source: { source: 'team', verdict: 'ALLOW' },
      },
    });
  });

  it.each<[what: string, record: DecisionRecord, events: number]>([
    ['would be denied', recordOf({ observed: observedOf() }), 1],
    ['is denied by who answers', allowed({ observed: answersDeny }), 1],
    ['is allowed by both', allowed({ observed: observedOf() }), 0],
  ])('under denials, if it %s', async (_what, record, events) => {
    expect(await eventsOf('denials', record)).toHaveLength(events);
  });

  it('opens nothing by fail-open, so it is no alert', async () => {
    const [event] = await eventsOf('denials', {
      ...openedByFailure,
      observed: observedOf(),
    });
    expect(event).toMatchObject({ severityLevel: 'medium', meta: { failOpen: true } });
  });

  it('and what is enforced are different kinds of an outage', async () => {
    const events = await eventsOf(
      'denials',
      outageDenial,
      outageDenial,
      { ...outageDenial, observed: observedOf() },
      { ...outageDenial, observed: observedOf() },
      { ...outageDenial, observed: answersInOutage },
    );
    expect(events.map(({ meta }) => meta.observed)).toEqual([
      undefined,
      { answer: 'team', result: 'ALLOW' },
      { answer: 'team', result: 'DENY' },
    ]);
    await pass(MINUTE);
    expect(events.slice(3).map(({ meta }) => [meta.count, meta.observed])).toEqual([
      [1, undefined],
      [1, { answer: 'team', result: 'ALLOW' }],
    ]);
  });

  it('is part of the outage of the source that answers', async () => {
    const record = allowed({ observed: answersInOutage });
    const events = await eventsOf('denials', record, record, record);
    expect(events.map(({ eventId, meta }) => [eventId, meta.source])).toEqual([
      ['outage', 'team'],
    ]);
  });

  it('is no part of an outage if the source that answers denies by itself', async () => {
    const record = { ...outageDenial, observed: answersDeny };
    const events = await eventsOf('denials', record, record);
    expect(events.map(({ eventId }) => eventId)).toEqual(['decision', 'decision']);
  });

  it('has the conditions of both only under all', async () => {
    const record = {
      ...conditionally,
      observed: observedOf({ result: 'CONDITIONAL', conditions }),
    };
    const [event] = await eventsOf('all', record);
    expect(event!.meta).toMatchObject({
      conditions,
      observed: { answer: 'team', result: 'CONDITIONAL', conditions },
    });
    audit.close();
    const denied = { ...record, result: 'DENY' } as const;
    const [, short] = await eventsOf('denials', denied);
    expect(JSON.stringify(short!.meta)).not.toContain('IS_ENTITY_OWNER');
  });
});
