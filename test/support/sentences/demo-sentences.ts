// The sentences of the demo, and of its simulated Databrain in demo/databrain.

export const demoSentences = {
  // Problems of a request's body, in Databrain's words.
  fieldNotAllowed: '"{}" is not allowed',
  fieldRequired: '"{}" is required',
  fieldEmpty: '"{}" is not allowed to be empty',
  fieldNotString: '"{}" must be a string',
  fieldNotBoolean: '"{}" must be a boolean',
  fieldNotNumber: '"{}" must be a number',
  fieldNotPositive: '"{}" must be a positive number',
  fieldNotObject: '"{}" must be of type object',
  fieldNotArray: '"{}" must be an array',
  fieldNotStrings: '"{}" must be an array of strings',
  fieldNotTimeZone: '"{}" must be a valid IANA timezone',
  fieldWrongType: '"{}" does not match any of the allowed types',
  idUnknown: '"{}" does not exist',
  embedUnknown: '"{}" names an embed that does not exist',
  dataAppUnknown: 'Data app does not exist',
  keyOfOtherApp: 'API key does not belong to this data app',
  guestTokenExpired: 'This guest token has expired.',
  embedNotOpened: 'This guest token does not open this embed.',

  // The lines of the demo.
  realApi: 'Databrain  {}  (the real API, with the key of DATABRAIN_API_KEY)',
  notPort: '{} is not a port: use 0 to 65535.',
  proxyExited: 'The proxy exited ({}). Its message is above.',
  proxyExitedAtStart: 'The proxy exited while starting ({}). Its message is above.',
} as const;
