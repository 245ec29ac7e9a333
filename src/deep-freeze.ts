// Makes a value immutable: the claims, after authentication.

/** Freezes a value from JSON, with everything in it, in place. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  // Objects from JSON inherit no enumerable members, and `for in` is the fastest loop over them.
  for (const name in value) deepFreeze(value[name]);
  return value;
}
