/**
 * The `htu` of a request: scheme, authority and path, normalised as RFC 9449 §4.3 advises (RFC 3986 §6.2.2 and
 * §6.2.3): scheme and host in lower case, default port and dot segments removed, percent-encoding in upper case and
 * only where needed; without query and fragment. Undefined for what is not an absolute http(s) URL, carries
 * credentials, or is longer than 2048 characters.
 */
export function normaliseHtu(url: string): string | undefined {
  if (typeof url !== 'string' || url.length > 2048) return undefined;
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    return undefined;
  }
  const web = parsed.protocol === 'https:' || parsed.protocol === 'http:';
  if (!web || parsed.username !== '' || parsed.password !== '') return undefined;
  const path = parsed.pathname.replace(/%([0-9a-fA-F]{2})/g, (encoded, hex: string) => {
    const character = String.fromCharCode(parseInt(hex, 16));
    return /[A-Za-z0-9\-._~]/.test(character) ? character : encoded.toUpperCase();
  });
  return `${parsed.protocol}//${parsed.host}${path}`;
}
