// Counts rate limits in Redis for all replicas: the sliding window of memory-counter.ts as one atomic script, with the
// server's clock.
import type { RedisScript } from '../redis/redis-client.ts';
import type { redisDown, RedisLink } from '../redis/redis-link.ts';
import { type Limit, stepsPerWindow, type Taken } from './memory-counter.ts';

/** Counts one request of `key` in Redis. */
export type RedisCounter = (key: string, limit: Limit) => Promise<Taken | typeof redisDown>;

/** The maximum length of a value: all steps of a window, each with two times and a count. Longer ones are not ours. */
const maxValueBytes = (stepsPerWindow + 1) * 48;

// The value is "firstAt,lastAt,count;…", oldest first. Any other value is overwritten. A time in the future (the
// server's clock was set back) counts as now, so that it leaves the window.
const take: RedisScript = {
  name: 'guestTokenTake',
  lua: `
local max, window, step = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local length = redis.pcall('STRLEN', KEYS[1])
local steps, used = {}, 0
if type(length) == 'number' and length <= tonumber(ARGV[4]) then
  for first, last, count in string.gmatch(redis.call('GET', KEYS[1]) or '', '(%d+),(%d+),(%d+);') do
    first, last, count = math.min(tonumber(first), now), math.min(tonumber(last), now), tonumber(count)
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
`,
};

/** `prefix` is prepended to every key. Keys must be hashed already. */
export function createRedisCounter(link: RedisLink, prefix: string): RedisCounter {
  return (key, { max, windowMs }) =>
    link.run(async (client) => {
      const args = [max, windowMs, Math.ceil(windowMs / stepsPerWindow), maxValueBytes];
      const reply = await client.run(take, `${prefix}${key}`, args);
      const [allowed, used, freesInMs] = Array.isArray(reply) ? (reply as readonly unknown[]) : [];
      if (typeof allowed !== 'number' || typeof used !== 'number' || typeof freesInMs !== 'number') {
        throw new Error('BADREPLY');
      }
      return { allowed: allowed === 1, used, freesInMs };
    });
}
