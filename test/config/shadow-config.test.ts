import { readConfig } from '../../src/config/read';
import { summary } from '../../src/config/summary';
import {
  config,
  expectProblems,
  HOSTED,
  hosted,
  OPA,
  OWNERSHIP,
  problems,
  warnings,
  type Row,
} from '../support/read-config';

const withShadow = (shadow: unknown, more: object = {}): object =>
  config({ sources: { opa: OPA, next: OPA, ownership: OWNERSHIP }, shadow, ...more });

const ALLOWED = "allowed: 'allow', 'deny', 'opa', 'next', 'ownership'";
const SHAPE = 'the name of a source, or { source, percent }';

describe('sources to compare', () => {
  it.each<Row>([
    [
      'are by name',
      withShadow(['opa']),
      `~.shadow: must be an object of { <source>: ${SHAPE} }`,
    ],
    [
      'are named, or an object',
      withShadow({ opa: ['next'] }),
      `~.shadow.opa: must be ${SHAPE}`,
    ],
    [
      'have no other keys',
      withShadow({ opa: { source: 'next', share: 1 } }),
      "~.shadow.opa: unknown key 'share'; allowed: source, percent",
    ],
    [
      'need another source',
      withShadow({ opa: { percent: 1 } }),
      '~.shadow.opa.source: is required: the name of a source',
    ],
    [
      'are compared by a whole percentage',
      withShadow({ opa: { source: 'next', percent: 0 } }),
      '~.shadow.opa.percent: must be a whole number from 1 to 100, not 0',
    ],
    [
      'are known',
      withShadow({ opaa: 'next', opa: 'nxt' }),
      `~.shadow.opaa: unknown source 'opaa'; ${ALLOWED}`,
      `~.shadow.opa: unknown source 'nxt'; ${ALLOWED}`,
    ],
    [
      'are compared with another one',
      withShadow({ opa: 'opa' }),
      "~.shadow.opa: compares 'opa' with itself; name another source",
    ],
    [
      'are at most 1000',
      withShadow(
        Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`s${i}`, 'next'])),
      ),
      '~.shadow: names more than 1000 sources',
    ],
  ])('%s', expectProblems);

  it('are not compared with a hosted one', async () => {
    const raw = withShadow(
      { opa: 'team' },
      {
        sources: { opa: OPA, team: HOSTED, ownership: OWNERSHIP },
      },
    );
    expect(await problems(raw, { provided: hosted('team') })).toEqual([
      "~.shadow.opa: 'team' is hosted, and a hosted policy cannot be asked again: it needs the credentials of the user",
    ]);
  });

  it('may be hosted themselves, or built in', async () => {
    const raw = withShadow(
      { team: 'next', opa: 'deny', ownership: 'allow' },
      {
        sources: { opa: OPA, next: OPA, team: HOSTED, ownership: OWNERSHIP },
        routes: [{ prefix: '', sources: ['team', 'opa', 'ownership'] }],
      },
    );
    expect(await warnings(raw, { provided: hosted('team') })).toEqual([]);
  });

  it('are not in a routing file', async () => {
    const { fallback, routes, ...rest } = withShadow(undefined) as Record<
      string,
      unknown
    >;
    const content = { fallback, routes, shadow: { opa: 'next' } };
    expect(await problems(rest, { file: { path: 'routing.yaml', content } })).toEqual([
      "routing.yaml: unknown key 'shadow'; allowed: fallback, routes",
    ]);
  });

  it('use the other source and its standby', async () => {
    const sources = { opa: OPA, next: { ...OPA, standby: 'spare' }, spare: OPA };
    const more = { sources, routes: [{ prefix: '', sources: ['opa'] }] };
    expect(await warnings(withShadow({ opa: 'next' }, more))).toEqual([]);
    expect(await warnings(withShadow({}, more))).toHaveLength(2);
  });

  it('decide nothing, so the digest is the same', async () => {
    const digestOf = async (shadow: object): Promise<string> =>
      (await readConfig(withShadow(shadow))).digest;
    expect(await digestOf({ opa: 'next' })).toBe(await digestOf({}));
  });

  it('are named in the line of the start', async () => {
    const line = summary(
      await readConfig(
        withShadow({ opa: 'next', ownership: { source: 'deny', percent: 5 } }),
      ),
    );
    expect(line).toContain(
      " Compared, and never enforced: 'opa' with 'next', 'ownership' with 'deny' (5 percent). ",
    );
  });
});
