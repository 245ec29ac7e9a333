// The vendor's web component from npm, with its three addresses replaced, so that no request leaves this
// machine: the API, a check whether the browser is online, and a style sheet with fonts.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const packageName = '@databrainhq/plugin';

function replaceOnce(text: string, pattern: RegExp, replacement: string): string {
  const { length } = text.match(pattern) ?? [];
  if (length !== 1)
    throw new Error(`${packageName} is not the version that the demo knows: ${length ?? 0} × ${pattern.source}`);
  return text.replace(pattern, () => replacement);
}

/**
 * @param apiUrl of the simulated Databrain
 * @returns the component as an ES module; undefined if the package is not installed
 */
export function readVendorComponent(apiUrl: string): string | undefined {
  let text: string;
  try {
    text = readFileSync(fileURLToPath(import.meta.resolve(`${packageName}/web`)), 'utf8');
  } catch {
    return undefined;
  }
  text = replaceOnce(text, /https:\/\/[a-z0-9]+\.lambda-url\.[a-z0-9-]+\.on\.aws/g, apiUrl);
  text = replaceOnce(text, /https:\/\/jsonplaceholder\.typicode\.com\/todos\/1/g, `${apiUrl}/simulated/online`);
  return replaceOnce(text, /@import"https:\/\/[^"]*";/g, '');
}
