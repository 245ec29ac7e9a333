import { describe, expect, it } from 'vitest';
import { readDatabrainUrl } from '../../../src/config/read-databrain.ts';
import { createSettingReader } from '../../../src/config/setting-reader.ts';
import type { Problem } from '../../../src/problem.ts';

const readerOf = (env: Record<string, string>) => {
  const problems: Problem[] = [];
  return { problems, reader: createSettingReader(env, () => Buffer.alloc(0), problems) };
};

describe('DATABRAIN_API_URL', () => {
  it.each([
    ['https://api.example.com', 'https://api.example.com'],
    ['https://self.example.com/databrain/', 'https://self.example.com/databrain'],
    ['http://127.0.0.1:3000', 'http://127.0.0.1:3000'],
    ['http://localhost:3000/', 'http://localhost:3000'],
    ['http://[::1]:3000', 'http://[::1]:3000'],
  ])('accepts %s', (value, expected) => {
    const { problems, reader } = readerOf({ DATABRAIN_API_URL: value });
    expect(readDatabrainUrl(reader, false)).toBe(expected);
    expect(problems).toEqual([]);
  });

  it.each([
    'http://api.example.com',
    'http://127.0.0.1.example.com',
    'http://localhost.example.com',
    'ftp://a.example',
    'https://u:secret@a.example',
    'https://a.example?x=1',
    'https://a.example#x',
    'nonsense',
  ])('refuses %s without repeating it', (value) => {
    const { problems, reader } = readerOf({ DATABRAIN_API_URL: value });
    readDatabrainUrl(reader, false);
    expect(problems).toHaveLength(1);
    expect(JSON.stringify(problems)).not.toContain('secret');
  });

  it('accepts http beyond loopback only with the insecure setting', () => {
    const { problems, reader } = readerOf({ DATABRAIN_API_URL: 'http://databrain.internal:3000' });
    expect(readDatabrainUrl(reader, true)).toBe('http://databrain.internal:3000');
    expect(problems).toEqual([]);
  });
});
