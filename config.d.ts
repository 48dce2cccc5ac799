import type { HumanDuration } from '@backstage/types';

/**
 * '500ms', '2s', 'PT0.5S' or `{ milliseconds: 500 }`; above zero, at most 2147483647 ms.
 * A number without a unit is an error.
 */
type Duration = HumanDuration | string;

/**
 * What a source counts as while it cannot be reached in time. Its standby is asked first. A source
 * that is overloaded or gives an invalid answer always counts as DENY.
 *
 * - `fail-closed`: DENY. During an outage nobody gets what the source decides.
 * - `fail-open`: ALLOW. During an outage everybody gets what the source decides, and a flood can
 *   cause the outage (docs/faults.md). Only for a route with one source, or with several that are
 *   combined by `deny-overrides`.
 */
type OnUnavailable = 'fail-closed' | 'fail-open';

/** The settings of sources that answer over a connection, or may hang. */
interface RemoteSource {
  /**
   * From asking an endpoint to its answer, including the wait in the queue. The timeouts of all
   * endpoints and standbys together must be shorter than the `deadline`. Default 500ms for `opa`,
   * 1s for `hosted`.
   */
  timeout?: Duration;
  /** Requests in flight, at each endpoint; 1 to 10000. Default 64 for `opa`, 2000 for `hosted`. */
  concurrency?: number;
  /**
   * Questions that may wait, at each endpoint; 0 to 100000. The next one is overloaded. Default
   * 256 for `opa`, 2000 for `hosted`.
   */
  queue?: number;
  /** When to stop asking a source that fails. */
  circuitBreaker?: {
    /** It opens above this percentage of failed questions in the window; 1 to 99. Default 50. */
    errorThreshold?: number;
    /** It does not open if the window has fewer questions; 1 to 1000000. Default 5. */
    volumeThreshold?: number;
    /** The window over which questions are counted; at most one hour. Default 10s. */
    rollingWindow?: Duration;
    /** How long it stays open before one question probes the source. Default 10s. */
    resetTimeout?: Duration;
    /**
     * It opens only if questions of so many different users failed in the window, so that one
     * user's questions do not stop everybody's; 1 to 1000. Default 1.
     */
    distinctUsers?: number;
  };
  /** For this source; that of a route takes precedence. Default: the router's `onUnavailable`. */
  onUnavailable?: OnUnavailable;
  /**
   * The name of the source that decides while this one is unavailable or overloaded; not `allow`.
   * It may have a standby too. If it abstains or fails, `onUnavailable` decides. Default: none.
   */
  standby?: string;
}

/** An OPA server. `baseUrl` and `entrypoint` are required. */
interface OpaSource extends RemoteSource {
  /**
   * `http://…`, `https://…` or `unix:/path/to/socket`, without query and credentials (a token goes
   * into `auth.token`). A list contains OPA servers with the same policy, each with its own
   * connections and circuit breaker. They are asked in order, while those before are unavailable
   * or overloaded.
   */
  baseUrl?: string | string[];
  /** The path of the decision, such as `backstage_policy/decision`. */
  entrypoint?: string;
  /**
   * The path of the rule that answers many questions in one request, such as `policy_router/batch`.
   * `policy-router rego-batch` prints the rule. Default: each question is a request of its own.
   */
  batch?: string;
  /** Bytes; a longer response is invalid. 1 to 2147483647. Default 1048576 (1 MiB). */
  maxResponseBytes?: number;
  /** How the router authenticates to OPA. */
  auth?: {
    /**
     * Sent as `Authorization: Bearer …`; 8 or more printable ASCII characters without white space.
     *
     * @visibility secret
     */
    token: string;
  };
  /** Only for `https://…`; each is PEM text (`$file` inserts a file). */
  tls?: {
    /** The certificate authority to trust, in place of those that Node.js trusts. */
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

/**
 * A Rego policy compiled to WebAssembly, evaluated in the backend; no OPA server. `bundle` and
 * `entrypoint` are required.
 */
interface OpaWasmSource {
  /**
   * The path of a bundle made by `opa build -t wasm`, relative to the working directory of the
   * backend.
   */
  bundle?: string;
  /** The path of the decision, such as `backstage_policy/decision`. */
  entrypoint?: string;
}

/**
 * A policy that another module provides under the name of this source, by `hostPolicy` or
 * `policySourceExtensionPoint`.
 */
interface HostedSource extends RemoteSource {}

/** Users may change what they own. It abstains from resource types that it does not know. */
interface OwnershipSource {
  /**
   * Whole entity refs, such as `group:default/platform`. Their members are allowed everything of
   * the resource types that this source knows. Default: nobody.
   */
  bypass?: string[];
  /**
   * Kinds of entities, such as `[Component, API, Resource]`, in any case. Owners may change only
   * entities of these kinds; members of `bypass` may change every kind. Default: any kind.
   */
  kinds?: string[];
  /** Owner rules of resource types other than `catalog-entity` and `scaffolder-task`. */
  resources?: {
    [resourceType: string]: {
      /** The plugin that owns the resource type. */
      pluginId: string;
      /** The name of its owner rule. */
      rule: string;
      /** The rule's parameter that takes the user's refs. */
      param: string;
    };
  };
}

/**
 * Conditions in YAML, for those who have neither Rego nor code. `rules` is required. The first rule
 * that fits decides; if none fits, the source abstains.
 */
interface ConditionsSource {
  /** One to 1000; the first one that fits a question decides it. */
  rules?: Array<{
    /** Only permissions with these prefixes, as in a route. Default: any. */
    permissions?: string[];
    /** Only permissions with these actions; `none` means without an action. Default: any. */
    actions?: Array<'create' | 'read' | 'update' | 'delete' | 'none'>;
    /** Only resource permissions of these types. Default: any, and basic permissions. */
    resourceTypes?: string[];
    /** Only members of these; whole entity refs, such as `group:default/platform`. Default: any user. */
    groups?: string[];
    /** The plugin that applies the conditions; required with `conditions`. */
    pluginId?: string;
    /**
     * `{ rule, params }`, or an `allOf`, `anyOf` or `not` of conditions. The whole value of a
     * parameter may be `$user` or `$ownershipRefs`, but not under a `not`. Such a rule fits
     * resource permissions only.
     */
    conditions?: { [key: string]: unknown };
    /** In place of `conditions`. */
    result?: 'allow' | 'deny';
  }>;
  /**
   * The result for a user whom only `groups` keeps from a rule, if no other rule fits. Required if
   * a rule has `groups`.
   */
  otherwise?: 'deny' | 'not-applicable';
}

/**
 * A source of any type. This is not a union of the five, because Backstage's check of the config
 * reports one mistake once for each member of a union, and once more for each key that another
 * member lacks. So that check knows all keys, but not which type has which: the router itself
 * refuses a key of another type, and names the keys that are missing.
 */
interface Source
  extends OpaSource, OpaWasmSource, HostedSource, OwnershipSource, ConditionsSource {
  type: 'opa' | 'opa-wasm' | 'ownership' | 'conditions' | 'hosted';
}

/** A route of the routing table. The order of the list does not matter. */
interface Route {
  /**
   * Matches whole segments of permission names: `catalog.entity` (or `catalog.entity.*`) matches
   * `catalog.entity` and `catalog.entity.read`, but not `catalog.entityx`. `''` or `*` matches
   * every name. A prefix that ends in `/` matches the names that begin with it: `cost/` matches
   * `cost/a b`. The longest prefix wins; if they are equally long, the route with more constraints.
   * Required, unless there is a `name`.
   */
  prefix?: string;
  /**
   * In place of `prefix`: matches one exact name, which may contain any characters. Wins over every
   * prefix.
   */
  name?: string;
  /** Only permissions with these actions; `none` means without an action. Default: any. */
  actions?: Array<'create' | 'read' | 'update' | 'delete' | 'none'>;
  /** Only resource permissions of these types. Default: any, and basic permissions. */
  resourceTypes?: string[];
  /** Names of sources, asked in this order; `allow` and `deny` are built in. */
  sources: string[];
  /**
   * How the verdicts of the sources that do not abstain become one. Default `deny-overrides`.
   *
   * - `deny-overrides`: all of them must allow.
   * - `allow-overrides`: one of them must allow.
   * - `first-applicable`: the first of them decides.
   */
  combine?: 'deny-overrides' | 'allow-overrides' | 'first-applicable';
  /** For this route; takes precedence over that of its sources. */
  onUnavailable?: OnUnavailable;
  /** The result if every source abstains. Default `deny`. */
  default?: 'allow' | 'deny';
  /**
   * For this route; takes precedence over that of the router. `false`: its decisions are enforced.
   * In a routing file it must be `false`, unless `observeInRoutingFile` is set.
   */
  observe?: false | { answer: string; until: string };
}

export interface Config {
  permission?: {
    /**
     * The policy router: one permission policy that asks, for each permission, the source that
     * should decide it. Backstage replaces the lists of several config files; it does not merge
     * them. Unknown keys are errors.
     */
    policyRouter?: {
      /**
       * The path of a YAML file that contains `fallback` and `routes`, relative to the working
       * directory of the backend. They must then not be set here.
       */
      routingFile?: string;
      /**
       * Whether routes of the `routingFile` may have an `observe` other than `false`. Default false:
       * anyone who can change that file could then end enforcement.
       */
      observeInRoutingFile?: boolean;
      /** For permissions that no route matches. Required, here or in `routingFile`. */
      fallback?: 'allow' | 'deny';
      /**
       * Decisions are made and recorded, but not enforced: another source answers. For all routes
       * and the fallback. Never for requests without a user. Default: decisions are enforced.
       */
      observe?: {
        /** The name of the source whose answer is given; its failure or abstention is a denial. */
        answer: string;
        /**
         * From then on decisions are enforced: `2027-01-31` (from 00:00 UTC on) or
         * `2027-01-31T09:00:00Z`.
         */
        until: string;
      };
      /** A request without a user: `deny` it, or `evaluate` it like any other. Default `deny`. */
      anonymous?: 'deny' | 'evaluate';
      /** For every source of type `opa` or `hosted`. Default `fail-closed`. */
      onUnavailable?: OnUnavailable;
      /** For a whole decision: identity, sources and the check of conditions. Default 2s. */
      deadline?: Duration;
      /**
       * Whether conditions are checked against the rules that their plugin publishes. Default true.
       *
       * - `true`: they are. If the plugin cannot be asked, only their shape is checked.
       * - `required`: they are. If the plugin cannot be asked, they are denied.
       * - `false`: only their shape is checked. One that Backstage cannot apply fails its batch.
       */
      verifyConditions?: boolean | 'required';
      /**
       * The maximum size of the conditions of one decision, in bytes of JSON, 1 to 90000. Larger
       * ones are denied. Default 65536.
       */
      maxConditionBytes?: number;
      /**
       * What a user gets who is allowed something on some resources only, and asks without a
       * resource, as pages do that ask by name.
       *
       * - `deny` (default): DENY, so the page may hide what the user may do.
       * - `allow`: ALLOW, so the page shows it; the plugin then decides about the resource. Only for
       *   what the user asks, not for a service that asks on behalf of the user.
       */
      whenAskedWithoutResource?: 'allow' | 'deny';
      /**
       * Who may see and explain other people's decisions: whole entity refs of users and groups,
       * such as `group:default/platform`, at most 1000. Default: nobody, and the operations API is
       * closed.
       */
      operators?: string[];
      /**
       * Which decisions are audit events. Default `denials`.
       *
       * - `all`: every decision.
       * - `denials`: what is denied, and what an outage, a bypass or a standby allows.
       * - `off`: none.
       */
      audit?: 'all' | 'denials' | 'off';
      /** How many decisions are kept in memory for `operators`, 0 to 10000; 0 turns it off. Default 500. */
      recentDecisions?: number;
      /** Whom to ask what permissions they declare, besides the plugins installed here. */
      declared?: {
        /** Ids of plugins of other backends; at most 200. */
        plugins?: string[];
      };
      /**
       * Sources to compare, by name, at most 1000. Once a decision has been answered, it is made again
       * with the other source in place of this one, and the two are compared. Never enforced.
       */
      shadow?: {
        [source: string]:
          | string
          | {
              /** The name of the source that is asked in its place; not of type `hosted`. */
              source: string;
              /** How many of the decisions are compared; 1 to 100. Default 100. */
              percent?: number;
            };
      };
      /** The sources by name; `allow` and `deny` are built in. */
      sources?: {
        [name: string]: Source;
      };
      /** The routing table. Required, here or in `routingFile`. */
      routes?: Route[];
    };
  };
}
