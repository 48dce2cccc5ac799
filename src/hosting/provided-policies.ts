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

/** The policies that other modules bring while the backend starts. */
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

  /** No module may bring one any more. */
  close(): void {
    this.closed = true;
  }

  /** @throws Error if no module has provided it. */
  get(name: string): HostedPolicy {
    const policy = this.policies.get(name);
    if (!policy) throw new Error('no module brings this policy');
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
        `${call} comes too late: the policy router has started. Set it in the module's init`,
      );
    }
    const problem = sourceNameProblem(name);
    if (problem !== undefined) throw new Error(`${call}: ${problem}`);
    if (this.policies.has(name)) {
      throw new Error(
        `${call}: a policy of this name is there already; each name is for one policy, set once`,
      );
    }
    if (typeof (policy as Partial<PolicySource> | undefined)?.handle !== 'function') {
      throw new Error(`${call}: a policy must have a method handle(request, user)`);
    }
    this.policies.set(name, { policy, mayAbstain });
  }
}
