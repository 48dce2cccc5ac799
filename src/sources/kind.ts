/**
 * A kind of source: what its config may hold, whether it must be waited for, and how it is
 * built. `kinds.ts` lists them all; nothing else knows which there are.
 */
import type { LoggerService } from '@backstage/backend-plugin-api';
import { z } from 'zod';
import type { WrittenConditions } from '../conditions/written';
import { strict } from '../lib/fields';
import type { OnUnavailable } from '../verdict';
import type { HostedPolicies } from './hosted/policies';
import {
  remoteFields,
  type RemoteDefaults,
  type RemoteFields,
} from './remote-settings';
import type { LocalSource, RemoteSource } from './source';

/** A source of the config, as it was read. */
export interface SourceConfig {
  /** Of its kind. */
  readonly type: string;
  /** What the kind's own settings parse to. */
  readonly options: unknown;
  /** Set if it must be waited for. */
  readonly remote?: RemoteSettings;
}

/** What every source has that must be waited for, and so can be unavailable. */
export interface RemoteSettings {
  readonly guard: Pick<
    z.output<z.ZodObject<RemoteFields>>,
    'timeout' | 'concurrency' | 'queue' | 'circuitBreaker'
  >;
  readonly onUnavailable: OnUnavailable;
  /** The source that decides while this one is unavailable or overloaded. */
  readonly standby: string | undefined;
  /** Where it is asked, in this order; one undefined entry if the kind has no endpoints. */
  readonly endpoints: ReadonlyArray<string | undefined>;
}

/** What a source is built with besides its options. */
export interface BuildContext {
  /** Of the source, for the log. */
  readonly name: string;
  readonly logger: LoggerService;
  /** The policies that other modules provide. */
  readonly policies: HostedPolicies;
}

/** What a source that must be waited for is built with. */
export interface RemoteBuildContext extends BuildContext {
  /** One of the kind's endpoints. */
  readonly endpoint: string | undefined;
  /** Questions under way at once, at most. */
  readonly concurrency: number;
  /** Milliseconds from asking to the answer. */
  readonly timeout: number;
}

/** A setting that is allowed, but perhaps not what was meant. */
export interface Oddity {
  readonly code: 'ODD_BASE_URL' | 'ODD_ENTRYPOINT';
  /** Below the source, such as `['entrypoint']`. */
  readonly path: ReadonlyArray<string | number>;
  readonly message: string;
}

/** The paths of settings that are secret, such as `['auth', 'token']`. */
export type Secrets = ReadonlyArray<readonly string[]>;

/** Decides in this process, at once. */
export interface LocalKind<Options = never> {
  readonly type: string;
  readonly isRemote: false;
  /** Of the source's config, `type` included. */
  readonly schema: z.ZodType;
  readonly secrets: Secrets;
  /** The conditions that the config itself has, which can be checked before a question is asked. */
  conditionsIn?(options: Options): readonly WrittenConditions[];
  /** @throws Error that says why the source cannot be set up. */
  build(options: Options, context: BuildContext): LocalSource | Promise<LocalSource>;
}

/** Must be waited for: it can be slow, unavailable or overloaded, so it is guarded. */
export interface RemoteKind<Options = never> {
  readonly type: string;
  readonly isRemote: true;
  /** Of the source's config, `type` and what every remote source takes included. */
  readonly schema: z.ZodType;
  readonly secrets: Secrets;
  /** Whether only the user in person can ask it, because it needs their credentials; default: no. */
  readonly needsUser?: boolean;
  /** Default: none. */
  oddities?(options: Options): readonly Oddity[];
  /** Where a source with these options is asked, in this order; default: one place. */
  endpoints?(options: Options): readonly string[];
  /** @throws Error that says why the source cannot be set up. */
  build(options: Options, context: RemoteBuildContext): RemoteSource;
}

export type SourceKind = LocalKind | RemoteKind;

type Shape = z.core.$ZodLooseShape;
type OptionsOf<S extends Shape> = z.output<z.ZodObject<S>>;

interface Settings<S extends Shape> {
  readonly type: string;
  /** By key; unknown keys of the config are errors. */
  readonly settings: S;
  /** Those of the settings that nothing may show; `config.d.ts` has the same. */
  readonly secrets?: Secrets;
  /** What is wrong between settings that are each right alone. */
  readonly check?: (options: OptionsOf<S>, context: z.RefinementCtx) => void;
}

export const localKind = <const S extends Shape>({
  type,
  settings,
  secrets = [],
  check = () => {},
  conditionsIn,
  build,
}: Settings<S> & Pick<LocalKind<OptionsOf<S>>, 'build' | 'conditionsIn'>): LocalKind<
  OptionsOf<S>
> => ({
  type,
  isRemote: false,
  secrets,
  schema: strict({ type: z.literal(type), ...settings }).superRefine(
    (options, context) => check(options as OptionsOf<S>, context),
  ),
  ...(conditionsIn ? { conditionsIn } : {}),
  build,
});

export const remoteKind = <const S extends Shape>({
  type,
  settings,
  secrets = [],
  defaults,
  check = () => {},
  needsUser = false,
  oddities,
  endpoints,
  build,
}: Settings<S> & {
  readonly defaults: RemoteDefaults;
} & Pick<
    RemoteKind<OptionsOf<S>>,
    'build' | 'endpoints' | 'oddities' | 'needsUser'
  >): RemoteKind<OptionsOf<S>> => ({
  type,
  isRemote: true,
  secrets,
  schema: strict({
    type: z.literal(type),
    ...settings,
    ...remoteFields(defaults),
  }).superRefine((options, context) => check(options as OptionsOf<S>, context)),
  needsUser,
  ...(oddities ? { oddities } : {}),
  ...(endpoints ? { endpoints } : {}),
  build,
});
