/** `$$SCONE::name[(:|.)format…][|escape(json)]$$`, as it stands in a command, an environment, a file or a field. */
export interface Placeholder {
  readonly kind: 'secret';
  /** Name of the secret, or `self::…` for what the CAS knows of the service. */
  readonly name: string;
  /** Format with its colons, `privatekey:pem`; empty where none is written. */
  readonly format: string;
  /** Whether the format was written with a dot, as in sessions before 0.3.5. */
  readonly legacy: boolean;
  readonly escapeJson: boolean;
}

export type TemplatePart = { readonly kind: 'text'; readonly text: string } | Placeholder;

export class PlaceholderError extends Error {
  override readonly name = 'PlaceholderError';
}

const START = '$$SCONE::';
const BODY =
  /^(self::[a-z_]{1,64}|[A-Za-z0-9_-]{1,128})(?:(:)([a-z0-9-]+(?::[a-z0-9-]+)*)|(\.)([a-z0-9]+))?(\|escape\(json\))?$/;
const MAX_BODY = 256;
const MAX_PLACEHOLDERS = 1_024;

/** Splits a text at its placeholders. @throws PlaceholderError for one that is not of the grammar */
export function parseTemplate(text: string): TemplatePart[] {
  const parts: TemplatePart[] = [];
  let at = 0;
  for (let start = text.indexOf(START); start !== -1; start = text.indexOf(START, at)) {
    const end = text.indexOf('$$', start + START.length);
    if (end === -1 || end - start > START.length + MAX_BODY)
      throw new PlaceholderError('"$$SCONE::" without an end');
    if (parts.length > 2 * MAX_PLACEHOLDERS)
      throw new PlaceholderError(`more than ${MAX_PLACEHOLDERS} placeholders`);
    if (start > at) parts.push({ kind: 'text', text: text.slice(at, start) });
    parts.push(placeholderOf(text.slice(start + START.length, end)));
    at = end + 2;
  }
  if (at < text.length) parts.push({ kind: 'text', text: text.slice(at) });
  return parts;
}

function placeholderOf(body: string): Placeholder {
  const [whole, name = '', , colons, dot, legacy, escape] = BODY.exec(body) ?? [];
  if (whole === undefined)
    throw new PlaceholderError(`"${body.slice(0, 40)}" is no name with an optional format`);
  return {
    kind: 'secret',
    name,
    format: colons ?? legacy ?? '',
    legacy: dot !== undefined,
    escapeJson: escape !== undefined,
  };
}

/** The one placeholder that a text consists of. */
export function wholePlaceholder(text: unknown): Placeholder | undefined {
  if (typeof text !== 'string' || !text.startsWith(START)) return undefined;
  try {
    const [only, ...more] = parseTemplate(text);
    return only?.kind === 'secret' && more.length === 0 ? only : undefined;
  } catch (error) {
    if (error instanceof PlaceholderError) return undefined;
    throw error;
  }
}
