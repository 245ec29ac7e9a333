// The dashboard's panels as one HTML page: lines, stacked areas and single numbers, as SVG.
import type { Series } from './prometheus.ts';

export interface DrawnPanel {
  readonly title: string;
  readonly kind: 'timeseries' | 'stat' | 'row';
  readonly unit: string;
  readonly isStacked: boolean;
  readonly gridWidth: number;
  readonly lines: readonly { readonly label: string; readonly values: Series['values'] }[];
}

const colours = ['#3274d9', '#299c46', '#e0752d', '#a352cc', '#c4162a', '#d1a015', '#1f9ea8', '#8f3bb8', '#5a6675'];
const escape = (text: string): string => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

function format(value: number, unit: string): string {
  if (!Number.isFinite(value)) return '–';
  if (unit === 'bytes') return `${(value / 2 ** 20).toFixed(0)} MiB`;
  if (unit === 'percentunit') return `${(value * 100).toFixed(1)} %`;
  if (unit === 's') return value < 1 ? `${(value * 1000).toFixed(0)} ms` : `${value.toFixed(value < 10 ? 1 : 0)} s`;
  return `${value >= 100 ? value.toFixed(0) : Number(value.toPrecision(2))}${unit === 'reqps' ? '/s' : ''}`;
}

const [width, height] = [400, 120];

function chart({ lines, isStacked, unit }: DrawnPanel, from: number, to: number): string {
  const times = [...new Set(lines.flatMap(({ values }) => values.map(([time]) => time)))].sort((a, b) => a - b);
  const below = new Map(times.map((time) => [time, 0]));
  const shapes = lines.map(({ label, values }, index) => {
    const points = values.map(([time, text]) => {
      const value = Number.isFinite(Number(text)) ? Number(text) : 0;
      const bottom = isStacked ? (below.get(time) ?? 0) : 0;
      if (isStacked) below.set(time, bottom + value);
      return { time, bottom, top: bottom + value };
    });
    return { label, points, colour: colours[index % colours.length] ?? '#000' };
  });
  const highest = Math.max(1e-9, ...shapes.flatMap(({ points }) => points.map(({ top }) => top))) * 1.08;
  const x = (time: number): string => (((time - from) / (to - from)) * width).toFixed(1);
  const y = (value: number): string => (height - (value / highest) * height).toFixed(1);
  const drawn = shapes.map(({ points, colour }) => {
    const line = points.map(({ time, top }) => `${x(time)},${y(top)}`).join(' ');
    const back = points.toReversed().map(({ time, bottom }) => `${x(time)},${y(bottom)}`);
    const area = isStacked ? `<polygon points="${line} ${back.join(' ')}" fill="${colour}" opacity=".35"/>` : '';
    return `${area}<polyline points="${line}" fill="none" stroke="${colour}" stroke-width="1.4"/>`;
  });
  const grid = [0.5, 1].map(
    (share) =>
      `<line x1="0" x2="${width}" y1="${height - (share * height) / 1.08}" y2="${height - (share * height) / 1.08}" stroke="#e3e5e8"/>`,
  );
  const legend = shapes.map(({ label, colour }) => `<span><i style="background:${colour}"></i>${escape(label)}</span>`);
  const empty = lines.length === 0 ? '<div class="empty">no data</div>' : '';
  const scale = highest / 1.08 > 1e-9 ? format(highest / 1.08, unit) : '0';
  return `<div class="scale">${scale}</div>${empty}<svg viewBox="0 0 ${width} ${height}" preserveAspectRatio="none">${grid.join('')}${drawn.join('')}</svg><div class="legend">${legend.join('')}</div>`;
}

function stat({ lines, unit }: DrawnPanel): string {
  const last = Number(lines[0]?.values.at(-1)?.[1] ?? NaN);
  return `<div class="stat">${format(last, unit)}</div>`;
}

/** @param from seconds since 1970; the left edge of every chart */
export function drawDashboard(title: string, panels: readonly DrawnPanel[], from: number, to: number): string {
  const boxes = panels.map((panel) =>
    panel.kind === 'row'
      ? `<h2>${escape(panel.title)}</h2>`
      : `<section style="grid-column:span ${panel.gridWidth}"><h3>${escape(panel.title)}</h3>${panel.kind === 'stat' ? stat(panel) : chart(panel, from, to)}</section>`,
  );
  return `<!doctype html><meta charset="utf-8"><title>${escape(title)}</title><style>
    body{font:13px system-ui,sans-serif;margin:16px;background:#f4f5f7;color:#1f2329;width:1360px}
    h1{font-size:18px} main{display:grid;grid-template-columns:repeat(24,1fr);gap:8px}
    h2{grid-column:span 24;font-size:14px;margin:8px 0 0} h3{font-size:12px;margin:0 0 4px;font-weight:600}
    section{background:#fff;border:1px solid #dfe2e6;border-radius:3px;padding:8px;position:relative;min-height:170px}
    svg{width:100%;height:${height}px;border-bottom:1px solid #c9ced6} .scale{position:absolute;right:8px;top:8px;color:#7b8087;font-size:11px}
    .legend{font-size:11px;line-height:1.5} .legend span{margin-right:10px;white-space:nowrap} .legend i{display:inline-block;width:9px;height:3px;margin-right:4px;vertical-align:middle}
    .stat{font-size:38px;text-align:center;margin-top:44px;color:#299c46} .empty{position:absolute;top:70px;left:0;right:0;text-align:center;color:#a0a5ad}
  </style><h1>${escape(title)}</h1><main>${boxes.join('')}</main>`;
}
