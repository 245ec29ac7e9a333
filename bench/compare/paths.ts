// The measured paths of a request, each as a load on a process in a known state.
import { shuffled } from './load.ts';

export interface MeasuredPath {
  readonly name: string;
  readonly algorithm: 'RS256' | 'HS256';
  readonly reuse: boolean;
  readonly users: number;
  /** Users who send a request before the measurement. */
  readonly warmUp: (users: number) => readonly number[];
  readonly order: (users: number) => readonly number[];
  /** `forged`: the last characters of each signature are another user's. */
  readonly tokens: 'good' | 'forged';
  readonly connections: number;
  /**
   * Start a new process for every round. Otherwise it is warm; if no user may be known, there are more users than it
   * remembers.
   */
  readonly freshProcess?: true;
  /** The upstream answers over TLS and takes 50 ms. */
  readonly farUpstream?: true;
  /** The exact number of upstream calls per load, if the path has one. */
  readonly upstreamCalls?: number;
}

const range = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);
const connections = 64;
const everybody = (users: number): readonly number[] => range(0, users);
const everybodyTwice = (users: number): readonly number[] => [...range(0, users), ...range(0, users)];

export const paths: readonly MeasuredPath[] = [
  {
    name: 'first, RS256',
    algorithm: 'RS256',
    reuse: false,
    users: 11_000,
    warmUp: everybodyTwice,
    order: everybody,
    tokens: 'good',
    connections,
  },
  {
    name: 'first, HS256',
    algorithm: 'HS256',
    reuse: false,
    users: 11_000,
    warmUp: everybodyTwice,
    order: everybody,
    tokens: 'good',
    connections,
  },
  {
    name: 'repeat, RS256, 1,000 users known',
    algorithm: 'RS256',
    reuse: true,
    users: 1_000,
    warmUp: (users) => [...range(0, users), ...range(0, users), ...range(0, users)],
    order: (users) => shuffled(Array.from({ length: 20 }, () => range(0, users)).flat()),
    tokens: 'good',
    connections,
  },
  {
    name: '10,000 users × 10 visits',
    algorithm: 'RS256',
    reuse: true,
    users: 10_000,
    warmUp: () => [],
    order: (users) => shuffled(Array.from({ length: 10 }, () => range(0, users)).flat()),
    tokens: 'good',
    connections,
    freshProcess: true,
    upstreamCalls: 10_000,
  },
  {
    name: 'refused, bad signature RS256',
    algorithm: 'RS256',
    reuse: true,
    users: 11_000,
    warmUp: everybodyTwice,
    order: everybody,
    tokens: 'forged',
    connections,
  },
  {
    name: 'burst: 500 users at once after a start, upstream over TLS in 50 ms',
    algorithm: 'RS256',
    reuse: true,
    users: 500,
    warmUp: () => [],
    order: (users) => range(0, users),
    tokens: 'good',
    connections: 500,
    freshProcess: true,
    farUpstream: true,
    upstreamCalls: 500,
  },
];
