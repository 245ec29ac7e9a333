// What counts as text that says something.

/** Something that a reader would see: not only white space, control or other invisible characters, or empty Braille. */
export const visibleText = /[^\s\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/u;

/** All the others. */
export const invisible = /[\s\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/gu;
