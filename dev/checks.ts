import type { Permission } from '@backstage/plugin-permission-common';
import { catalogPermissions } from '@backstage/plugin-catalog-common/alpha';
import type { DecisionRecord } from '../src/trace/record';

export interface Check {
  readonly permission: Permission;
  readonly resourceRef?: string;
}

export interface Decided {
  readonly result: string;
  readonly trace: DecisionRecord;
}

const catalog = (name: string, resourceRef?: string): Check => {
  const permission = catalogPermissions.find(each => each.name === name);
  if (!permission) throw new Error(`the catalog has no permission '${name}'`);
  return resourceRef === undefined ? { permission } : { permission, resourceRef };
};

/** The questions that the sample asks as every persona. */
export const CHECKS: readonly Check[] = [
  catalog('catalog.entity.read', 'component:default/payments-api'),
  catalog('catalog.entity.read', 'component:default/payments-ledger'),
  catalog('catalog.entity.refresh', 'component:default/payments-api'),
  catalog('catalog.entity.delete', 'component:default/payments-api'),
  catalog('catalog.entity.delete', 'component:default/payments-vault'),
  catalog('catalog.entity.delete', 'component:default/search-ui'),
  catalog('catalog.entity.create'),
  catalog('catalog.entity.validate'),
  catalog('catalog.location.read'),
  catalog('catalog.location.create'),
  catalog('catalog.location.delete'),
  {
    permission: {
      name: 'scaffolder.template.parameter.read',
      type: 'resource',
      attributes: { action: 'read' },
      resourceType: 'scaffolder-template',
    },
    resourceRef: 'template:default/new-service',
  },
  {
    permission: {
      name: 'devtools.config',
      type: 'basic',
      attributes: { action: 'read' },
    },
  },
  {
    permission: {
      name: 'billing.invoice.create',
      type: 'basic',
      attributes: { action: 'create' },
    },
  },
];

/**
 * Sends each check to `/api/permission/authorize` in a separate request, so that the trace
 * that arrives meanwhile belongs to it.
 *
 * @param traces - where the sample backend puts its traces; emptied before each request.
 */
export async function decide(
  url: string,
  token: string,
  traces: DecisionRecord[],
): Promise<Decided[]> {
  const decided: Decided[] = [];
  for (const { permission, resourceRef } of CHECKS) {
    traces.length = 0;
    const response = await fetch(`${url}/api/permission/authorize`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ items: [{ id: '1', permission, resourceRef }] }),
    });
    const body = (await response.json()) as { items?: Array<{ result: string }> };
    const result = body.items?.[0]?.result;
    const trace = traces.find(each => each.permission?.name === permission.name);
    if (result === undefined || !trace) {
      throw new Error(`no decision on ${permission.name}: HTTP ${response.status}`);
    }
    decided.push({ result, trace });
  }
  return decided;
}

/** The names of the components that a list query of the catalog returns. */
export async function catalogNames(url: string, token: string): Promise<string[]> {
  const query = 'filter=kind=component&fields=metadata.name&limit=100';
  const response = await fetch(`${url}/api/catalog/entities?${query}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  if (!response.ok) throw new Error(`the catalog answered HTTP ${response.status}`);
  const entities = (await response.json()) as Array<{ metadata: { name: string } }>;
  return entities.map(entity => entity.metadata.name).sort();
}
