// The service that many tests need: one issuer with a secret, one data app at a simulated Databrain, and its users.
import { startSimulatedDatabrain, type SimulatedDatabrain } from '../../../demo/databrain/start-simulated-databrain.ts';
import { programPath } from './program-path.ts';
import { startProgram, type Program } from './program.ts';
import { salesPolicy } from '../sales-policy.ts';
import { signToken } from '../sign-token.ts';

export const secret = 'the secret of the sales service: 32 bytes or more';
export const apiKey = '3a0e3c5e-90fe-4a9d-b9a1-11d2d6e0a5b7';
export const policyFile = { 'policy.yaml': salesPolicy };

export const startDatabrain = (
  options: Pick<Parameters<typeof startSimulatedDatabrain>[0], 'rateLimit' | 'delayMs'> = {},
): Promise<SimulatedDatabrain> =>
  startSimulatedDatabrain({ apiKeys: { 'sales-dashboard': apiKey }, embeds: 'any', ...options });

/** The settings that every start needs, except the policy. */
export const settingsFor = (databrain: SimulatedDatabrain): Readonly<Record<string, string>> => ({
  JWT_ISSUER: 'https://issuer.example',
  JWT_AUDIENCE: 'guest-token',
  JWT_SECRET: secret,
  DATABRAIN_API_URL: databrain.url,
  DATABRAIN_API_KEY: apiKey,
});

export const startService = (
  databrain: SimulatedDatabrain,
  env: Readonly<Record<string, string>> = {},
  nodeArgs: readonly string[] = [],
): Promise<Program> =>
  startProgram({ path: programPath(), env: { ...settingsFor(databrain), ...env }, files: policyFile, nodeArgs });

/** An access token of a user who may see the sales of acme. */
export function accessToken(claims: object = {}): string {
  const now = Math.floor(Date.now() / 1000);
  const usual = { iss: 'https://issuer.example', aud: 'guest-token', sub: 'u1', org_id: 'acme' };
  return signToken('HS256', secret, { ...usual, iat: now, exp: now + 600, ...claims });
}

export const bearer = (claims: object = {}): { readonly authorization: string } => ({
  authorization: `Bearer ${accessToken(claims)}`,
});
