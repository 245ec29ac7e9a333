// The policy of many tests: one data app, the customer from a claim.
export const salesPolicy = `version: 1
dataApps:
  sales-dashboard:
    default: true
    expiresIn: 1h
    request:
      clientId: \${claims.org_id}
      params:
        allowedEmbeds: [sales-overview]
`;
