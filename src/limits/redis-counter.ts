// Rate limits counted in Redis for all replicas: the same sliding window as memory-counter.ts, in one atomic script,
// timed by the server's clock so that the replicas' clocks do not matter.
import type { RedisLink } from '../redis/redis-link.ts';
import { createRedisScript } from '../redis/redis-script.ts';
import { stepsPerWindow, type Limit, type Taken } from './limit.ts';

/** Counts one request of `key` in Redis. Throws RedisDown. */
export type RedisCounter = (key: string, limit: Limit) => Promise<Taken>;

// The value is "firstAt,lastAt,count;…", oldest first. Whatever else lies under the key is overwritten.
const take = createRedisScript(`
local max, window, step = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local stored = redis.pcall('GET', KEYS[1])
local steps, used = {}, 0
if type(stored) == 'string' then
  for first, last, count in string.gmatch(stored, '(%d+),(%d+),(%d+);') do
    first, last, count = tonumber(first), math.min(tonumber(last), now), tonumber(count)
    if last > now - window then
      steps[#steps + 1] = {first, last, count}
      used = used + count
    end
  end
end
local allowed = used < max
if allowed then
  used = used + 1
  local latest = steps[#steps]
  if latest and now - latest[1] < step then
    latest[2], latest[3] = now, latest[3] + 1
  else
    steps[#steps + 1] = {now, now, 1}
  end
  local parts = {}
  for index, entry in ipairs(steps) do
    parts[index] = string.format('%.0f,%.0f,%.0f;', entry[1], entry[2], entry[3])
  end
  redis.call('SET', KEYS[1], table.concat(parts), 'PX', window)
end
local left, frees = used, window
for _, entry in ipairs(steps) do
  left = left - entry[3]
  if left < max then
    frees = entry[2] + window - now
    break
  end
end
return {allowed and 1 or 0, used, frees}
`);

/** `prefix` is put before every key; keys must be hashed already. */
export function createRedisCounter(link: RedisLink, prefix: string): RedisCounter {
  return (key, { max, windowMs }) =>
    link.run(async (client) => {
      const reply = await take(client, `${prefix}${key}`, [max, windowMs, Math.ceil(windowMs / stepsPerWindow)]);
      const [allowed, used, freesInMs] = Array.isArray(reply) ? (reply as readonly unknown[]) : [];
      if (typeof allowed !== 'number' || typeof used !== 'number' || typeof freesInMs !== 'number') {
        throw new Error('BADREPLY');
      }
      return { allowed: allowed === 1, used, freesInMs };
    });
}
