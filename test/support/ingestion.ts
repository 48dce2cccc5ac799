import { setTimeout as delay } from 'node:timers/promises';
import { catalogNames } from '../../dev/checks';

/** Waits until one who may see all components of the sample catalog does. */
export async function allIngested(url: string, token: string): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt++) {
    if ((await catalogNames(url, token)).length === 4) return;
    await delay(50);
  }
  throw new Error('the sample catalog was not ingested');
}
