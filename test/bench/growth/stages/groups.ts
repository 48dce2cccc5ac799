/** What a user costs who is in many groups. */
import type { PolicyQueryUser } from '@backstage/plugin-permission-node';
import type { QuestionKey } from '../../../../src/sources/source';
import { identify } from '../../../../src/identity';
import { Deadline } from '../../../../src/lib/deadline';
import { OpaSource } from '../../../../src/sources/opa/source';
import { OpaWasmSource } from '../../../../src/sources/opa-wasm/source';
import { OwnershipSource } from '../../../../src/sources/ownership/source';
import type { PermissionRequest, Principal } from '../../../../src/request';
import type { Prepared, Stage } from '../stage';
import { RESOURCE_TYPE } from './conditions';
import { SILENT } from './silent-log';

const GROUPS = [1, 10, 100, 500, 1000, 2000, 5000];

/** The bundle that we ship, relative to the package. */
export const BUNDLE = {
  bundle: 'config/bundle.tar.gz',
  entrypoint: 'backstage_policy/decision',
};

const infoOf = (groups: number) => ({
  userEntityRef: 'user:default/dana',
  ownershipEntityRefs: Array.from(
    { length: groups },
    (_, index) => `group:default/team-${index}`,
  ),
});

export const userOf = (groups: number): PolicyQueryUser => ({
  credentials: { $$type: '@backstage/BackstageCredentials', principal: {} },
  info: infoOf(groups),
});

const requestOf = (groups: number): PermissionRequest => ({
  permission: {
    type: 'resource',
    name: 'catalog.entity.read',
    attributes: { action: 'read' },
    resourceType: RESOURCE_TYPE,
  },
  principal: infoOf(groups),
});

const SUBJECT = 'groups of a user';

const stage = (
  id: string,
  title: string,
  prepare: (size: number) => Prepared | Promise<Prepared>,
): Stage => ({ id, title, subject: SUBJECT, sizes: GROUPS, prepare });

const isConditional = (answer: unknown): boolean =>
  (answer as { kind: string }).kind === 'CONDITIONAL';

export const groupStages: readonly Stage[] = [
  stage('identity', 'read the identity', groups => {
    const user = userOf(groups);
    const userInfo = { getUserInfo: () => Promise.reject(new Error('not expected')) };
    const deadline = new Deadline(Infinity);
    return {
      next: () => () => identify(user, userInfo, deadline),
      isRight: principal =>
        (principal as Principal).ownershipEntityRefs.length === groups,
    };
  }),
  stage('ownership', 'decide by ownership', groups => {
    const source = new OwnershipSource({ bypass: [], resources: new Map() });
    const request = requestOf(groups);
    return { next: () => () => source.ask(request), isRight: isConditional };
  }),
  stage('wasm', 'decide by Wasm', async groups => {
    const source = await OpaWasmSource.load(BUNDLE, 'embedded', SILENT);
    const request = requestOf(groups);
    return {
      next: () => () => source.ask(request),
      isRight: isConditional,
      close: () => void source.close(),
    };
  }),
  stage('opa-question', 'prepare the question to OPA', groups => {
    const source = new OpaSource({
      baseUrl: 'http://127.0.0.1:9',
      entrypoint: BUNDLE.entrypoint,
      concurrency: 1,
      connectTimeout: 1000,
      maxResponseBytes: 1000,
    });
    const request = requestOf(groups);
    return {
      // A new principal, because the identity of each is written only once.
      next() {
        const asked = { ...request, principal: { ...request.principal } };
        return () => source.prepare(asked).key;
      },
      isRight: key => (key as QuestionKey).who.length > groups,
      close: () => void source.close(),
    };
  }),
];
