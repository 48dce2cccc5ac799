import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readConfig } from '../../src/config/read';
import { WARNING_CODES, type ConfigWarning } from '../../src/config/warnings';
import { COVERAGE_CODES } from '../../src/operations/coverage';
import {
  config,
  HOSTED,
  hosted,
  OPA,
  OWNERSHIP,
  withOpa,
  withRoutes,
} from '../support/read-config';

const PAGE = readFileSync(join(__dirname, '../../docs/configuration.md'), 'utf8');

const warningsOf = async (raw: object): Promise<readonly ConfigWarning[]> =>
  (await readConfig(raw)).warnings;

const ROWS: ReadonlyArray<
  [code: string, raw: object, place: string, subject: string | undefined]
> = [
  [
    'UNREACHABLE_ROUTE',
    withRoutes(
      { prefix: 'a', actions: ['create', 'read', 'update', 'delete', 'none'] },
      { prefix: 'a' },
    ),
    'routes[1]',
    "'a'",
  ],
  [
    'REST_IS_OPEN',
    { ...withRoutes({ prefix: 'a', actions: ['delete'] }), fallback: 'allow' },
    'routes[0]',
    "'a' [delete]",
  ],
  ['ODD_PATTERN', withRoutes({ prefix: 'a/b' }), 'routes[0].prefix', "'a/b'"],
  ['ODD_PATTERN', withRoutes({ name: 'a.*' }), 'routes[0].name', "name 'a.*'"],
  [
    'ODD_BASE_URL',
    withOpa({ baseUrl: 'https://opa.example.com/v1/data' }),
    'sources.opa.baseUrl',
    undefined,
  ],
  [
    'ODD_ENTRYPOINT',
    withOpa({ entrypoint: 'data.a.b' }),
    'sources.opa.entrypoint',
    undefined,
  ],
  [
    'UNUSED_SOURCE',
    config({ sources: { opa: OPA, ownership: OWNERSHIP, spare: OWNERSHIP } }),
    'sources.spare',
    undefined,
  ],
  [
    'UNUSED_SHADOW',
    config({ shadow: { allow: 'ownership' } }),
    'shadow.allow',
    undefined,
  ],
];

it.each(ROWS)(
  '%s says where it is and what is there',
  async (code, raw, place, subject) => {
    const [warning, ...others] = await warningsOf(raw);
    expect(others).toEqual([]);
    const where = `permission.policyRouter.${place}`;
    expect(warning!.at?.keys[0]).toBe(/^\w+/.exec(place)![0]);
    expect(warning).toMatchObject({
      code,
      place: where,
      subject,
      message: expect.any(String) as string,
      text: `${subject === undefined ? where : `${subject} (${where})`}: ${warning!.message}`,
    });
  },
);

it('NEVER_ABSTAINS says so too', async () => {
  const raw = {
    fallback: 'deny',
    sources: { team: HOSTED, ownership: OWNERSHIP },
    routes: [
      { prefix: '', sources: ['team', 'ownership'], combine: 'first-applicable' },
    ],
  };
  const { warnings } = await readConfig(raw, undefined, hosted('team'));
  expect(warnings).toMatchObject([
    { code: 'NEVER_ABSTAINS', place: 'permission.policyRouter.routes[0]' },
  ]);
});

it('MORE_WARNINGS counts those that are not shown', async () => {
  const raw = config({
    sources: Object.fromEntries(
      Array.from({ length: 60 }, (_, index) => [
        `opa${index}`,
        { ...OPA, entrypoint: `data.a.b${index}` },
      ]),
    ),
    routes: [{ prefix: '', sources: ['opa0'] }],
  });
  const given = await warningsOf(raw);
  expect(given).toHaveLength(51);
  expect(given.at(-1)).toEqual({
    code: 'MORE_WARNINGS',
    place: 'permission.policyRouter',
    message: given.at(-1)!.text,
    text: expect.stringMatching(/^and \d+ more warnings about the config$/) as string,
  });
});

it('every code is on the page, and the page has no other', () => {
  const [, section] = PAGE.split('\n## Warnings\n');
  const codes = [...section!.matchAll(/^- `([A-Z_]+)`:/gm)].map(([, code]) => code);
  expect(codes).toEqual([...WARNING_CODES, ...COVERAGE_CODES]);
});
