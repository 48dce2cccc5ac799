import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writePolicies } from '../soak/soak';
import type { TableName, Version } from '../soak/world';
import { startPostgres } from '../support/postgres';
import { BundleStore } from './bundle-store';
import { PulledOpa } from './pulled-opa';
import { Replica } from './replica';
import { buildBundle, makeSigningKey } from './signed-bundle';
import { bundleOf } from './world';

export const FIRST: { readonly version: Version; readonly table: TableName } = {
  version: '1',
  table: 'A',
};

export const OPA_NAMES = ['opa-one', 'opa-two'] as const;

export interface SetUp {
  readonly store: BundleStore;
  readonly bundles: Readonly<Record<'1' | '2', Buffer>>;
  /** Bundles that must not be taken, by what is wrong. Each has the policy `embedded`. */
  readonly refused: Readonly<Record<string, Buffer>>;
  readonly opas: readonly [PulledOpa, PulledOpa];
  readonly replicas: readonly [Replica, Replica];
}

/**
 * Two replicas on one PostgreSQL, two OPAs, and the store of their bundles.
 *
 * @param folder - for all files.
 * @param ends - gets what undoes each part, also if a later part fails.
 */
export async function setUp(
  { binary, polling }: { readonly binary: string; readonly polling: number },
  folder: string,
  ends: Array<() => unknown>,
): Promise<SetUp> {
  const key = await makeSigningKey(folder, 'policy');
  const stranger = await makeSigningKey(folder, 'stranger');
  let built = 0;
  const build = (version: Version, by: typeof key | undefined): Promise<Buffer> =>
    buildBundle(binary, join(folder, `bundle-${built++}`), bundleOf(version), by);
  const bundles = { 1: await build('1', key), 2: await build('2', key) };
  const refused = {
    'signed by another key': await build('embedded', stranger),
    'not signed': await build('embedded', undefined),
  };

  const token = 'token-of-the-store';
  const store = await BundleStore.start(token);
  ends.push(() => store.stop());
  store.publish(bundles[FIRST.version as '1']);
  const startPulledOpa = async (name: string): Promise<PulledOpa> => {
    const opa = await PulledOpa.start(
      {
        binary,
        folder: join(folder, name),
        publicKey: key.publicKey,
        store: { url: store.urlFor(name), token },
        polling,
      },
      FIRST.version,
    );
    ends.push(() => opa.stop());
    return opa;
  };
  const [one, two] = [
    await startPulledOpa(OPA_NAMES[0]),
    await startPulledOpa(OPA_NAMES[1]),
  ];

  const wasm = join(folder, 'wasm');
  await mkdir(wasm);
  const bundle = await writePolicies(binary, wasm);
  const postgres = await startPostgres();
  ends.push(() => postgres.stop());
  const startReplica = async (
    name: string,
    own: PulledOpa,
    other: PulledOpa,
  ): Promise<Replica> => {
    const options = { name, own, other, bundle, database: postgres.config };
    const place = join(folder, name.replace(' ', '-'));
    const replica = await Replica.start({ ...options, folder: place }, FIRST.table);
    ends.push(() => replica.kill());
    return replica;
  };
  // One after the other: the first one makes the tables of the database.
  const replicas = [
    await startReplica('replica one', one, two),
    await startReplica('replica two', two, one),
  ] as const;
  return { store, bundles, refused, opas: [one, two], replicas };
}
