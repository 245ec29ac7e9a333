// Creates a first policy for a real data app from its list of embeds, so that the demo needs only an API key.

interface Listing {
  readonly dataAppName: string;
  readonly embedIds: readonly string[];
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

function readListing(answer: unknown): Listing | undefined {
  const data = isRecord(answer) && Array.isArray(answer['data']) ? (answer['data'] as unknown[]) : [];
  const embeds = data.filter(isRecord).flatMap(({ embedId, embedMetadata }) => {
    const dataAppName = isRecord(embedMetadata) ? embedMetadata['dataAppName'] : undefined;
    return typeof embedId === 'string' && typeof dataAppName === 'string' ? [{ embedId, dataAppName }] : [];
  });
  const dataAppName = embeds[0]?.dataAppName;
  if (dataAppName === undefined) return undefined;
  return {
    dataAppName,
    embedIds: embeds.filter((embed) => embed.dataAppName === dataAppName).map(({ embedId }) => embedId),
  };
}

/** Requests the embeds of the key's data app from Databrain; mints nothing. Undefined: there was no usable answer. */
export async function listEmbeds(apiUrl: string, apiKey: string): Promise<Listing | undefined> {
  try {
    const response = await fetch(`${apiUrl.replace(/\/$/, '')}/api/v2/data-app/embeds`, {
      headers: { authorization: `Bearer ${apiKey}`, accept: 'application/json' },
      redirect: 'error',
      signal: AbortSignal.timeout(5_000),
    });
    return readListing(await response.json());
  } catch {
    return undefined;
  }
}

/** The text of a policy that opens only these embeds, for each tenant. */
export const toPolicy = ({ dataAppName, embedIds }: Listing): string =>
  JSON.stringify({
    version: 1,
    dataApps: {
      [dataAppName]: {
        default: true,
        expiresIn: '1h',
        request: {
          clientId: '${claims.org_id}',
          params: { userIdentifier: '${claims.sub}', allowedEmbeds: embedIds },
        },
      },
    },
  });
