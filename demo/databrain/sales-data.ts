// The rows that the simulated dashboards show: orders of two tenants in one table, as in a customer's database.

export interface Order {
  readonly client_id: string;
  readonly region: string;
  readonly country: string;
  readonly date: string;
  readonly product: string;
  readonly revenue: number;
  readonly cost: number;
  readonly paid_orders: boolean;
}

const order = (
  client_id: string,
  region: string,
  country: string,
  date: string,
  product: string,
  revenue: number,
  cost: number,
  paid_orders = true,
): Order => ({ client_id, region, country, date, product, revenue, cost, paid_orders });

export const orders: readonly Order[] = [
  order('acme', 'emea', 'Germany', '2026-07-03', 'Anvils', 4200, 2600),
  order('acme', 'emea', 'Germany', '2026-08-14', 'Rockets', 6100, 4300),
  order('acme', 'emea', 'Germany', '2026-09-21', 'Springs', 900, 350, false),
  order('acme', 'emea', 'France', '2026-07-19', 'Anvils', 2800, 1750),
  order('acme', 'emea', 'France', '2026-09-02', 'Magnets', 1900, 800),
  order('acme', 'amer', 'Canada', '2026-07-28', 'Rockets', 5300, 3700),
  order('acme', 'amer', 'Canada', '2026-08-30', 'Springs', 1200, 450),
  order('acme', 'amer', 'United States', '2026-08-08', 'Rockets', 9400, 6600),
  order('acme', 'amer', 'United States', '2026-09-11', 'Anvils', 7200, 4500, false),
  order('acme', 'apac', 'Japan', '2026-08-22', 'Magnets', 3600, 1500),
  order('globex', 'emea', 'Italy', '2026-07-07', 'Turbines', 8800, 5900),
  order('globex', 'emea', 'Italy', '2026-08-18', 'Valves', 2300, 1100),
  order('globex', 'emea', 'Spain', '2026-09-09', 'Pumps', 3100, 1900),
  order('globex', 'amer', 'Brazil', '2026-07-25', 'Turbines', 7500, 5200),
  order('globex', 'amer', 'Mexico', '2026-08-27', 'Pumps', 4100, 2500, false),
  order('globex', 'apac', 'Singapore', '2026-09-16', 'Valves', 5600, 2700),
];
