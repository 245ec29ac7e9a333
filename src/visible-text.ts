// What counts as text that says something.

/** White space, control and other invisible characters, empty Braille: nothing that a reader would see. */
const hidden = String.raw`\s\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800`;

export const visibleText = new RegExp(`[^${hidden}]`, 'u');

export const invisible = new RegExp(`[${hidden}]`, 'gu');
