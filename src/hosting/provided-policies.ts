import type { ProvidedPolicyInfo } from '../config/hosted';
import { sourceNameProblem } from '../sources/source-name';
import { quote } from '../lib/quote';
import type { PolicySource } from '../sources/hosted/policy-source';
import type { HostedPolicies, HostedPolicy } from '../sources/hosted/policies';
import type {
  Hosting,
  HostingExtensionPoint,
  PolicySourceExtensionPoint,
} from './extension-points';

/** The policies that other modules provide while the backend starts. */
export class ProvidedPolicies
  implements
    PolicySourceExtensionPoint,
    HostingExtensionPoint,
    ProvidedPolicyInfo,
    HostedPolicies
{
  private readonly policies = new Map<string, HostedPolicy>();
  private readonly hosts = new Set<string>();
  private closed = false;

  addSource(name: string, source: PolicySource): void {
    this.add(name, source, true, `addSource(${quote(name)}, …)`);
  }

  host(name: string): Hosting {
    this.hosts.add(name);
    let isSet = false;
    return {
      setPolicy: policy => {
        this.add(name, policy, false, `hostPolicy(${quote(name)}, …)`);
        isSet = true;
      },
      withdraw: () => {
        if (isSet) this.policies.delete(name);
      },
    };
  }

  /** From now on no module can provide a policy. */
  close(): void {
    this.closed = true;
  }

  /** @throws Error if no module has provided a policy with this name. */
  get(name: string): HostedPolicy {
    const policy = this.policies.get(name);
    if (!policy) throw new Error('no module provides this policy');
    return policy;
  }

  get names(): readonly string[] {
    return [...this.policies.keys()];
  }

  get unset(): readonly string[] {
    return [...this.hosts].filter(name => !this.policies.has(name));
  }

  mayAbstain(name: string): boolean {
    return this.policies.get(name)?.mayAbstain ?? true;
  }

  private add(
    name: string,
    policy: PolicySource,
    mayAbstain: boolean,
    call: string,
  ): void {
    if (this.closed) {
      throw new Error(
        `${call} provided its policy too late: the policy router has already started. Provide it during the module's init()`,
      );
    }
    const problem = sourceNameProblem(name);
    if (problem !== undefined) throw new Error(`${call}: ${problem}`);
    if (this.policies.has(name)) {
      throw new Error(
        `${call}: a policy with this name was already provided; each name takes one policy, set once`,
      );
    }
    if (!hasHandle(policy)) {
      throw new Error(
        `${call}: the policy must be an object with a method handle(request, user)${likelySlip(policy)}`,
      );
    }
    this.policies.set(name, { policy, mayAbstain });
  }
}

const hasHandle = (value: unknown): boolean =>
  typeof (value as Partial<PolicySource> | null | undefined)?.handle === 'function';

function likelySlip(given: unknown): string {
  if (given instanceof Promise) return '; it is a promise, so await it first';
  const isClass = typeof given === 'function' && hasHandle(given.prototype);
  return isClass ? '; it is a class, so pass an instance of it' : '';
}
