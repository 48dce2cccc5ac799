import { catalogNames } from '../../dev/checks';
import { until } from './until';

/** Waits until a user who may see all components of the sample catalog does. */
export async function allIngested(url: string, token: string): Promise<void> {
  await until(
    async () => (await catalogNames(url, token)).length === 4,
    'the sample catalog was ingested',
  );
}
