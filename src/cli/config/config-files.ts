import type { ConfigSourceData } from '@backstage/config-loader';

/** The files of an app-config; later ones win. What environment variables set has no path. */
export type ConfigFiles = readonly ConfigSourceData[];
