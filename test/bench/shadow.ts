/** What it costs that decisions are compared: the same router, with that on and off. */
import { sourcesOf } from './authorize/sources';
import { ENTRYPOINT, opa } from './authorize/contestants';
import { contestantOf } from './handle/questions';
import type { Contestant } from './drive';
import type { Section } from './section';
import { routerTo } from './shipped-router';
import { measureVariants } from './variants';

const VARIANTS: ReadonlyArray<
  readonly ['ownership' | 'opa', by: string | undefined, percent: number]
> = [
  ['ownership', undefined, 0],
  ['ownership', 'deny', 10],
  ['ownership', 'deny', 100],
  ['ownership', 'embedded', 100],
  ['opa', undefined, 0],
  ['opa', 'ownership', 100],
  ['opa', 'opa-next', 10],
  ['opa', 'opa-next', 100],
];

export const shadow: Section = {
  id: 'shadow',
  async measure(run) {
    const { opaUrl, bundle } = await sourcesOf(run);
    const sources = {
      opa: opa(opaUrl),
      'opa-next': opa(opaUrl),
      embedded: { type: 'opa-wasm', bundle, entrypoint: ENTRYPOINT },
    };
    const routers: Array<{ close(): void }> = [];
    const variant = async (
      source: 'ownership' | 'opa',
      by: string | undefined,
      percent: number,
    ): Promise<Contestant> => {
      const compared =
        by === undefined ? {} : { shadow: { [source]: { source: by, percent } } };
      const settings = { deadline: '30s', ...compared };
      const router = await routerTo(source, { settings, sources });
      routers.push(router);
      const title = by === undefined ? 'not compared' : `${percent} % with ${by}`;
      return contestantOf(
        {
          id: title,
          title,
          isRouter: true,
          inProcess: source !== 'opa',
          policy: router.undelayed,
          expected: 'CONDITIONAL',
        },
        'distinct',
      );
    };
    try {
      const groups = [];
      for (const source of ['ownership', 'opa'] as const) {
        const variants = [];
        for (const [of, by, percent] of VARIANTS) {
          if (of === source) variants.push(await variant(of, by, percent));
        }
        groups.push({ title: source, variants });
      }
      return await measureVariants(run, {
        id: 'shadow',
        title: 'Decisions that are compared with a shadow',
        text: 'The time of one decision in this process, without HTTP, as a multiple of what it takes without `shadow`. The comparison comes after the answer, on the same cores.',
        groups,
      });
    } finally {
      for (const router of routers) router.close();
    }
  },
};
