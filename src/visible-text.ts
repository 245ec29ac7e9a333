// Whether text has anything visible.

/** White space, control and other invisible characters, and the empty Braille pattern. */
const hidden = String.raw`\s\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800`;

export const visibleText = new RegExp(`[^${hidden}]`, 'u');

export const invisible = new RegExp(`[${hidden}]`, 'gu');
