/** What of a Markdown page can be checked. */
export interface Page {
  /** From the root of the repository. */
  readonly path: string;
  readonly links: readonly Link[];
  /** As GitHub makes them of headings. */
  readonly anchors: ReadonlySet<string>;
  /** What stands between backticks. */
  readonly phrases: readonly Placed[];
  /** Lines of code blocks, those that end in a backslash with the next. */
  readonly code: readonly Placed[];
}

export interface Placed {
  readonly text: string;
  readonly line: number;
}

export interface Link extends Placed {
  /** Without its anchor; empty for the page itself. */
  readonly target: string;
  readonly anchor: string | undefined;
}

/** Reads a page line by line: blocks fenced or indented by four, headings with `#`, links and code within one line. */
export function readPage(path: string, markdown: string): Page {
  const links: Link[] = [];
  const anchors = new Set<string>();
  const phrases: Placed[] = [];
  const code: Placed[] = [];
  let fenced = false;
  let blank = true;
  let indented = false;
  let continued: Placed | undefined;
  markdown.split('\n').forEach((text, at) => {
    const line = at + 1;
    if (/^ *```/.test(text)) {
      fenced = !fenced;
      return;
    }
    indented = !fenced && /^ {4}\S/.test(text) && (blank || indented);
    blank = text.trim() === '';
    if (fenced || indented) {
      const placed = continued ? { ...continued, text: `${continued.text} ${text.trim()}` } : { text, line };
      continued = placed.text.endsWith('\\') ? { ...placed, text: placed.text.slice(0, -1) } : undefined;
      if (!continued) code.push(placed);
      return;
    }
    const heading = /^#{1,6} +(.+?) *$/.exec(text)?.[1];
    if (heading !== undefined) anchors.add(unique(anchorOf(heading), anchors));
    for (const [, phrase] of text.matchAll(/`([^`]+)`/g)) phrases.push({ text: phrase!, line });
    for (const [, to] of text.replace(/`[^`]*`/g, '``').matchAll(/\]\(([^)\s]+)\)/g)) {
      const [target = '', anchor] = to!.split('#');
      links.push({ text: to!, line, target, anchor });
    }
  });
  return { path, links, anchors, phrases, code };
}

function anchorOf(heading: string): string {
  return heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-');
}

function unique(anchor: string, taken: ReadonlySet<string>): string {
  if (!taken.has(anchor)) return anchor;
  for (let count = 1; ; count++) if (!taken.has(`${anchor}-${count}`)) return `${anchor}-${count}`;
}
