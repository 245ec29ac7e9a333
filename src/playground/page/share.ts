// Stores the content of the editors in the URL fragment, which browsers do not send: deflated JSON in base64url.

export interface Scratch {
  readonly policy: string;
  readonly claims: string;
  readonly tests: string;
  readonly otherPolicy: string;
  readonly otherClaims: string;
}

const names = ['policy', 'claims', 'tests', 'otherPolicy', 'otherClaims'] as const;

async function through(bytes: Uint8Array<ArrayBuffer>, stream: CompressionStream | DecompressionStream) {
  const piped = new Blob([bytes]).stream().pipeThrough(stream);
  return new Uint8Array(await new Response(piped).arrayBuffer());
}

export async function toFragment(scratch: Scratch): Promise<string> {
  const bytes = await through(new TextEncoder().encode(JSON.stringify(scratch)), new CompressionStream('deflate-raw'));
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/** Undefined if this page did not create the fragment. */
export async function fromFragment(fragment: string): Promise<Scratch | undefined> {
  if (fragment.length < 2) return undefined;
  try {
    const binary = atob(fragment.replace(/^#/, '').replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    const text = new TextDecoder().decode(await through(bytes, new DecompressionStream('deflate-raw')));
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const entries = names.map((name) => [name, (value as Record<string, unknown>)[name]] as const);
    return entries.every(([, one]) => typeof one === 'string')
      ? (Object.fromEntries(entries) as unknown as Scratch)
      : undefined;
  } catch {
    return undefined;
  }
}
