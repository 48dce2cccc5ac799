import { types } from 'node:util';
import {
  createBackendFeatureLoader,
  type BackendFeature,
} from '@backstage/backend-plugin-api';
import {
  policyExtensionPoint,
  type PolicyExtensionPoint,
} from '@backstage/plugin-permission-node/alpha';
import { cut, someNames } from '../lib/bounded';
import { sourceNameProblem } from '../sources/source-name';
import { hostingExtensionPoint, type HostingExtensionPoint } from './extension-points';

/**
 * What `backend.add` accepts: a backend feature, the promise that `import()` returns, or a
 * feature loader. An array of these is accepted too.
 *
 * @public
 */
export type HostableFeature = LoadedFeature | Promise<LoadedFeature>;

/**
 * A {@link HostableFeature} that is not a promise.
 *
 * @public
 */
export type LoadedFeature =
  BackendFeature | { default: LoadedFeature } | readonly HostableFeature[];

/**
 * Wraps a published policy module, unmodified, so that the policy it sets becomes the source
 * `name` of the routing table instead of the backend's only policy. Everything else that the
 * module registers stays as it is.
 *
 * ```ts
 * backend.add(hostPolicy('rbac', import('@backstage-community/plugin-rbac-backend')));
 * ```
 *
 * @param name - the name of a source with `type: hosted` in `permission.policyRouter.sources`.
 * @throws Error if a source cannot have this name.
 * @returns a feature loader. The backend fails to start, with an error that names the source, if
 * `feature` is not a backend feature or no module in it depends on the policy extension point.
 *
 * @public
 */
export function hostPolicy(name: string, feature: HostableFeature): BackendFeature {
  if (typeof name !== 'string') {
    throw new Error(
      `hostPolicy(name, feature): name must be a string, not ${typeOf(name)}`,
    );
  }
  const call = `hostPolicy('${name}', …)`;
  const problem = sourceNameProblem(name);
  if (problem !== undefined) throw new Error(`hostPolicy: ${problem}`);
  const features = flatten(feature, call);
  // Backstage reports a rejection when it loads the feature. Unhandled until then, it would end
  // the process.
  features.catch(() => {});
  const loader = createBackendFeatureLoader({
    loader: async () => {
      const hosted = new HostedFeatures(name, call);
      return hosted.wrapAll(await features);
    },
  });
  return Object.assign(loader, { description: call });
}

/**
 * @param defaults - how many nested `default` exports are unwrapped; bounded, because a namespace
 * can be its own default.
 */
async function flatten(
  given: HostableFeature,
  call: string,
  defaults = 2,
): Promise<readonly InternalFeature[]> {
  const feature = await given;
  if (Array.isArray(feature)) {
    const all = feature.map((each: HostableFeature) => flatten(each, call));
    return (await Promise.all(all)).flat();
  }
  if (isFeature(feature)) return [feature];
  // Importing a CommonJS package natively nests its default export in another default export.
  if (isObject(feature) && 'default' in feature && defaults > 0) {
    return flatten(feature.default, call, defaults - 1);
  }
  throw new Error(
    `${call}: expected a backend feature, the promise that import() returns, a feature ` +
      `loader, or an array of these, but got ${whatIs(feature)}`,
  );
}

/**
 * The features of one `hostPolicy` call. At least one must be able to set a policy, which is only
 * known once every feature loader among them has run.
 */
class HostedFeatures {
  private setsPolicy = false;
  private loadersLeft = 0;

  constructor(
    private readonly name: string,
    private readonly call: string,
  ) {}

  /** @throws Error if all features are known and none of them can set a policy. */
  wrapAll(features: readonly InternalFeature[]): BackendFeature[] {
    const wrapped = features.map(each => this.wrap(each));
    if (!this.setsPolicy && this.loadersLeft === 0) {
      throw new Error(
        `${this.call}: no module in it depends on policyExtensionPoint, so none can set a permission policy`,
      );
    }
    return wrapped;
  }

  private wrap(feature: InternalFeature): BackendFeature {
    if (feature.loader) return this.wrapLoader(feature);
    if (!feature.getRegistrations) return feature;
    const given = feature.getRegistrations();
    const registrations = given.map(each => wrapRegistration(each, this.name));
    this.setsPolicy ||= registrations.some((each, index) => each !== given[index]);
    return { ...feature, getRegistrations: () => registrations } as InternalFeature;
  }

  private wrapLoader(feature: InternalFeature): BackendFeature {
    this.loadersLeft++;
    const loader = async (deps: unknown): Promise<BackendFeature[]> => {
      const loaded = await flatten(await feature.loader!(deps), this.call);
      this.loadersLeft--;
      return this.wrapAll(loaded);
    };
    return { ...feature, loader } as InternalFeature;
  }
}

/** The same registration, with Backstage's extension point replaced by ours. */
function wrapRegistration(registration: Registration, name: string): Registration {
  const { deps, func } = registration.init;
  const keys = Object.keys(deps).filter(
    key => deps[key]?.id === policyExtensionPoint.id,
  );
  if (keys.length === 0) return registration;
  const replaced = (value: unknown): Record<string, unknown> =>
    Object.fromEntries(keys.map(key => [key, value]));
  return {
    ...registration,
    init: {
      ...registration.init,
      deps: {
        ...deps,
        ...replaced(hostingExtensionPoint),
      } as Registration['init']['deps'],
      func: async given => {
        const hosting = given[keys[0]!] as HostingExtensionPoint;
        const point = hosting.host(name);
        // The module must not see `withdraw`.
        const setPolicyOnly: PolicyExtensionPoint = {
          setPolicy: policy => point.setPolicy(policy),
        };
        try {
          await func({ ...given, ...replaced(setPolicyOnly) });
        } catch (error) {
          // Backstage can be configured to start anyway; a module that failed must not decide.
          point.withdraw();
          throw error;
        }
      },
    },
  };
}

/** The shape of what `@backstage/backend-plugin-api` creates, which its types do not expose. */
interface InternalFeature extends BackendFeature {
  readonly getRegistrations?: () => Registration[];
  readonly loader?: (deps: unknown) => Promise<HostableFeature[]>;
}

interface Registration {
  readonly init: {
    readonly deps: Readonly<Record<string, { readonly id: string } | undefined>>;
    readonly func: (deps: Record<string, unknown>) => Promise<void>;
  };
}

/** A module that exports no default cannot be told from one that is no feature at all. */
function whatIs(value: unknown): string {
  if (!isObject(value) || 'default' in value) return typeOf(value);
  const names = Object.entries(value)
    .filter(([, each]) => isFeature(each))
    .map(([name]) => name);
  const isModule = types.isModuleNamespaceObject(value) || '__esModule' in value;
  if (!isModule && names.length === 0) return typeOf(value);
  const [first] = names;
  const hint =
    first === undefined
      ? ''
      : `; its exports ${someNames(names)} are backend features, so pass one: ` +
        `import('…').then(module => module.${cut(first)})`;
  return `a module without a default export${hint}`;
}

const typeOf = (value: unknown): string => (value === null ? 'null' : typeof value);

const isObject = (value: unknown): value is object =>
  (typeof value === 'object' || typeof value === 'function') && value !== null;

const isFeature = (value: unknown): value is BackendFeature =>
  isObject(value) &&
  (value as Partial<BackendFeature>).$$type === '@backstage/BackendFeature';
