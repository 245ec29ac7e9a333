// The texts of the demo's page and of the playground by which tests find their controls and results.

export const pageTexts = {
  getToken: 'Get a guest token',
  tokenGiven: 'A guest token with the rights that the policy allows.',
  otherPolicy: 'Policy to compare with',
  otherClaims: 'Claims to compare with',
  policyDoesNotLoad: 'The policy does not load',
  reloadPage: 'Reload the page to see this dashboard.',
  componentNotLoaded: 'The component cannot be loaded.',
} as const;
