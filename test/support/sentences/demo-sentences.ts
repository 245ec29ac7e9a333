// The sentences of the simulated Databrain in demo/databrain.

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
} as const;
