// The program's version. A test compares it with package.json.
export const version = '0.1.0';

/** The oldest Node.js that can run the program. A test compares it with package.json. */
export const oldestNode = '22.19';
