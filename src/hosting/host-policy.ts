import {
  createBackendFeatureLoader,
  type BackendFeature,
} from '@backstage/backend-plugin-api';
import {
  policyExtensionPoint,
  type PolicyExtensionPoint,
} from '@backstage/plugin-permission-node/alpha';
import { sourceNameProblem } from '../sources/source-name';
import { hostingExtensionPoint, type HostingExtensionPoint } from './extension-points';

/**
 * What `backend.add` takes, and what can be made of it: a backend feature, the promise of one
 * that `import()` gives, a feature loader, or an array of these.
 */
export type HostableFeature = LoadedFeature | Promise<LoadedFeature>;

type LoadedFeature =
  BackendFeature | { default: LoadedFeature } | readonly HostableFeature[];

/**
 * Wraps a published policy module, unmodified, so that the policy it sets becomes the source
 * `name` of the routing table instead of the one policy of the backend. All else that the
 * module brings is left as it is.
 *
 * ```ts
 * backend.add(hostPolicy('rbac', import('@backstage-community/plugin-rbac-backend')));
 * ```
 *
 * @param name - of a source of `type: hosted` in `permission.policyRouter.sources`.
 * @throws Error if it is no name of a source.
 * @returns a feature loader; the start of the backend fails, and names the source, if what it
 * was given is no backend feature or if nothing in it depends on the policy extension point.
 */
export function hostPolicy(name: string, feature: HostableFeature): BackendFeature {
  if (typeof name !== 'string') {
    throw new Error('hostPolicy(name, feature): the name must be a text');
  }
  const call = `hostPolicy('${name}', …)`;
  const problem = sourceNameProblem(name);
  if (problem !== undefined) throw new Error(`hostPolicy: ${problem}`);
  const features = flatten(feature, call);
  // Backstage reports it when it loads the feature; until then it would end the process.
  features.catch(() => {});
  const loader = createBackendFeatureLoader({
    loader: async () => {
      const hosted = new HostedFeatures(name, call);
      return hosted.wrapAll(await features);
    },
  });
  return Object.assign(loader, { description: call });
}

/** @param defaults - how many `default` may lie around it; one that is its own has no end. */
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
  // A CommonJS package that is imported natively has its default export in a second one.
  if (isObject(feature) && 'default' in feature && defaults > 0) {
    return flatten(feature.default, call, defaults - 1);
  }
  throw new Error(
    `${call}: must be given a backend feature, a promise of one as import() gives it, ` +
      'a feature loader, or an array of these',
  );
}

/** The features of one call: one of them must set a policy, and a loader tells late. */
class HostedFeatures {
  private setsPolicy = false;
  private loadersLeft = 0;

  constructor(
    private readonly name: string,
    private readonly call: string,
  ) {}

  /** @throws Error once all features are known and none of them can set a policy. */
  wrapAll(features: readonly InternalFeature[]): BackendFeature[] {
    const wrapped = features.map(each => this.wrap(each));
    if (!this.setsPolicy && this.loadersLeft === 0) {
      throw new Error(`${this.call}: no module in it sets a permission policy`);
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

/** The same registration, with our extension point for each of Backstage's. */
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
        const shown: PolicyExtensionPoint = {
          setPolicy: policy => point.setPolicy(policy),
        };
        try {
          await func({ ...given, ...replaced(shown) });
        } catch (error) {
          // Backstage may be told to start all the same: half a module must decide nothing.
          point.withdraw();
          throw error;
        }
      },
    },
  };
}

/** The shape of what `@backstage/backend-plugin-api` creates; its types do not tell it. */
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

const isObject = (value: unknown): value is object =>
  (typeof value === 'object' || typeof value === 'function') && value !== null;

const isFeature = (value: unknown): value is BackendFeature =>
  isObject(value) &&
  (value as Partial<BackendFeature>).$$type === '@backstage/BackendFeature';
