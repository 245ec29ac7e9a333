// Parses `Retry-After` (RFC 9110 §10.2.3): whole seconds or an HTTP date. Anything else counts as absent.

/** The maximum: longer values than the vendor's rate window are cut. */
export const maxRetryAfterMs = 120_000;

/** The three forms of RFC 9110 §5.6.7. Date.parse alone also accepts junk. */
const httpDates = [
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/,
];

/**
 * Milliseconds to wait from now, between 0 (a date in the past) and {@link maxRetryAfterMs}; undefined for junk.
 * @param nowMs wall time in milliseconds since the epoch, for dates
 */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  const text = value?.trim() ?? '';
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1000, maxRetryAfterMs);
  if (!httpDates.some((form) => form.test(text))) return undefined;
  const at = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(at) ? undefined : Math.min(Math.max(0, at - nowMs), maxRetryAfterMs);
}
