/** A place in a session template that something else fills in before the session is posted. */
const PATTERN =
  /\$\$SCONE::[^$\n]*\$\$|\$\{([A-Za-z_]\w*)\}|\$([A-Za-z_]\w*)|\{\{\s*\.?([A-Za-z_][\w.]*)\s*\}\}|__([A-Z][A-Z0-9_]*?)__/g;
/** Names asked for at most; a file with more of them is no template. */
const MAX_NAMES = 256;

export interface FilledTemplate {
  readonly text: string;
  /** Names without a value, as they stand in the text, each once: `$CAS_URL`, `{{ name }}`, `__PREDECESSOR__`. */
  readonly missing: readonly { readonly name: string; readonly written: string }[];
}

/**
 * Fills in what shells (`$VAR`, `${VAR}`), template engines (`{{ x }}`) and `sed` (`__X__`) fill in before a session is posted. What
 * has no value stays as it is and is named, never guessed; SCONE's own `$$SCONE::…$$` is left alone, and so are comments.
 */
export function fillTemplate(text: string, values: ReadonlyMap<string, string>): FilledTemplate {
  const missing = new Map<string, string>();
  const lines = text.split('\n').map((line) => {
    if (/^\s*#/.test(line)) return line;
    return line.replace(PATTERN, (written: string, ...groups: (string | undefined)[]) => {
      const name = groups.slice(0, 4).find((group) => group !== undefined);
      if (name === undefined) return written;
      const value = values.get(name);
      if (value !== undefined) return value;
      if (missing.size < MAX_NAMES) missing.set(written, name);
      return written;
    });
  });
  return { text: lines.join('\n'), missing: [...missing].map(([written, name]) => ({ name, written })) };
}
