// Short locks in Redis: a lock lasts 0.8 seconds and is renewed while its work runs, so that the lock of a dead replica
// ends soon. It saves duplicate work; correctness does not depend on it.
import { randomBytes } from 'node:crypto';
import type { RedisScript } from './redis-client.ts';
import { redisDown, type RedisLink } from './redis-link.ts';

/** `held`: another holder has the lock. `unavailable`: Redis does not reply. */
export type LockReply = { readonly release: () => void } | 'held' | 'unavailable';

const lastsMs = 800;
const renewEveryMs = 250;
/** After this time the work is stuck, and its lock is no longer renewed. */
const maxWorkMs = 15_000;

/** Only the owner releases or renews a lock. Another holder's value, of any size and type, is not changed. */
const ifOwned = (command: string): string => `
if redis.pcall('STRLEN', KEYS[1]) == #ARGV[1] and redis.call('GET', KEYS[1]) == ARGV[1] then
  return ${command}
end
return 0
`;

const unlock: RedisScript = { name: 'guestTokenUnlock', lua: ifOwned("redis.call('DEL', KEYS[1])") };
const prolong: RedisScript = { name: 'guestTokenProlong', lua: ifOwned("redis.call('PEXPIRE', KEYS[1], ARGV[2])") };

/** Tries to take the lock, without waiting. Never throws. */
export function createRedisLocks(link: RedisLink): (name: string) => Promise<LockReply> {
  return async (name) => {
    const owner = randomBytes(12).toString('base64url');
    const reply = await link.run((client) => client.call('SET', [name, owner, 'PX', lastsMs, 'NX']));
    if (reply === redisDown) return 'unavailable';
    if (reply !== 'OK') return 'held';
    let renewalsLeft = Math.floor(maxWorkMs / renewEveryMs);
    const renewal = setInterval(() => {
      renewalsLeft -= 1;
      if (renewalsLeft < 0) return clearInterval(renewal);
      void link.run((client) => client.run(prolong, name, [owner, lastsMs]));
    }, renewEveryMs);
    renewal.unref();
    return {
      release: () => {
        clearInterval(renewal);
        void link.run((client) => client.run(unlock, name, [owner]));
      },
    };
  };
}
