import { askedOnce } from '../../src/sources/asked-once';
import type { LocalSource } from '../../src/sources/source';
import { allow } from '../../src/verdict';
import { permission } from '../fixtures/builders';

const names: string[] = [];
let closed = 0;
const counting: LocalSource = {
  ask: ({ permission: { name } }) => {
    names.push(name);
    return allow(`answer ${names.length}`);
  },
  close: async () => {
    closed++;
  },
};
const source = askedOnce(counting, ({ name }) => name);
const principal = () => ({ ownershipEntityRefs: ['a'] });
const ask = (name: string, who: ReturnType<typeof principal>) =>
  source.ask({ permission: permission(name), principal: who });

beforeEach(() => {
  names.length = 0;
});

it('asks the same question of one principal once', () => {
  const dana = principal();
  const [first, again] = [ask('read', dana), ask('read', dana)];
  expect(again).toBe(first);
  expect(ask('write', dana)).not.toBe(first);
  expect(names).toEqual(['read', 'write']);
});

it('asks again for another principal, even an equal one', () => {
  ask('read', principal());
  ask('read', principal());
  expect(names).toEqual(['read', 'read']);
});

it('keeps nothing of a source that throws', () => {
  const dana = principal();
  let times = 0;
  const failing = askedOnce(
    {
      ...counting,
      ask: () => {
        times++;
        throw new Error('broken');
      },
    },
    () => '',
  );
  const asking = () => failing.ask({ permission: permission('read'), principal: dana });
  expect(asking).toThrow('broken');
  expect(asking).toThrow('broken');
  expect(times).toBe(2);
});

it('closes the source', async () => {
  await source.close();
  expect(closed).toBe(1);
});
