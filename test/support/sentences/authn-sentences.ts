export const authnSentences = {} as const;
