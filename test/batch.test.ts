import type { PolicyQueryUser } from '@backstage/plugin-permission-node';
import { Batch } from '../src/batch';
import { Deadline } from '../src/lib/deadline';

const info = { userEntityRef: 'user:default/dana', ownershipEntityRefs: ['a', 'b'] };
const known = { credentials: {}, info } as unknown as PolicyQueryUser;
const unknown = { credentials: {} } as unknown as PolicyQueryUser;
const deadline = new Deadline(600_000);

let asked = 0;
beforeEach(() => {
  asked = 0;
});
const userInfo = {
  getUserInfo: async () => {
    asked++;
    return info;
  },
};

it('identifies a user once', async () => {
  const batch = new Batch();
  const first = batch.identify(known, userInfo, deadline);
  expect(first).toEqual(info);
  expect(batch.identify(known, userInfo, deadline)).toBe(first);
  const [one, other] = await Promise.all([
    batch.identify(unknown, userInfo, deadline),
    batch.identify(unknown, userInfo, deadline),
  ]);
  expect(one).toBe(other);
  expect(asked).toBe(1);
});

it('keeps users apart, also those that look the same', () => {
  const batch = new Batch();
  const [one, other] = [known, { ...known }].map(user =>
    batch.identify(user, userInfo, deadline),
  );
  expect(one).not.toBe(other);
});

it('has a principal of its own for requests without a user', () => {
  const principals = [new Batch(), new Batch()].map(batch =>
    batch.identify(undefined, userInfo, deadline),
  );
  expect(principals).toEqual([
    { ownershipEntityRefs: [] },
    { ownershipEntityRefs: [] },
  ]);
  expect(principals[0]).not.toBe(principals[1]);
});

it('fails for each decision if the user cannot be identified', async () => {
  const batch = new Batch();
  const failing = { getUserInfo: () => Promise.reject(new Error('down')) };
  for (let time = 0; time < 2; time++) {
    await expect(batch.identify(unknown, failing, deadline)).rejects.toThrow(
      'the identity of the user could not be obtained',
    );
  }
});
