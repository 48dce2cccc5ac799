/** The world of the soak, as two replicas and two OPAs see it; and lists of the catalog. */
import { parse, stringify } from 'yaml';
import type { Outcome } from '../soak/oracle';
import {
  ASKED,
  BYPASS,
  dataOf,
  ENTRYPOINT,
  PERSONAS,
  POLICY,
  routingFile,
  said,
  type Asked,
  type Person,
  type TableName,
  type Version,
} from '../soak/world';
import type { BundleContents } from './signed-bundle';

/** What a list of the catalog asks. Its route asks both OPAs, as that of `pair` does. */
export const LIST: Asked = {
  prefix: 'pair',
  name: 'catalog.entity.read',
  isResource: true,
};

/** The components of the sample catalog, by owner. */
const COMPONENTS: Readonly<Record<string, readonly string[]>> = {
  'group:default/payments': ['payments-api', 'payments-ledger', 'payments-vault'],
  'group:default/search': ['search-ui'],
};

/** The list that a user gets if the decision is this one. */
export function listed({ claims }: Person, outcome: Outcome): string {
  if (outcome === 'DENY') return listOf([]);
  const owners = Object.keys(COMPONENTS).filter(
    owner => outcome === 'ALLOW' || claims.includes(owner),
  );
  return listOf(owners.flatMap(owner => COMPONENTS[owner]!));
}

/** In the words of the oracle. */
export const listOf = (names: readonly string[]): Outcome =>
  `LIST ${[...names].sort().join(',')}`;

export function bundleOf(version: Version): BundleContents {
  const data = dataOf(version) as {
    grants: Record<string, Record<string, Record<string, string>>>;
  };
  for (const [each, ofPeople] of Object.entries(data.grants)) {
    for (const person of Object.values(PERSONAS)) {
      const answers = ofPeople[person.ref]!;
      answers[LIST.name] = said(each as Version, person, LIST);
      for (const other of Object.keys(data.grants)) {
        const { asked } = telltaleOf(other as Version);
        answers[asked.name] = other === each ? 'ALLOW' : 'DENY';
      }
    }
  }
  return { rego: POLICY, data };
}

/** The routing file of a replica. */
export function tableOf(name: TableName): string {
  const table = parse(routingFile(name)) as { routes: object[] };
  table.routes.push({ prefix: 'catalog', sources: ['pair'] });
  return stringify(table);
}

export interface ReplicaUrls {
  /** The OPA beside it, and the other one. */
  readonly own: string;
  readonly other: string;
  /** The path of the Wasm bundle of the standby. */
  readonly bundle: string;
}

/**
 * The sources of a replica. Their times are so patient that only an OPA that is down is unavailable,
 * never one that is slow because the machine is busy.
 */
export function sourcesOf({ own, other, bundle }: ReplicaUrls): object {
  const opa = (...endpoints: string[]): object => ({
    type: 'opa',
    baseUrl: endpoints,
    entrypoint: ENTRYPOINT,
    timeout: '60s',
    circuitBreaker: { volumeThreshold: 5, rollingWindow: '1s', resetTimeout: '200ms' },
  });
  return {
    ownership: { type: 'ownership', bypass: [BYPASS] },
    embedded: { type: 'opa-wasm', bundle, entrypoint: ENTRYPOINT },
    closed: opa(own),
    open: { ...opa(own), onUnavailable: 'fail-open' },
    backed: { ...opa(own), standby: 'embedded' },
    pair: opa(own, other),
  };
}

/** A question whose answer shows by which version, or by which table, it was decided. */
export interface Telltale {
  readonly asked: Asked;
  readonly result: string;
}

/** This version allows it. Another version denies it, and so does the router without its OPA. */
export const telltaleOf = (version: Version): Telltale => ({
  asked: { prefix: 'closed', name: `closed.is-${version}`, isResource: false },
  result: 'ALLOW',
});

/** The two tables route it to different built-in sources. */
export const telltaleOfTable = (name: TableName): Telltale => ({
  asked: ASKED.find(({ prefix }) => prefix === 'swap')!,
  result: name === 'A' ? 'ALLOW' : 'DENY',
});
