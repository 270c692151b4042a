/** Bounds of a policy document. They are checked before or while the text is read, never after. */
export const DOCUMENT_LIMITS = {
  /** Size of the text in UTF-8. */
  bytes: 256 * 1024,
  /** Mappings and lists inside one another. */
  depth: 24,
  /** Values, counting those that an alias repeats each time, so that an alias bomb ends here. */
  nodes: 50_000,
  /** Pieces of syntax (names, punctuation, line ends, comments): what the time to read a text goes by, about 1 µs each. */
  lexemes: 100_000,
  /** Findings reported for one document; what comes after is summed up in one finding. */
  problems: 100,
} as const;
