// The page's request to the admin listener, and the part of the response that the page shows.
import type { PlacedMessage } from './editor.ts';

export interface EvaluationInput {
  readonly policy: string;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly dataApp: string | undefined;
  readonly otherClaims: Readonly<Record<string, unknown>> | undefined;
  readonly otherPolicy: string | undefined;
  readonly tests: string | undefined;
}

export interface ReadClaim {
  readonly name: string;
  readonly value?: unknown;
}

export interface Field {
  readonly path: string;
  readonly value: unknown;
  readonly expression?: string;
  readonly position?: string;
  readonly claims?: readonly ReadClaim[];
}

export interface ShownExplanation {
  readonly decision: 'permit' | 'deny';
  readonly dataApp?: string;
  readonly apiKey?: string;
  readonly requestSha256?: string;
  readonly fields?: readonly Field[];
  readonly denial?: {
    readonly code: string;
    readonly reason: string;
    readonly problem: string;
    readonly message?: string;
    readonly claim?: string;
    readonly position?: string;
    readonly rule?: { readonly path: string; readonly expression: string };
  };
}

/** `before`: the first; `after`: the one that it is compared with. Absent: the field is not sent. */
export interface FieldChange {
  readonly path: string;
  readonly direction: 'wider' | 'narrower' | 'changed';
  readonly before?: unknown;
  readonly after?: unknown;
}

export interface Evaluation {
  readonly problems: readonly PlacedMessage[];
  readonly dataApps: readonly string[];
  readonly explanation?: ShownExplanation;
  readonly other?: {
    readonly problems: readonly PlacedMessage[];
    readonly explanation?: ShownExplanation;
    readonly changes?: readonly FieldChange[];
  };
  readonly tests?: {
    readonly problems: readonly PlacedMessage[];
    readonly results: readonly {
      readonly name: string;
      readonly line: number;
      readonly passed: boolean;
      readonly differences: readonly string[];
    }[];
    readonly coveredPercent: number;
    readonly gaps: readonly PlacedMessage[];
  };
}

/** Throws an Error whose message is shown in the page. */
export async function requestEvaluation(question: EvaluationInput, signal: AbortSignal): Promise<Evaluation> {
  const response = await fetch('evaluate', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(question),
    signal,
  });
  if (!response.ok) throw new Error(`The service responded with ${response.status}. Is the text larger than 256 KiB?`);
  return (await response.json()) as Evaluation;
}
