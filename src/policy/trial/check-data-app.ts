// Compares the ids in a data app of the policy with Databrain's listing for its key. Embed ids and dashboard ids are
// often confused, so there is a message for that.
import { didYouMean } from '../../did-you-mean.ts';
import type { Problem } from '../../problem.ts';
import type { DataAppPolicy, Reference } from '../policy.ts';

/** What `GET /api/v2/data-app/embeds` lists for one key. */
export interface EmbedsListing {
  readonly embedIds: ReadonlySet<string>;
  readonly dashboardIds: ReadonlySet<string>;
  /** Names of the data apps that the embeds belong to; empty if the listing has none. */
  readonly dataAppNames: ReadonlySet<string>;
}

function checkReference({ kind, id, position }: Reference, listing: EmbedsListing): Problem | undefined {
  if (kind === 'metric') return undefined;
  const [own, other] =
    kind === 'embed' ? [listing.embedIds, listing.dashboardIds] : [listing.dashboardIds, listing.embedIds];
  if (own.has(id)) return undefined;
  if (other.has(id)) {
    return kind === 'embed'
      ? {
          location: position,
          problem: `"${id}" is a dashboard id, but allowedEmbeds takes embed ids`,
          fix: 'Put the id of the embed that shows this dashboard here',
        }
      : {
          location: position,
          problem: `"${id}" is an embed id, but dashboardId takes a dashboard id`,
          fix: 'Put the id of the dashboard that this embed shows here',
        };
  }
  return {
    location: position,
    problem: `the data app has no ${kind} "${id}"`,
    fix: didYouMean(id, own, 'Create it in Databrain or correct the id'),
  };
}

/** Names from Databrain's response, safe for a terminal. */
const named = (names: ReadonlySet<string>): string =>
  [...names]
    .slice(0, 3)
    .map((name) => JSON.stringify(name.slice(0, 100)))
    .join(' or ');

/** The problems of a data app by the listing of its key. Metric ids are not listed, so not checked. */
export function checkDataApp(dataApp: DataAppPolicy, listing: EmbedsListing): readonly Problem[] {
  if (listing.dataAppNames.size > 0 && !listing.dataAppNames.has(dataApp.name)) {
    return [
      {
        location: dataApp.position,
        problem: `the key in ${dataApp.apiKeyName} belongs to the data app ${named(listing.dataAppNames)}, not to "${dataApp.name}"`,
        fix: `Correct the data app's name, or its apiKey, or the key in ${dataApp.apiKeyName}`,
      },
    ];
  }
  return dataApp.references.flatMap((reference) => checkReference(reference, listing) ?? []);
}
