import { describe, expect, it } from 'vitest';
import { explanationLines } from '../../../../src/policy/trial/explanation-lines.ts';
import { explainDecision } from '../../../../src/policy/trial/explain-decision.ts';
import { loadPolicy } from '../../../../src/policy/compile/load-policy.ts';
import { sentenceOf } from '../../../support/sentences/name-sentence.ts';

const policy = loadPolicy({
  file: 'p.yaml',
  maxLifetimeSeconds: 86_400,
  text: `version: 1
variables:
  roles: 'has(claims.realm_access) ? claims.realm_access.roles : []'
dataApps:
  sales:
    apiKey: SALES
    validations:
      - expression: claims.verified == true
        message: Verify first.
    expiresIn: 1h
    request:
      clientId: \${claims.org}
      params:
        allowedEmbeds: [overview, "\${claims.embed}"]
        appFilters:
          - when: '"admin" in variables.roles'
            metricId: revenue
            values: { paid: true }
`,
});
const claims = { org: 'acme', verified: true, embed: 'costs', realm_access: { roles: ['admin'] } };
const textOf = (changes: Record<string, unknown> = {}, dataApp: string | undefined = 'sales'): readonly string[] =>
  explanationLines(explainDecision(policy, { ...claims, ...changes }, dataApp, 0));

const section = (lines: readonly string[], title: string): readonly string[] => {
  const from = lines.indexOf(title) + 1;
  const to = lines.indexOf('', from);
  return lines.slice(from, to < 0 ? undefined : to);
};

const rulesTitle = 'Rules, in the order they were evaluated';

describe('an explanation as text', () => {
  it('of a permit has this layout', () => {
    const { requestSha256 } = explainDecision(policy, claims, 'sales', 0);
    expect(textOf()).toEqual(
      `policy    p.yaml (revision ${policy.revision})
data app  sales
API key   DATABRAIN_API_KEY_SALES
decision  permit
request   SHA-256 ${requestSha256}

Body
{
  "clientId": "acme",
  "dataAppName": "sales",
  "params": {
    "allowedEmbeds": [
      "overview",
      "costs"
    ],
    "appFilters": [
      {
        "metricId": "revenue",
        "values": {
          "paid": true
        }
      }
    ]
  },
  "expiryTime": 3600000
}

Where each field comes from
  clientId                          "acme"      \${claims.org}             p.yaml:12:17  org = "acme"
  dataAppName                       "sales"     literal
  params.allowedEmbeds[0]           "overview"  literal
  params.allowedEmbeds[1]           "costs"     \${claims.embed}           p.yaml:14:35  embed = "costs"
  params.appFilters[0].metricId     "revenue"   literal
  params.appFilters[0].values.paid  true        literal
  expiryTime                        3600000     lifetime in milliseconds

${rulesTitle}
  validations[0].expression  true       claims.verified == true                                    p.yaml:8:21   verified = true
  variables.roles            ["admin"]  has(claims.realm_access) ? claims.realm_access.roles : []  p.yaml:3:10   realm_access = {"roles":["admin"]}, realm_access.roles = ["admin"]
  params.appFilters[0].when  true       "admin" in variables.roles                                 p.yaml:16:19  realm_access = {"roles":["admin"]}, realm_access.roles = ["admin"]`.split(
        '\n',
      ),
    );
  });

  it('of a refusal by a rule has this layout', () => {
    expect(textOf({ verified: false })).toEqual(
      `policy    p.yaml (revision ${policy.revision})
data app  sales
decision  deny

Refusal
  refused   ACCESS_DENIED (validation_refused)
  problem   ${sentenceOf('validationNotTrue', 'Verify first.')}
  rule      validations[0].expression: claims.verified == true
  location  p.yaml:8:21
  reads     verified = false
  message   Verify first.

${rulesTitle}
  validations[0].expression  false  claims.verified == true  p.yaml:8:21  verified = false`.split('\n'),
    );
  });

  it('of a refusal because of a claim, with a rule that failed, has this layout', () => {
    expect(section(textOf({ realm_access: { roles: 5 } }), 'Refusal')).toEqual([
      '  refused   ACCESS_DENIED (expression_failed)',
      `  problem   ${sentenceOf('operatorTypes', 'in', 'string', 'double')}`,
      '  rule      params.appFilters[0].when: "admin" in variables.roles',
      '  location  p.yaml:16:19',
      '  reads     realm_access = {"roles":5}, realm_access.roles = 5',
    ]);
    expect(section(textOf({ realm_access: { roles: 5 } }), rulesTitle).at(-1)).toBe(
      '  params.appFilters[0].when  failed  "admin" in variables.roles                                 p.yaml:16:19  realm_access = {"roles":5}, realm_access.roles = 5',
    );
    expect(section(textOf({ embed: 5 }), 'Refusal')).toContain('  claim     embed');
  });

  it('of a rule that reads all claims has this layout', () => {
    const text =
      'version: 1\ndataApps: { s: { when: claims.size() == 1, expiresIn: 1h, request: { clientId: acme } } }\n';
    const whole = loadPolicy({ text, file: 'p.yaml', maxLifetimeSeconds: 86_400 });
    expect(explanationLines(explainDecision(whole, { a: 1 }, 's', 0)).at(-1)).toBe(
      '  when  true  claims.size() == 1  p.yaml:2:24  all claims',
    );
  });

  it('of a refusal before any rule has this layout', () => {
    expect(explanationLines(explainDecision(policy, claims, undefined, 0))).toEqual([
      `policy    p.yaml (revision ${policy.revision})`,
      'data app  none named, and the policy has no default',
      'decision  deny',
      '',
      'Refusal',
      '  refused  DATA_APP_NOT_ALLOWED (data_app_not_named)',
      '  problem  no data app was named, and none has default: true',
    ]);
  });
});

describe('a value in a table', () => {
  const cellOf = (embed: string): string | undefined => textOf({ embed }).find((line) => line.includes('claims.embed'));

  it('is complete up to 48 characters, and shortened above', () => {
    const longest = 'x'.repeat(46);
    expect(cellOf(longest)).toContain(`embed = "${longest}"`);
    expect(cellOf(`${longest}x`)).toMatch(/ "x{46}… /);
    expect(cellOf(`${longest}x`)).toMatch(/ embed = "x{46}…$/);
  });

  it.each([
    ['\u0085', '\\u0085'],
    ['\u007f', '\\u007f'],
    ['\u202e', '\\u202e'],
    ['\u2066', '\\u2066'],
    ['\u061c', '\\u061c'],
  ])('has %j as an escape', (character, escape) => {
    const lines = textOf({ verified: `a${character}b` });
    expect(lines.at(-1)).toBe(
      `  validations[0].expression  false  claims.verified == true  p.yaml:8:21  verified = "a${escape}b"`,
    );
  });

  it.each(['\u00a0', 'ä', '\u200d', '\u2027', '\u202f', '\u206a', '~'])('has %j unchanged', (character) => {
    expect(textOf({ verified: character }).at(-1)).toContain(`verified = "${character}"`);
  });
});
