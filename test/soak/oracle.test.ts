/** The oracle is as strict as it says: a soak with one that allows everything proves nothing. */
import { allowedOutcomes, type Circumstances } from './oracle';
import { Timeline } from './timeline';
import { ASKED, PEOPLE, said, type Asked, type Person, type Version } from './world';

const up = (...versions: Version[]) => ({ versions: new Set(versions), away: false });
const AWAY = { versions: new Set<Version>(), away: true };

const calm = {
  tables: ['A'],
  opas: { main: up('1'), second: up('2') },
  overloaded: false,
} as const;

/** Whom the policy answers so, and the question. */
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

it('knows one answer to every question while nothing happens', () => {
  const all = PEOPLE.flatMap(person => ASKED.map(asked => outcomes([person, asked])));
  for (const allowed of all) expect(allowed).toHaveLength(1);
  const kinds = new Set(all.flat().map(outcome => outcome.split(' ')[0]));
  expect([...kinds].sort()).toEqual(['ALLOW', 'CONDITIONAL', 'DENY']);
});

it('tells the answers to different users, permissions and versions apart', () => {
  const conditional = ASKED.filter(({ prefix }) => prefix === 'closed').flatMap(asked =>
    (['1', '2'] as const).flatMap(version =>
      PEOPLE.filter(person => said(version, person, asked) === 'CONDITIONAL').flatMap(
        person =>
          outcomes([person, asked], { opas: { main: up(version), second: AWAY } }),
      ),
    ),
  );
  expect(conditional.length).toBeGreaterThan(5);
  expect(new Set(conditional).size).toBe(conditional.length);
});

it('lets fail-open allow in an outage only, and nothing else', () => {
  const denied = find('open', '1', 'DENY');
  const away = { opas: { main: AWAY, second: up('2') } };
  expect(outcomes(denied)).toEqual(['DENY']);
  expect(outcomes(denied, { overloaded: true })).toEqual(['DENY']);
  expect(outcomes(denied, away)).toEqual(['ALLOW']);
  expect(outcomes(denied, { ...away, tables: ['B'] })).toEqual(['DENY']);
  expect(outcomes(find('open', '1', 'INVALID'))).toEqual(['DENY']);
  expect(outcomes(find('closed', '1', 'ALLOW'), away)).toEqual(['DENY']);
});

it('lets a standby and a second endpoint decide only while the first is away or overloaded', () => {
  const invalid = find('backed', '1', 'INVALID');
  const away = { opas: { main: AWAY, second: up('2') } };
  expect(outcomes(invalid)).toEqual(['DENY']);
  expect(outcomes(invalid, away)).toEqual(['ALLOW']);
  expect(outcomes(invalid, { overloaded: true })).toEqual(['ALLOW', 'DENY']);
  const pair = find('pair', '2', 'ALLOW');
  expect(outcomes(pair, away)).toEqual(['ALLOW']);
  expect(outcomes(pair, { opas: { main: AWAY, second: AWAY } })).toEqual(['DENY']);
});

it('knows what may have been between two moments, and not more', () => {
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
