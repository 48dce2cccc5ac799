/** What OPA needs when the policy's data has a record of every user, by their number. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'undici';
import { until } from '../support/until';
import { BundleStore } from './bundle-store';
import { startManifestOpa, type ManifestOpa } from './manifest-opa';
import { buildBundle, makeSigningKey } from './signed-bundle';

const QUESTIONS = 1000;
const TOKEN = 'token-of-the-store';

const REGO = `package backstage_policy

import rego.v1

default decision := {"result": "DENY"}

decision := {"result": "ALLOW"} if input.team in data.users[input.user].teams

version := data.version
`;

const dataOf = (users: number, version: number): object => ({
  version,
  users: Object.fromEntries(
    Array.from({ length: users }, (_, index) => [
      `user:default/user-${index}`,
      { teams: [0, 1, 2, 3, 4].map(each => `team-${(index + each * 7) % 5000}`) },
    ]),
  ),
});

export interface UsersCell {
  readonly users: number;
  /** Of the signed bundle. */
  readonly kilobytes: number;
  /** Until OPA has downloaded, checked and activated it. */
  readonly startSeconds: number;
  /** Of one question, one after the other; the median. */
  readonly milliseconds: number;
  /** Resident, at rest and at most, with one change of the bundle. */
  readonly megabytes: { readonly now: number; readonly peak: number };
}

/** @param binary - the path of OPA. */
export async function measureUsers(
  binary: string,
  sizes: readonly number[],
): Promise<UsersCell[]> {
  const folder = await mkdtemp(join(tmpdir(), 'policy-router-users-'));
  const store = await BundleStore.start(TOKEN);
  try {
    const key = await makeSigningKey(folder, 'policy');
    const cells: UsersCell[] = [];
    for (const users of sizes) {
      const place = join(folder, String(users));
      const build = (version: number): Promise<Buffer> =>
        buildBundle(
          binary,
          join(place, `bundle-${version}`),
          { rego: REGO, data: dataOf(users, version) },
          key,
        );
      const [first, second] = [await build(1), await build(2)];
      store.publish(first);
      const began = performance.now();
      const opa = await startManifestOpa({
        binary,
        folder: place,
        publicKey: key.publicKey,
        store: { url: store.urlFor('opa'), token: TOKEN },
        polling: 1,
      });
      try {
        const startSeconds = (performance.now() - began) / 1000;
        store.publish(second);
        cells.push({
          users,
          kilobytes: first.length / 1000,
          startSeconds,
          ...(await ask(opa, users)),
        });
      } finally {
        await opa.stop();
      }
    }
    return cells;
  } finally {
    await store.stop();
    await rm(folder, { recursive: true });
  }
}

async function ask(
  opa: ManifestOpa,
  users: number,
): Promise<Pick<UsersCell, 'milliseconds' | 'megabytes'>> {
  const client = new Client('http://localhost', { socketPath: opa.socket });
  const post = async (path: string, input: object): Promise<unknown> => {
    const { body } = await client.request({
      path: `/v1/data/backstage_policy/${path}`,
      method: 'POST',
      body: JSON.stringify({ input }),
    });
    return ((await body.json()) as { result?: unknown }).result;
  };
  try {
    await until(
      async () => (await post('version', {})) === 2,
      'OPA has the new bundle',
    );
    const times: number[] = [];
    for (let question = 0; question < QUESTIONS; question++) {
      const began = performance.now();
      const user = `user:default/user-${(question * 7919) % users}`;
      await post('decision', { user, team: 'team-1' });
      times.push(performance.now() - began);
    }
    times.sort((one, other) => one - other);
    const status = await readFile(`/proc/${opa.pid}/status`, 'utf8');
    const megabytes = (field: string): number =>
      Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)![1]) / 1000;
    return {
      milliseconds: times[QUESTIONS / 2]!,
      megabytes: { now: megabytes('VmRSS'), peak: megabytes('VmHWM') },
    };
  } finally {
    await client.close();
  }
}
