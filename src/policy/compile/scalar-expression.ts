// What a scalar of the file says about itself: whether it is an expression, and which static types fit its place.

/** What an expression may statically be. */
export type ExpectedType = 'bool' | 'string' | 'number' | 'list';

/** Whether the checker's type can be one of these; `dyn` can be anything and is checked per decision. */
export const typeFits = (type: string, expected: readonly ExpectedType[]): boolean =>
  type.startsWith('dyn') ||
  (type === 'bool' && expected.includes('bool')) ||
  (type === 'string' && expected.includes('string')) ||
  ((type === 'int' || type === 'double') && expected.includes('number')) ||
  (/^list(?:<(?:string|dyn|[A-Z])>)?$/.test(type) && expected.includes('list'));

/** The expression inside `${ … }`, with where it begins in the scalar; undefined for a literal. */
export const expressionIn = (value: unknown): { readonly text: string; readonly offset: number } | undefined =>
  typeof value === 'string' && value.startsWith('${') && value.endsWith('}')
    ? { text: value.slice(2, -1), offset: 2 }
    : undefined;

/** Whether a text names claims or variables as an expression does: `${ }` was forgotten, and all users would get that text. */
export const readsLikeExpression = (text: string): boolean => /\b(?:claims|variables)(?:\.\??[A-Za-z_]|\[)/.test(text);

/** The type under which later expressions see a variable: what the checker knows to register, else `dyn`. */
export const registrableType = (type: string): string => {
  if (/^(?:bool|string|int|double|list|list<(?:string|bool|int|double|dyn)>)$/.test(type)) return type;
  if (type.startsWith('list')) return 'list';
  return type.startsWith('map') ? 'map' : 'dyn';
};
