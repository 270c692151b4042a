/** What a request is for. Segments of names hold `/`, values hold `=` and `,`; so they are read by hand. */
export type Target =
  | { readonly kind: 'set' | 'attest' | 'health' }
  | { readonly kind: 'text'; readonly session: string }
  | { readonly kind: 'session'; readonly session: string; readonly hash: string | undefined }
  | { readonly kind: 'values'; readonly session: string; readonly secret: string | undefined };

const MAX_PATH = 2_048;

/** Undefined for what is not served. */
export function targetOf(url: string): Target | undefined {
  if (url.length > MAX_PATH) return undefined;
  const [rawPath = '', query = ''] = url.split('?', 2);
  let path: string;
  try {
    path = decodeURIComponent(rawPath);
  } catch {
    return undefined;
  }
  if (path === '/session' || path === '/v1/sessions') return { kind: 'set' };
  if (path === '/siegel/v1/attest') return { kind: 'attest' };
  if (path === '/health/live') return { kind: 'health' };
  const text = after(path, '/session/');
  if (text !== undefined) return { kind: 'text', session: text };
  const session = after(path, '/v1/sessions/');
  if (session !== undefined) {
    const hash = new URLSearchParams(query).get('hash') ?? undefined;
    return { kind: 'session', session, hash };
  }
  const [, name, secret] = /^\/v1\/values\/session=([^,=]+)(?:,secret=([^,=]+))?$/.exec(path) ?? [];
  return name === undefined ? undefined : { kind: 'values', session: plain(name), secret };
}

/** Names are written with and without a leading slash. */
const plain = (name: string): string => name.replace(/^\//, '');

function after(path: string, prefix: string): string | undefined {
  return path.startsWith(prefix) && path.length > prefix.length
    ? plain(path.slice(prefix.length))
    : undefined;
}
