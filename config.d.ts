import type { HumanDuration } from '@backstage/types';

/**
 * '500ms', '2s', 'PT0.5S' or `{ milliseconds: 500 }`; above zero, at most 2147483647 ms.
 * A number without a unit is refused.
 */
type Duration = HumanDuration | string;

/**
 * What a source counts as while it cannot be reached in time.
 *
 * - `fail-closed`: DENY. Nobody gets in while it is away.
 * - `fail-open`: ALLOW. Everybody does, and a flood that makes the source time out opens it too.
 *   Only for a route of one source, or of several combined by `deny-overrides`.
 *
 * The standby of a source is asked before. A source that is overloaded or answers something
 * invalid counts as DENY.
 */
type OnUnavailable = 'fail-closed' | 'fail-open';

/** What every source has that must be waited for. */
interface RemoteSource {
  /**
   * From being asked to the answer, queueing included; for each endpoint, if it has several.
   * Of all endpoints and of the standbys together it must be shorter than the `deadline`.
   * Default 500ms for `opa`, 1s for `hosted`.
   */
  timeout?: Duration;
  /** Questions under way at once (at each endpoint), 1 to 10000. Default 64. */
  concurrency?: number;
  /**
   * Questions that may wait behind those, 0 to 100000; past that: overloaded. Default 256 for
   * `opa`, 2000 for `hosted`.
   */
  queue?: number;
  /** When to stop asking a source that is away. */
  circuitBreaker?: {
    /** Percent of the questions of a window that must fail to open it, 1 to 99. Default 50. */
    errorThreshold?: number;
    /** Questions that a window must hold before it can open, 1 to 1000000. Default 5. */
    volumeThreshold?: number;
    /** The window over which failures are counted; at most one hour. Default 10s. */
    rollingWindow?: Duration;
    /** How long it stays open before one question probes the source. Default 10s. */
    resetTimeout?: Duration;
  };
  /** For this source; a route's wins over it. Default: the router's `onUnavailable`. */
  onUnavailable?: OnUnavailable;
  /**
   * The name of the source that decides while this one is unavailable or overloaded. Any but
   * `allow`; it may have a standby of its own. Where it abstains or fails, `onUnavailable`
   * decides. Default: none.
   */
  standby?: string;
}

/** An OPA server. */
interface OpaSource extends RemoteSource {
  type: 'opa';
  /**
   * `http://…`, `https://…` or `unix:/path/to/socket`; no query, and no credentials (put a
   * token in `auth.token`). Or a list of such: OPAs with the same policy. Each has its own
   * connections and circuit breaker; a question goes to the first one, and on to the next
   * while those before it are unavailable or overloaded.
   */
  baseUrl: string | string[];
  /** The path of the decision, such as `backstage_policy/decision`. */
  entrypoint: string;
  /** Bytes; a longer response is invalid. 1 to 2147483647. Default 1048576 (1 MiB). */
  maxResponseBytes?: number;
  /** What every question carries to be let in. */
  auth?: {
    /**
     * Sent as `Authorization: Bearer …`; 8 or more printable ASCII characters without white space.
     *
     * @visibility secret
     */
    token: string;
  };
  /** For `https://…` only; each is PEM text (Backstage reads a file with `$file`). */
  tls?: {
    /** The certificate authority to trust instead of those Node.js trusts. */
    ca?: string;
    /** The client certificate; needs `key`. */
    cert?: string;
    /**
     * The key of the client certificate; needs `cert`.
     *
     * @visibility secret
     */
    key?: string;
  };
}

/** A Rego policy compiled to WebAssembly, evaluated in the backend; no OPA server. */
interface OpaWasmSource {
  type: 'opa-wasm';
  /**
   * The path of a bundle built by `opa build -t wasm`; relative to the working directory of
   * the backend.
   */
  bundle: string;
  /** The path of the decision, such as `backstage_policy/decision`. */
  entrypoint: string;
}

/**
 * A policy that another module brings under the name of this source: with `hostPolicy`, or
 * through `policySourceExtensionPoint`.
 */
interface HostedSource extends RemoteSource {
  type: 'hosted';
}

/** What a user owns, the user may touch; abstains where it does not know the resource type. */
interface OwnershipSource {
  type: 'ownership';
  /**
   * Whole entity refs, such as `group:default/platform`: their members own everything of the
   * resource types this source knows. Default: nobody.
   */
  bypass?: string[];
  /**
   * Kinds of entities, such as `[Component, API, Resource]`, in any letter case: of what they
   * own in the catalog, owners may touch these only. Members of `bypass` may touch every kind.
   * Default: any kind.
   */
  kinds?: string[];
  /** Resource types besides `catalog-entity` and `scaffolder-task`, with their owner rules. */
  resources?: {
    [resourceType: string]: {
      /** The plugin that owns the resource type. */
      pluginId: string;
      /** The name of its owner rule. */
      rule: string;
      /** The rule's parameter that takes the refs of the user. */
      param: string;
    };
  };
}

/** A row of the routing table. Its place in the list does not matter. */
interface Route {
  /**
   * Whole segments of permission names: `catalog.entity` (the same: `catalog.entity.*`) matches
   * `catalog.entity` and `catalog.entity.read`, never `catalog.entityx`. `''` or `*` matches
   * every name. The longest prefix wins; of equal ones, the route with more constraints.
   */
  prefix: string;
  /** Only permissions of these actions; `none` is a permission without one. Default: any. */
  actions?: Array<'create' | 'read' | 'update' | 'delete' | 'none'>;
  /** Only permissions of these resource types. Default: any, and basic permissions. */
  resourceTypes?: string[];
  /** Names of sources, asked in this order; `allow` and `deny` are built in. */
  sources: string[];
  /**
   * How the verdicts of the sources that do not abstain become one. Default `deny-overrides`.
   *
   * - `deny-overrides`: all must allow.
   * - `allow-overrides`: one must allow.
   * - `first-applicable`: the first one decides.
   */
  combine?: 'deny-overrides' | 'allow-overrides' | 'first-applicable';
  /** For this route; wins over that of its sources. */
  onUnavailable?: OnUnavailable;
  /** When every source abstains. Default `deny`. */
  default?: 'allow' | 'deny';
}

export interface Config {
  permission?: {
    /**
     * The policy router: one permission policy that asks, for each permission, the source that
     * should decide it. Backstage replaces arrays of several config files, it does not merge
     * them. Unknown keys are errors.
     */
    policyRouter?: {
      /**
       * The path of a YAML file that holds `fallback` and `routes`, relative to the working
       * directory of the backend; they may not stand here then.
       */
      routingFile?: string;
      /** For permissions that no route matches. Required, here or in `routingFile`. */
      fallback?: 'allow' | 'deny';
      /** A request without a user: `deny` it, or `evaluate` it like any other. Default `deny`. */
      anonymous?: 'deny' | 'evaluate';
      /** For every source that can be unavailable. Default `fail-closed`. */
      onUnavailable?: OnUnavailable;
      /** For a whole decision: identity, sources and the check of conditions. Default 2s. */
      deadline?: Duration;
      /**
       * Whether conditions are checked against the rules that their plugin publishes, before
       * they leave the router. Default true.
       *
       * - `true`: they are; while the plugin cannot be asked, their shape is trusted.
       * - `required`: they are; while the plugin cannot be asked, they are denied.
       * - `false`: only their shape is; what Backstage cannot apply fails whole batches.
       */
      verifyConditions?: boolean | 'required';
      /**
       * Bytes of the conditions of one decision as JSON, 1 to 90000; larger ones are denied.
       * Default 65536.
       */
      maxConditionBytes?: number;
      /** By name; `allow` and `deny` are built in. */
      sources?: {
        [name: string]: OpaSource | OpaWasmSource | OwnershipSource | HostedSource;
      };
      /** The routing table. Required, here or in `routingFile`. */
      routes?: Route[];
    };
  };
}
