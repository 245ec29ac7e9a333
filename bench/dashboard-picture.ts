// npm exec -- node bench/dashboard-picture.ts [seconds]: runs two replicas under load with several failures and a real
// Prometheus, evaluates the dashboard's expressions, and draws docs/images/dashboard.png. Grafana is not used.
import { setTimeout as delay } from 'node:timers/promises';
import { launchChromium } from '../test/support/programs/chromium.ts';
import { createProgramBuild } from '../test/support/programs/build-program.ts';
import { startRedisServer } from '../test/support/servers/redis-server.ts';
import { dashboard } from '../test/contract/metric-documents.ts';
import { drawDashboard, type DrawnPanel } from './dashboard/draw.ts';
import { concrete } from './dashboard/expression.ts';
import { startPrometheus, type Prometheus } from './dashboard/prometheus.ts';
import { jwtSecret, policyWith, startFleet } from './lifecycle/fleet.ts';
import { startLoad } from './lifecycle/load.ts';

const seconds = Number(process.argv[2] ?? 100);

const legend = (format: string, metric: Readonly<Record<string, string>>): string =>
  format.replace(/\{\{(\w+)\}\}/g, (_match, label: string) => metric[label] ?? '');

async function draw(prometheus: Prometheus): Promise<string> {
  const to = Date.now() / 1000;
  const panels: DrawnPanel[] = [];
  for (const panel of dashboard.panels) {
    const responses = await Promise.all(
      (panel.targets ?? []).map(async ({ expr, legendFormat }) => {
        const series = await prometheus.query(concrete(expr), seconds);
        return series.map(({ metric, values }) => ({ label: legend(legendFormat, metric), values }));
      }),
    );
    panels.push({
      title: panel.title,
      kind: panel.type === 'row' || panel.type === 'stat' ? panel.type : 'timeseries',
      unit: panel.fieldConfig?.defaults.unit ?? 'short',
      isStacked: panel.fieldConfig?.defaults.custom?.stacking.mode === 'normal',
      gridWidth: panel.gridPos.w,
      lines: responses.flat().filter(({ values }) => values.length > 1),
    });
  }
  return drawDashboard(`${dashboard.title} · two replicas, ${seconds} seconds`, panels, to - seconds, to);
}

const build = createProgramBuild();
try {
  const redis = await startRedisServer();
  await using fleet = await startFleet({ program: await build.path(), redisUrl: redis.url, delayMs: 40 });
  await using prometheus = await startPrometheus([fleet.replica(0).adminPort, fleet.replica(1).adminPort]);
  const loads = fleet.ports.map((port) =>
    startLoad({ url: `http://127.0.0.1:${port}`, requestsPerSecond: 60, jwtSecret }),
  );
  const part = (share: number): Promise<void> => delay(seconds * share * 1000);

  await part(0.25);
  fleet.databrain.refuseNext('INTERNAL_SERVER_ERROR', 25);
  await part(0.2);
  await redis.kill();
  await part(0.15);
  await redis.restart();
  fleet.writeFile('policy.yaml', 'version: 1\n');
  await part(0.15);
  fleet.writeFile('policy.yaml', policyWith('30m'));
  await part(0.25);

  const page = await draw(prometheus);
  await Promise.all(loads.map((load) => load.stop()));
  await redis.stop();
  const browser = await launchChromium();
  const view = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  await view.setContent(page);
  await view.screenshot({ path: 'docs/images/dashboard.png', fullPage: true });
  await browser.close();
} finally {
  build.remove();
}
