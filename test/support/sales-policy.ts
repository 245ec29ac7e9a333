// The policy of many tests: one data app, the customer from a claim.

/** With another customer or a user, as YAML. */
export const salesPolicyWith = ({ clientId = '${claims.org_id}', userIdentifier = '' }): string => `version: 1
dataApps:
  sales-dashboard:
    default: true
    expiresIn: 1h
    request:
      clientId: ${clientId}
      params:${userIdentifier === '' ? '' : `\n        userIdentifier: ${userIdentifier}`}
        allowedEmbeds: [sales-overview]
`;

export const salesPolicy = salesPolicyWith({});
