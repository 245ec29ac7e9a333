import { describe, expect, it } from 'vitest';
import { textProblem } from '../../src/unusable-text.ts';

describe('text that can never be valid', () => {
  it.each([
    ['double quotes', '"https://issuer.example"', 'text'],
    ['single quotes', "'guest-token'", 'text'],
    ['quotes around an entry of a list', 'a,"b"', 'list'],
    ['quotes around a random secret', '"kJ8s+0dGwq/3h1pXvC4nT7yL9mB2eR5a"', 'secret'],
    ['a space at the end', 'https://issuer.example ', 'text'],
    ['a tab at the beginning', '\tpolicy.yaml', 'text'],
    ['a newline at the end of a secret', 'kJ8s+0dGwq/3h1pXvC4nT7yL9mB2eR5a\n', 'secret'],
    ['a comment after an audience', 'reports   # what the template says', 'list'],
    ['a comment after an issuer', 'https://issuer.example/ # with the slash', 'text'],
    ['angle brackets', 'https://<tenant>.eu.auth0.com/', 'text'],
    ['a variable that was not replaced', 'https://${TENANT}.example.com', 'text'],
    ['a template that was not rendered', '{{ .Values.issuer }}', 'text'],
    ['the text of an example', 'https://your-tenant.eu.auth0.com/', 'text'],
    ['dots in place of the rest', 'dbn_live_abc123...', 'secret'],
    ['changeme', 'changeme', 'secret'],
    ['your-api-key', 'your-api-key', 'secret'],
    ['YOUR_DATABRAIN_API_KEY', 'YOUR_DATABRAIN_API_KEY', 'secret'],
    ['a secret called secret', 'secret', 'secret'],
    ['a variable as a secret', '${API_KEY}', 'secret'],
    ['a shell variable that was not replaced', '$DATABRAIN_API_KEY', 'secret'],
    ['the output of a script for a missing value', 'undefined', 'secret'],
    ['changeme as an audience', 'changeme', 'list'],
    ['null and a valid audience', 'reports,null', 'list'],
    ['a printed object', '[object Object]', 'text'],
    ['the template of an issuer', 'https://login.microsoftonline.com/{tenantid}/v2.0', 'text'],
  ] as const)('includes %s', (_title, value, kind) => expect(textProblem(value, kind)).toBeDefined());

  it.each([
    ['an issuer', 'https://login.example.com/realms/main/', 'text'],
    ['a folder with such a name', '/srv/your-app/policy.yaml', 'text'],
    ['a list with spaces', 'a, b', 'list'],
    ['a wildcard origin', 'https://*.app.example.com', 'list'],
    ['a UUID', '5d0b1d5e-77aa-4d0c-9a39-7f3c1f4f2f13', 'secret'],
    ['a random secret with brackets and braces', 'a<b>c${d}e{{f}}g-kJ8s0dGwq3h1pXvC4nT7', 'secret'],
    ['a random secret that begins with a dollar', '$aB3kJ8s0dGwq3h1pXvC4nT7yL9mB2eR5', 'secret'],
    ['one quote', '"', 'text'],
    ['a fragment', 'https://issuer.example/#a', 'text'],
    ['the field of a secret in a store', 'secret/guest-token-proxy#api-key', 'text'],
    ['PEM that ends in a newline', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n', 'keys'],
    ['an expression with the word secret', 'my secret is longer than this', 'secret'],
  ] as const)('does not include %s', (_title, value, kind) => expect(textProblem(value, kind)).toBeUndefined());
});
