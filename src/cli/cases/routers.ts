/** The routers that answer the cases of one file: one for each set of sources that are down. */
import type { Permission } from '@backstage/plugin-permission-common';
import type { Applied } from '../../operations/applied';
import { LocalRouter, type Decided } from '../local/local-router';
import type { PluginMetadataBody, Metadata } from '../local/metadata';
import { standInNotes, type LocalOpa, type StandIns } from '../local/stand-ins';
import type { LoadedFile } from './load';
import type { Question } from './questions';
import type { StandInResult, TestFile } from './schema';

export interface CaseRoutersOptions {
  /** The value at `permission.policyRouter`. */
  readonly policyRouter: unknown;
  readonly metadata: Metadata;
  readonly opa: Omit<LocalOpa, 'unavailable'>;
  /** The type of each source, by name. */
  readonly types: ReadonlyMap<string, string>;
}

/** What was decided. */
export interface Answered extends Decided {
  /** The sources of the question that are down. */
  readonly unavailable: ReadonlySet<string>;
  /**
   * Set if the decision is conditional and an entity is named: whether it meets the conditions;
   * undefined if that is not to be had so fast.
   */
  readonly isMet: boolean | undefined;
  /** The same with what each condition is for the entity. */
  apply(): Promise<Applied | undefined>;
  /** Which answers are those of stand-ins. */
  readonly notes: readonly string[];
}

export class CaseRouters {
  private readonly routers = new Map<string, Promise<LocalRouter>>();
  private readonly metadata: Metadata;

  constructor(
    private readonly options: CaseRoutersOptions,
    private readonly loaded: LoadedFile,
  ) {
    this.metadata = withDeclarations(options.metadata, loaded.file.permissions);
  }

  /** A router in which every source is up. */
  get whole(): Promise<LocalRouter> {
    return this.open([]);
  }

  /** @throws ConfigError with every problem of the config. */
  async answer(question: Question): Promise<Answered> {
    const unavailable = [...question.standIns]
      .filter(([, result]) => result === 'unavailable')
      .map(([source]) => source);
    const router = await this.open(unavailable);
    const { user, entity } = question;
    const decided = await router.decide(
      permissionOf(question, router),
      user.ref === undefined
        ? undefined
        : { userEntityRef: user.ref, ownershipEntityRefs: user.ownershipRefs },
      standInsOf(question.standIns),
    );
    const { record } = decided;
    const isAbout = record.result === 'CONDITIONAL' && entity !== undefined;
    return {
      ...decided,
      unavailable: new Set(unavailable),
      notes: standInNotes(record, source => this.stoodIn(question, source)),
      isMet: isAbout ? router.isMet(record, entity) : undefined,
      apply: async () => (isAbout ? router.apply(record, entity) : undefined),
    };
  }

  private stoodIn({ standIns }: Question, source: string): StandInResult | undefined {
    const { opa, types } = this.options;
    const result = standIns.get(source);
    const isAsked = types.get(source) === 'opa' && opa.url !== undefined;
    return result === 'unavailable' || !isAsked ? result : undefined;
  }

  async close(): Promise<void> {
    for (const opening of this.routers.values()) {
      const router = await opening.catch(() => undefined);
      router?.close();
    }
  }

  private open(unavailable: readonly string[]): Promise<LocalRouter> {
    const key = JSON.stringify([...unavailable].sort());
    let opening = this.routers.get(key);
    if (!opening) {
      const { policyRouter, opa } = this.options;
      opening = LocalRouter.open({
        policyRouter,
        metadata: this.metadata,
        // By their names: two names may be the same entity before and after a change.
        entities: this.loaded.entities,
        opa: { ...opa, unavailable: new Set(unavailable) },
      });
      this.routers.set(key, opening);
    }
    return opening;
  }
}

/** A name stands for the permission that is declared by it, as its plugin asks. */
function permissionOf({ asked }: Question, { table }: LocalRouter): Permission {
  if (typeof asked === 'string') {
    const declaration = table.declared.of(asked);
    return declaration.kind === 'one'
      ? declaration.permission
      : { type: 'basic', name: asked, attributes: {} };
  }
  const { name, type, action, resourceType } = asked;
  const attributes = action === undefined ? {} : { action };
  return type === 'resource'
    ? { type, name, attributes, resourceType: resourceType! }
    : { type, name, attributes };
}

const standInsOf = (results: ReadonlyMap<string, StandInResult>): StandIns =>
  new Map(
    [...results].flatMap(([source, result]) =>
      result === 'unavailable' ? [] : [[source, () => result] as const],
    ),
  );

/** Those of a plugin besides what is known of it. */
function withDeclarations(
  metadata: Metadata,
  declarations: TestFile['permissions'] = [],
): Metadata {
  const all = new Map<string, PluginMetadataBody>(metadata);
  for (const { name, plugin, action, resourceType } of declarations) {
    const attributes = action === undefined ? {} : { action };
    const permission: Permission =
      resourceType === undefined
        ? { type: 'basic', name, attributes }
        : { type: 'resource', name, attributes, resourceType };
    const known = all.get(plugin);
    all.set(plugin, {
      ...known,
      permissions: [...(known?.permissions ?? []), permission],
    });
  }
  return all;
}
