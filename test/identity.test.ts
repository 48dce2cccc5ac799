/** Who asks, and what happens if that cannot be found out; on a clock that the test turns. */
import type { BackstageUserInfo } from '@backstage/backend-plugin-api';
import type { PolicyQueryUser } from '@backstage/plugin-permission-node';
import { identify, IdentityError } from '../src/identity';
import { Deadline } from '../src/lib/deadline';
import { InvalidRequestError } from '../src/request';
import { pass, resumeClock, stopClock } from './support/clock';

beforeEach(() => stopClock());
afterEach(() => {
  expect(jest.getTimerCount()).toBe(0);
  resumeClock();
});

const INFO: BackstageUserInfo = {
  userEntityRef: 'user:default/olivia',
  ownershipEntityRefs: ['user:default/olivia', 'group:default/payments'],
};

const credentials = { $$type: '@backstage/BackstageCredentials', principal: {} };
const withInfo = { credentials, info: INFO } as unknown as PolicyQueryUser;
const withoutInfo = { credentials } as unknown as PolicyQueryUser;

/** Identifies the user by a service that answers like this. */
function identifyBy(
  getUserInfo: () => Promise<unknown>,
  user = withoutInfo,
  deadline = 100,
) {
  const service = jest.fn(getUserInfo as () => Promise<BackstageUserInfo>);
  // What identify() throws at once is a rejection here too.
  const identified = (async () =>
    identify(user, { getUserInfo: service }, new Deadline(deadline)))();
  return { identified, service };
}

it('is the info that the host gives; the service is not asked', async () => {
  const { identified, service } = identifyBy(async () => ({}), withInfo);
  expect(await identified).toEqual(INFO);
  expect(service).not.toHaveBeenCalled();
});

it('is what the service says of the credentials where the host gives no info', async () => {
  const { identified, service } = identifyBy(async () => INFO);
  expect(await identified).toEqual(INFO);
  expect(service.mock.calls).toEqual([[credentials]]);
});

it('is frozen', async () => {
  const principal = await identifyBy(async () => INFO).identified;
  expect(Object.isFrozen(principal)).toBe(true);
  expect(Object.isFrozen(principal.ownershipEntityRefs)).toBe(true);
});

describe('the service', () => {
  const raise = (): never => {
    throw new Error('secret token');
  };

  it.each([
    ['rejects', () => Promise.reject(new Error('secret token'))],
    ['throws', raise],
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- foreign code may
    ['rejects with nothing', () => Promise.reject()],
  ])('that %s is an IdentityError without its message', async (_how, getUserInfo) => {
    const error: unknown = await identifyBy(getUserInfo).identified.catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(IdentityError);
    expect((error as Error).message).toBe(
      'the identity of the user could not be obtained',
    );
    expect((error as Error).cause).toBeUndefined();
  });

  it.each([
    ['gives nothing', async () => undefined, 0],
    ['answers at the deadline', () => new Promise(() => {}), 100],
  ])('that %s is too late', async (_how, getUserInfo, milliseconds) => {
    const { identified } = identifyBy(getUserInfo);
    const rejected = expect(identified).rejects.toThrow(
      new IdentityError('the identity of the user could not be obtained in time'),
    );
    await pass(milliseconds);
    await rejected;
  });

  it('may take until the deadline', async () => {
    let answer: (info: unknown) => void = () => {};
    const { identified } = identifyBy(() => new Promise(resolve => (answer = resolve)));
    await pass(99);
    answer(INFO);
    expect(await identified).toEqual(INFO);
  });
});

it.each<[from: string, by: () => ReturnType<typeof identifyBy>]>([
  [
    'the host',
    () =>
      identifyBy(async () => INFO, {
        credentials,
        info: { userEntityRef: 'user:default/olivia' },
      } as unknown as PolicyQueryUser),
  ],
  ['the service', () => identifyBy(async () => ({ ownershipEntityRefs: [] }))],
])('is refused if it comes from %s without its shape', async (_from, by) => {
  await expect(by().identified).rejects.toThrow(InvalidRequestError);
});
