import type {
  AuditorService,
  AuditorServiceCreateEventOptions,
} from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';

/** An event that succeeded, with what it began with and what it ended with. */
export interface WrittenEvent extends AuditorServiceCreateEventOptions {
  readonly meta: JsonObject;
}

/** An auditor that keeps what is written. */
export class RecordingAuditor {
  readonly events: WrittenEvent[] = [];
  /** What `createEvent` got, in this order. */
  readonly begun: AuditorServiceCreateEventOptions[] = [];

  readonly service: AuditorService = {
    createEvent: async options => {
      this.begun.push({ ...options });
      return {
        success: async ({ meta } = {}) => {
          this.events.push({ ...options, meta: { ...options.meta, ...meta } });
        },
        fail: () => Promise.reject(new Error('no decision fails')),
      };
    },
  };
}

/** Auditors that do everything but their work. */
export const BAD_AUDITORS: Readonly<Record<string, () => AuditorService>> = {
  throws: () => ({
    createEvent: () => {
      throw new Error('thrown by the auditor');
    },
  }),
  rejects: () => ({
    createEvent: () => Promise.reject(new Error('rejected by the auditor')),
  }),
  'throws what cannot be looked at': () => ({
    createEvent: () => {
      throw new Proxy(new Error('an auditor'), {
        get() {
          throw new Error('a trap');
        },
      });
    },
  }),
  'gives no event': () => ({ createEvent: async () => undefined as never }),
  'cannot complete an event': () => ({
    createEvent: async () => ({
      success: () => {
        throw new Error('thrown at the end');
      },
      fail: async () => {},
    }),
  }),
  'never answers': () => ({ createEvent: () => new Promise(() => {}) }),
  'never completes an event': () => ({
    createEvent: async () => ({
      success: () => new Promise(() => {}),
      fail: async () => {},
    }),
  }),
};
