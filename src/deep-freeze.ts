// Values that nobody changes any more: claims between authentication and decision.

/** Freezes a value that came from JSON with everything in it, in place. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  // Objects from JSON inherit nothing that is enumerable, and this is the fastest way through them.
  for (const name in value) deepFreeze(value[name]);
  return value;
}
