/** What the manifests of config/kubernetes/ put into the pods, moved to folders of this machine. */
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';

interface Container {
  readonly name: string;
  readonly args?: readonly string[];
  readonly volumeMounts: ReadonlyArray<{
    readonly name: string;
    readonly mountPath: string;
    readonly subPath?: string;
  }>;
  readonly [key: string]: unknown;
}

interface PodSpec {
  readonly initContainers: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes: ReadonlyArray<{
    readonly name: string;
    readonly [kind: string]: unknown;
  }>;
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: { readonly template: { readonly spec: PodSpec } };
}

const FILES = ['backstage.yaml', 'opa.yaml', 'policy-router.yaml'];

export const manifests: readonly Manifest[] = FILES.flatMap(name =>
  parseAllDocuments(readFileSync(`config/kubernetes/${name}`, 'utf8')).map(
    document => document.toJS() as Manifest,
  ),
);

function manifest(kind: string, name: string): Manifest {
  const found = manifests.find(
    each => each.kind === kind && each.metadata.name === name,
  );
  if (!found) throw new Error(`config/kubernetes/ has no ${kind} '${name}'`);
  return found;
}

/** The files of a ConfigMap, by name. */
export const configMap = (name: string): Readonly<Record<string, string>> =>
  manifest('ConfigMap', name).data ?? {};

/** The pod of the Deployment. */
export const podSpec = (): PodSpec => {
  const { spec } = manifest('Deployment', 'backstage');
  if (!spec) throw new Error('the Deployment has no spec');
  return spec.template.spec;
};

/** Replaces paths of the pod, and other texts, which must all be there. */
export function moved(text: string, places: Readonly<Record<string, string>>): string {
  return Object.entries(places).reduce((moving, [from, to]) => {
    if (!moving.includes(from)) throw new Error(`'${from}' is not in:\n${text}`);
    return moving.replaceAll(from, to);
  }, text);
}
