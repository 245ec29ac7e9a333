// The small dashboard of the simulated Databrain, for one guest token.
import { element } from './elements.js';

const money = new Intl.NumberFormat('en', { style: 'currency', currency: 'EUR', maximumFractionDigits: 0 });
const titles = { revenue: 'Revenue by country', orders: 'Orders', margin: 'Margin by country' };

function bars({ bars: values }) {
  const most = Math.max(...values.map(({ value }) => value), 1);
  return element(
    'ul',
    { class: 'bars' },
    ...values.map(({ country, value }) => {
      const bar = element('span', { class: 'bar', 'aria-hidden': 'true' });
      bar.style.width = `${(value / most) * 100}%`;
      return element(
        'li',
        {},
        element('span', { class: 'bar-name' }, country),
        element('span', { class: 'bar-track' }, bar),
        element('span', { class: 'bar-value' }, money.format(value)),
      );
    }),
  );
}

function table({ rows }) {
  const cells = (tag, texts) => texts.map((text) => element(tag, tag === 'th' ? { scope: 'col' } : {}, text));
  return element(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Orders' },
    element(
      'table',
      {},
      element('thead', {}, element('tr', {}, ...cells('th', ['Company', 'Country', 'Product', 'Revenue', 'Paid']))),
      element(
        'tbody',
        {},
        ...rows.map(({ client_id, country, product, revenue, paid_orders }) =>
          element(
            'tr',
            {},
            ...cells('td', [client_id, country, product, money.format(revenue), paid_orders ? 'yes' : 'no']),
          ),
        ),
      ),
    ),
  );
}

function metric(shown) {
  const { metricId, total, rows } = shown;
  return element(
    'section',
    { class: 'metric' },
    element(
      'header',
      {},
      element('h3', {}, titles[metricId] ?? metricId),
      element('span', { class: 'total' }, money.format(total)),
    ),
    rows.length === 0 ? element('p', {}, 'No rows.') : metricId === 'orders' ? table(shown) : bars(shown),
  );
}

/** @param view the answer of the simulated Databrain for the embed */
export function dashboardView({ clientId, metrics, offeredFilters, permissions }) {
  const mayDownload = permissions.isEnableDownloadMetrics === true;
  return element(
    'div',
    { class: 'dashboard' },
    element(
      'p',
      { class: 'dashboard-bar' },
      element('strong', {}, clientId),
      element('span', {}, 'Filters offered:'),
      ...offeredFilters.map((name) => element('span', { class: 'chip' }, name)),
      element(
        'span',
        { class: mayDownload ? 'chip allowed' : 'chip denied' },
        `download ${mayDownload ? 'allowed' : 'off'}`,
      ),
    ),
    element('div', { class: 'metrics' }, ...metrics.map(metric)),
  );
}
