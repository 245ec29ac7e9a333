// Hostile tokens, fourth group: the form of the token and of the JSON in it (RFC 7515 §2, §5.2, §7; RFC 8725 §2.6,
// §3.7).
import type { HostileToken } from '../hostile-tokens.ts';
import { encodeText, signSegments } from '../sign-token.ts';
import type { TokenIssuers } from '../servers/token-issuers.ts';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** The same bytes for a lenient decoder: unused bits of the last character are set. */
function withStrayBits(segment: string): string {
  const last = alphabet.indexOf(segment.slice(-1));
  return segment.slice(0, -1) + (alphabet[last + 1] ?? '');
}

/** A string whose encoding has unused bits. */
const padded = (text: string, filler: string): string =>
  text.length % 3 === 0 ? text.replace('}', `${filler}}`) : text;

export function hostileEncodings(issuers: TokenIssuers): readonly HostileToken[] {
  const { token, texts, segments, headerText, payloadText, headerSegment, payloadSegment, keys } = issuers;
  const good = token('hmac');
  const [h = '', p = '', s = ''] = good.split('.');
  const header = encodeText(padded(headerText('hmac'), ' '));
  const payload = encodeText(padded(payloadText('hmac'), ' '));

  const malformed = (title: string, text: string): HostileToken => ({ title, token: text, reason: 'token_malformed' });
  /** Correctly signed, so that only the form of the payload can be the reason for a refusal. */
  const body = (title: string, text: string | Buffer): HostileToken =>
    malformed(title, texts('hmac', headerText('hmac'), text));
  const changed = (from: string, to: string): string => payloadText('hmac').replace(from, to);

  return [
    malformed('the empty string', ''),
    malformed('one dot', '.'),
    malformed('two dots', '..'),
    malformed('three dots', '...'),
    malformed('one segment', h),
    malformed('two segments', `${h}.${p}`),
    malformed('four segments', `${good}.`),
    malformed('four segments, the last one filled', `${good}.${s}`),
    malformed('five segments, as an encrypted token has', `${h}.${p}.${s}.${s}.${s}`),
    malformed('an empty header', `.${p}.${s}`),
    malformed('an empty payload', `${h}..${s}`),
    malformed('an empty signature', `${h}.${p}.`),
    malformed('a dot before it', `.${good}`),
    malformed('two dots in the middle', `${h}..${p}.${s}`),
    malformed('white space before it', ` ${good}`),
    malformed('white space after it', `${good} `),
    malformed('a newline after it', `${good}\n`),
    malformed('a NUL after it', `${good}\0`),
    malformed('a space inside', `${h}. ${p}.${s}`),
    malformed('a newline inside a segment', segments('hmac', `${h.slice(0, 8)}\n${h.slice(8)}`, p)),
    malformed('the scheme twice', `Bearer ${good}`),
    malformed('quotes around it', `"${good}"`),
    malformed('two tokens with a comma', `${good},${good}`),
    malformed('percent escapes', good.replaceAll('.', '%2E')),
    malformed('a letter beyond ASCII', segments('hmac', h, `${p}é`)),
    malformed('the JSON serialisation', JSON.stringify({ protected: h, payload: p, signature: s })),

    malformed('padding after the header', segments('hmac', `${h}=`, p)),
    malformed('padding after the payload', segments('hmac', h, `${p}==`)),
    malformed('padding after the signature', `${good}=`),
    malformed(
      'plain base64 in the payload',
      segments('hmac', h, Buffer.from(changed('user-1', '??>>~~')).toString('base64')),
    ),
    malformed('stray bits in the header', segments('hmac', withStrayBits(header), p)),
    malformed('stray bits in the payload', segments('hmac', h, withStrayBits(payload))),
    malformed('stray bits in the signature', `${h}.${p}.${withStrayBits(s)}`),
    malformed('a header of one character', segments('hmac', 'e', p)),
    malformed('a payload with an extra character', segments('hmac', h, `${encodeText('{"a":1}  ')}A`)),

    body('a payload that is a list', '[1]'),
    body('a payload that is a string', '"user-1"'),
    body('a payload that is a number', '1'),
    body('a payload that is null', 'null'),
    body('a payload that is another token', good),
    body('a payload that is another token as JSON', JSON.stringify(good)),
    body('a payload that is not JSON', 'sub=user-1'),
    body('a payload with a byte order mark', `\uFEFF${payloadText('hmac')}`),
    body('a payload with text after it', `${payloadText('hmac')}x`),
    body('a payload with a second object after it', `${payloadText('hmac')}{}`),
    body('a payload with an extra comma', changed('}', ',}')),
    body('a payload with a comment', changed('{', '{/* */')),
    body('a payload with single quotes', payloadText('hmac').replaceAll('"', "'")),
    body('an incomplete payload', payloadText('hmac').slice(0, -1)),
    body('a payload in UTF-16', Buffer.from(payloadText('hmac'), 'utf16le')),
    body('a payload with sub twice', changed('{', '{"sub":"admin",')),
    body('a payload with sub twice, once with an escape', changed('{', '{"s\\u0075b":"admin",')),
    body('a payload with exp twice', changed('{', '{"exp":9999999999,')),
    body('a payload with a private claim twice', changed('{', '{"org_id":"other",')),
    body('a payload with a repeated nested member', changed('{', '{"a":[{"b":{"c":1,"c":1}}],')),
    body('a payload with __proto__ twice', changed('{', '{"__proto__":1,"__proto__":1,')),
    body('a lone surrogate in sub', changed('user-1', 'user-\\ud800')),
    body('a reversed pair of surrogates in sub', changed('user-1', 'user-\\udc00\\ud800')),
    body('a lone surrogate in a private claim', changed('acme', 'acme\\udfff')),
    body('a lone surrogate in a name', changed('{', '{"\\ud800":1,')),
    body('a private claim with a number that is too large', changed('{', '{"limit":1e999,')),
    body('a payload nested 40 deep', changed('{', `{"x":${'{"a":'.repeat(40)}1${'}'.repeat(40)},`)),
    body('a payload nested 2000 deep', changed('{', `{"x":${'['.repeat(2000)}${']'.repeat(2000)},`)),
    body('a raw control character in a string', changed('user-1', 'user\u0001')),
    ...[
      ['a byte that is not UTF-8', [0xff]],
      ['a lone continuation byte', [0x80]],
      ['an overlong slash', [0xc0, 0xaf]],
      ['a surrogate in UTF-8', [0xed, 0xa0, 0x80]],
      ['an incomplete sequence', [0xe2, 0x82]],
      ['a character beyond Unicode', [0xf4, 0x90, 0x80, 0x80]],
    ].map(([title, bytes]) =>
      body(
        `sub with ${String(title)}`,
        Buffer.concat(
          payloadText('hmac')
            .split('user-1')
            .flatMap((part, index) =>
              index === 0 ? [Buffer.from(part)] : [Buffer.from(bytes as number[]), Buffer.from(part)],
            ),
        ),
      ),
    ),

    { title: 'one byte over 16 KiB', token: sized(16_385), code: 'HEADERS_TOO_LARGE', reason: 'token_too_large' },
    { title: '20 KiB', token: sized(20_480), code: 'HEADERS_TOO_LARGE', reason: 'token_too_large' },
    { title: '20 KiB of dots', token: '.'.repeat(20_480), code: 'HEADERS_TOO_LARGE', reason: 'token_too_large' },
  ];

  /** A correctly signed token of exactly this many bytes. */
  function sized(bytes: number): string {
    for (let filler = bytes >> 1; filler < bytes; filler += 1) {
      const made = signSegments(
        'HS256',
        keys.secret,
        headerSegment('hmac'),
        payloadSegment('hmac', { x: 'a'.repeat(filler) }),
      );
      if (made.length >= bytes) return made;
    }
    throw new Error('no filler fits');
  }
}
