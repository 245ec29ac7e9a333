// The sentences of src/commands and of the coverage that `test` prints.

export const commandSentences = {
  // Why Databrain's list of embeds could not be read.
  keyRefused: '{} is refused by Databrain ({})',
  redirected: '{} redirects ({}), which is not followed',
  notDatabrain: '{} does not respond like Databrain',
  requestsLimited: '{} limits our requests ({})',
  failing: '{} is failing ({})',
  answerTooLarge: '{} answers with more than 4 MiB',
  noAnswer: '{} does not answer in time',
  unreachable: '{} cannot be reached ({})',

  // What no policy test tries.
  conditionNever: 'condition of "?:" was never {} — {}',
  entryNeverSent: 'entry was never sent: no test makes this true — {}',
  entryNeverLeftOut: 'entry was never left out: no test makes this false — {}',
  validationNeverRefused: 'validation never refused — {}',
  dataAppNeverAvailable: 'data app was never available: no test makes this true — {}',
  dataAppAlwaysAvailable: 'data app was always available: no test makes this false — {}',
  dataAppNeverOpened: 'no test gets a token for {}',
} as const;
