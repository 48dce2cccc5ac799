/** What Prometheus would read of this process, by OpenTelemetry's own SDK and exporter. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';

export type Labels = Readonly<Record<string, string>>;

interface Sample {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
}

/** One reading of all metrics. */
export class Scrape {
  readonly samples: readonly Sample[];

  constructor(readonly text: string) {
    this.samples = text
      .split('\n')
      .filter(line => line !== '' && !line.startsWith('#'))
      .map(parseSample);
  }

  /** Of the series with at least these labels; undefined if there is none. */
  value(name: string, labels: Labels = {}): number | undefined {
    return this.of(name, labels)[0]?.value;
  }

  of(name: string, labels: Labels = {}): Sample[] {
    return this.samples.filter(
      sample =>
        sample.name === name &&
        Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
    );
  }

  /** `# TYPE name counter` and the like, by name. */
  comments(kind: 'TYPE' | 'UNIT'): ReadonlyMap<string, string> {
    const lines = this.text.matchAll(new RegExp(`^# ${kind} (\\S+) (.*)$`, 'gm'));
    return new Map([...lines].map(([, name, value]) => [name!, value!]));
  }
}

export interface Prometheus {
  readonly url: string;
  scrape(): Promise<Scrape>;
  stop(): Promise<void>;
}

/** Sets up the SDK for this process; routers that are created later are measured. */
export async function startPrometheus(): Promise<Prometheus> {
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({ readers: [exporter] });
  metrics.setGlobalMeterProvider(provider);
  const server = createServer((request, response) =>
    exporter.getMetricsRequestHandler(request, response),
  );
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
  return {
    url,
    scrape: async () => new Scrape(await (await fetch(url)).text()),
    stop: async () => {
      metrics.disable();
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
      await provider.shutdown();
    },
  };
}

function parseSample(line: string): Sample {
  const [, name, labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line)!;
  const pairs = labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g);
  return {
    name: name!,
    labels: Object.fromEntries([...pairs].map(([, key, text]) => [key!, text!])),
    value: Number(value),
  };
}
