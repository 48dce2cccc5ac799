/** What the plugins of a real backend declare, compared with the table. */
import type { Response } from 'express';
import { answering, declaring } from '../fixtures/declaring-plugins';
import { basic, startBackend, type RunningBackend } from '../support/backend';

/** Installed, but it holds its answer until it is released. */
const held: Response[] = [];
let isReleased = false;
const LATE = { permissions: [basic('late.create', 'create').permission], rules: [] };

let backend: RunningBackend;
afterEach(() => backend.stop());

const UNROUTED = /^Of (\d+) permissions that (\d+) plugins declare, (\d+) match/;

/** The lines about permissions without a route, as numbers. */
const reported = (): number[][] =>
  backend.logs.lines.flatMap(({ level, message }) => {
    const found = level === 'info' ? UNROUTED.exec(message) : undefined;
    return found ? [found.slice(1).map(Number)] : [];
  });

it('is told once the plugins are read, and again when a late plugin is', async () => {
  backend = await startBackend({
    policyRouter: {
      fallback: 'deny',
      routes: [
        { prefix: 'catalog', sources: ['allow'] },
        { prefix: 'late', sources: ['allow'] },
      ],
    },
    features: [
      declaring('twice-a', 'twice.thing'),
      declaring('twice-b', 'twice.thing'),
      answering('late', (_, response) => {
        if (isReleased) response.json(LATE);
        else held.push(response);
      }),
    ],
  });
  const first = await backend.logs.waitFor(
    'match no route and get the fallback (DENY)',
  );
  expect(first).toMatchObject({ level: 'info' });
  const names = await backend.logs.waitFor(
    'Declared permissions that no route matches',
  );
  expect(names).toMatchObject({ level: 'debug' });
  expect(names.message).toContain('"twice.thing"');
  expect(names.message).not.toContain('"catalog.');

  const since = backend.logs.lines.length;
  isReleased = true;
  for (const response of held.splice(0)) response.json(LATE);
  await backend.logs.waitFor('match no route', since);
  const [before, after] = reported();
  const [permissions, plugins, unrouted] = before!;
  expect(after).toEqual([permissions! + 1, plugins! + 1, unrouted]);
  expect(reported()).toHaveLength(2);
});
