// The texts of the demo's page and of the playground by which tests find their controls and results.

export const pageTexts = {
  getToken: 'Get a guest token',
  tokenGiven: 'A guest token with the rights that the policy allows.',
  otherPolicy: 'Policy to compare with',
  otherClaims: 'Claims to compare with',
} as const;
