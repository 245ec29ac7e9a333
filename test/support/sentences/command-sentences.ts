// The sentences of src/commands and of the coverage that `test` prints. The texts of `--help` are in no
// test, except a warning that must not be lost.

export const commandSentences = {
  // The lines of check.
  policyOk: 'ok: {}, revision {}, {}: {}',
  secretReadFrom: 'secret: {} was read from {}',
  keyWorks: 'live: {}: the key in {} works, {} found',
  keysFetched: 'live: {}: {} fetched',
  httpStatus: 'HTTP status {}',
  keysNotFetched: '{} its keys could not be fetched ({}): {}',

  // What check reports of tests that must pass.
  testNotPassed: 'the policy fails the test "{}"',

  // The lines of explain, and a warning of its help.
  notVerified: 'without --verify it is NOT verified',
  notJwt: 'the token is not a JWT',
  tokenVerified: 'Verified: the token of {} from {} passes every check.',
  tokenHas: 'The token has: {}',
  tokenAccepted: 'Accepted: {}',
  tokenExpired: 'Note: exp has passed. The service would respond with TOKEN_EXPIRED before the policy decides.',
  audienceMapper:
    'Keycloak: add an Audience mapper: Clients, your client, Client scopes, its dedicated scope, Add mapper, Audience',
  clockSays: 'The clock here says: {}',

  // The lines of test.
  testsOfPolicy: '{}  ({}, revision {})',
  refusalExpected: 'expected a refusal, but this would be sent:',
  coverageBelow: '{}: coverage is below {} %',
  nothingTested: 'test: there is no *.policy-test.yaml in the folder of {}. Nothing was tested.',
  junitNotWritten: 'test: the file for --junit cannot be written ({}). Try --help.',

  // The line of diff.
  noDifference: 'No difference for {} sets of claims.',

  // Problems with reading Databrain's list of embeds.
  keyRefused: '{} is refused by Databrain ({})',
  redirected: '{} redirects ({}), which is not followed',
  notDatabrain: '{} does not respond like Databrain',
  requestsLimited: '{} limits our requests ({})',
  failing: '{} is failing ({})',
  responseTooLarge: '{} responds with more than 4 MiB',
  noResponse: '{} does not respond in time',
  unreachable: '{} cannot be reached ({})',

  // Outcomes that no policy test covers.
  conditionNever: 'condition of "?:" was never {} — {}',
  entryNeverSent: 'entry was never sent: no test makes this true — {}',
  entryNeverLeftOut: 'entry was never left out: no test makes this false — {}',
  validationNeverRefused: 'validation never refused — {}',
  dataAppNeverAvailable: 'data app was never available: no test makes this true — {}',
  dataAppAlwaysAvailable: 'data app was always available: no test makes this false — {}',
  dataAppNeverOpened: 'no test gets a token for {}',
} as const;
