/** Entities of a test file: a path of a catalog-info file, or written out. */
import { z } from 'zod';
import { oneOf, shown, text } from '../../lib/fields';
import { entityRef } from '../../sources/fields';

const FILE =
  "the path of a catalog-info file such as './catalog-info.yaml', of several entities with one's ref: " +
  "'./all.yaml#component:default/website'";
const entityFile = text(FILE)
  .regex(/^[^#]+(?:#[^:/#\s]+:[^:/#\s]+\/[^:/#\s]+)?$/, {
    error: issue => `must be ${FILE}${shown(issue.input)}`,
  })
  .transform((value): EntityFile => {
    const [file, ref] = value.split('#') as [string, string?];
    return { file, ref };
  });

/** Where an entity is written. */
export interface EntityFile {
  /** Relative to the test file. */
  readonly file: string;
  /** Of the entity in it; may be left out if the file has only one. */
  readonly ref: string | undefined;
}

const object = (what: string) =>
  z.looseObject({}, { error: `must be an object of ${what}` });

const inlineEntity = z
  .looseObject(
    {
      apiVersion: text(
        "the version of the kind, such as 'backstage.io/v1alpha1'",
      ).describe('Such as backstage.io/v1alpha1.'),
      kind: text("the kind of the entity, such as 'Component'").describe(
        'Such as Component.',
      ),
      metadata: z
        .looseObject(
          {
            name: text('the name of the entity').describe('The name of the entity.'),
            namespace: text('the namespace of the entity')
              .optional()
              .describe('Default: default.'),
          },
          { error: 'is required: an object with the name of the entity' },
        )
        .describe('What every entity has, such as labels and annotations.'),
      spec: object('what the kind has').optional().describe('What the kind has.'),
      relations: z
        .array(
          z.looseObject(
            {
              type: text("the type of the relation, such as 'ownedBy'").describe(
                'Such as ownedBy.',
              ),
              targetRef: entityRef.describe('The entity ref of the other entity.'),
            },
            { error: 'must be an object of type and targetRef' },
          ),
          { error: 'must be a list of { type, targetRef }' },
        )
        .optional()
        .describe(
          'Its relations to other entities. Those that the catalog makes of the spec, such as ownedBy of the owner, are added.',
        ),
    },
    {
      error: `must be ${FILE}; or an entity, with apiVersion, kind, metadata, spec and relations`,
    },
  )
  .transform((entity): InlineEntity => ({ entity }));

/** An entity that is written in the test file; has whatever else was written. */
export interface InlineEntity {
  readonly entity: {
    readonly apiVersion: string;
    readonly kind: string;
    readonly metadata: {
      readonly name: string;
      readonly namespace?: string | undefined;
    };
    readonly spec?: object | undefined;
    readonly relations?:
      | ReadonlyArray<{
          readonly type: string;
          readonly targetRef: string;
        }>
      | undefined;
  };
}

export const entity = oneOf<typeof entityFile | typeof inlineEntity>(
  [entityFile, inlineEntity],
  value => (typeof value === 'string' ? entityFile : inlineEntity),
);

export type TestEntity = EntityFile | InlineEntity;
