/** Proves that the oracle is strict: a soak with one that accepts everything proves nothing. */
import { allowedOutcomes, type Circumstances } from './oracle';
import { Timeline } from './timeline';
import {
  ASKED,
  CROWDED,
  PEOPLE,
  said,
  type Asked,
  type Person,
  type Version,
} from './world';

const up = (...versions: Version[]) => ({
  versions: new Set(versions),
  down: false,
  outage: false,
});
const DOWN = { versions: new Set<Version>(), down: true, outage: true };
/** This process was too busy to be sure that OPA answered in time. */
const seemingDown = (...versions: Version[]) => ({ ...up(...versions), down: true });

const calm = {
  tables: ['A'],
  opas: { main: up('1'), second: up('2') },
  overloaded: false,
} as const;

/** A person and a question that get this answer from the policy. */
function find(prefix: string, version: Version, answer: string): [Person, Asked] {
  for (const asked of ASKED.filter(each => each.prefix === prefix)) {
    for (const person of PEOPLE) {
      if (said(version, person, asked) === answer) return [person, asked];
    }
  }
  throw new Error(`nobody gets ${answer} on ${prefix}`);
}

const outcomes = (
  [person, asked]: [Person, Asked],
  more: Partial<Circumstances> = {},
): string[] => [...allowedOutcomes({ ...calm, ...more, person, asked })].sort();

it('the oracle knows only one answer to every question while nothing happens', () => {
  const all = PEOPLE.flatMap(person => ASKED.map(asked => outcomes([person, asked])));
  for (const allowed of all) expect(allowed).toHaveLength(1);
  const kinds = new Set(all.flat().map(outcome => outcome.split(' ')[0]));
  expect([...kinds].sort()).toEqual(['ALLOW', 'CONDITIONAL', 'DENY']);
});

it('the oracle distinguishes the answers for different users, permissions and versions', () => {
  const conditional = ASKED.filter(({ prefix }) => prefix === 'closed').flatMap(asked =>
    (['1', '2'] as const).flatMap(version =>
      PEOPLE.filter(person => said(version, person, asked) === 'CONDITIONAL').flatMap(
        person =>
          outcomes([person, asked], { opas: { main: up(version), second: DOWN } }),
      ),
    ),
  );
  expect(conditional.length).toBeGreaterThan(5);
  expect(new Set(conditional).size).toBe(conditional.length);
});

it('the oracle lets fail-open allow only in an outage', () => {
  const denied = find('open', '1', 'DENY');
  const down = { opas: { main: DOWN, second: up('2') } };
  expect(outcomes(denied)).toEqual(['DENY']);
  expect(outcomes(denied, { overloaded: true })).toEqual(['DENY']);
  expect(outcomes(denied, down)).toEqual(['ALLOW']);
  expect(outcomes(denied, { ...down, tables: ['B'] })).toEqual(['DENY']);
  expect(outcomes(find('open', '1', 'INVALID'))).toEqual(['DENY']);
  expect(outcomes(find('closed', '1', 'ALLOW'), down)).toEqual(['DENY']);
});

it('the oracle lets fail-open deny, but never allow because this process was too busy', () => {
  const busy = { opas: { main: seemingDown('1'), second: up('2') } };
  expect(outcomes(find('open', '1', 'DENY'), busy)).toEqual(['DENY']);
  expect(outcomes(find('open', '1', 'ALLOW'), busy)).toEqual(['ALLOW', 'DENY']);
  expect(outcomes(find('open', '1', 'INVALID'), busy)).toEqual(['DENY']);
  expect(outcomes(find('closed', '1', 'ALLOW'), busy)).toEqual(['ALLOW', 'DENY']);
});

it('the oracle lets no condition pass that has room for 5,000 groups', () => {
  const kinds = ASKED.flatMap(asked => outcomes([CROWDED, asked]));
  expect([...new Set(kinds)].sort()).toEqual(['ALLOW', 'DENY']);
  // Denied by ownership, so nobody asks the OPA whose state is unknown.
  const [both] = ASKED.filter(({ name }) => name === 'both.r0');
  const unknown = { opas: { main: up(), second: up() } };
  expect(outcomes([CROWDED, both!], unknown)).toEqual(['DENY']);
});

it('the oracle lets a standby or second endpoint decide only while the first is down or overloaded', () => {
  const invalid = find('backed', '1', 'INVALID');
  const down = { opas: { main: DOWN, second: up('2') } };
  expect(outcomes(invalid)).toEqual(['DENY']);
  expect(outcomes(invalid, down)).toEqual(['ALLOW']);
  expect(outcomes(invalid, { overloaded: true })).toEqual(['ALLOW', 'DENY']);
  const pair = find('pair', '2', 'ALLOW');
  expect(outcomes(pair, down)).toEqual(['ALLOW']);
  expect(outcomes(pair, { opas: { main: DOWN, second: DOWN } })).toEqual(['DENY']);
});

it('a timeline knows exactly the states that were possible between two moments', () => {
  const clock = jest.spyOn(performance, 'now');
  const at = (now: number): unknown => clock.mockReturnValue(now);
  at(0);
  const timeline = new Timeline('a');
  at(10);
  timeline.set('a', 'b');
  at(20);
  timeline.set('b');
  const between = (from: number, to: number): string =>
    [...timeline.between(from, to)].sort().join('');
  expect(between(0, 9)).toBe('a');
  expect(between(0, 10)).toBe('ab');
  expect(between(12, 15)).toBe('ab');
  expect(between(15, 25)).toBe('ab');
  expect(between(20, 25)).toBe('b');
  expect(between(0, 25)).toBe('ab');
  expect(timeline.now()).toEqual(['b']);
  clock.mockRestore();
});
