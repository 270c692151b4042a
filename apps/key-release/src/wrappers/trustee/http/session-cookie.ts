const NAME = 'kbs-session-id';
const VALUE = new RegExp(`(?:^|;)\\s*${NAME}=([0-9a-f]{32})\\s*(?:;|$)`);

/** The session that a `Cookie` header names. */
export function sessionOf(header: string | undefined): string | undefined {
  return header === undefined ? undefined : VALUE.exec(header)?.[1];
}

/**
 * Name, value and expiry as the real service sets them; besides, scripts do not see it, other sites do not send it, and over TLS it
 * stays there.
 */
export function cookieOf(id: string, expires: Date, secure: boolean): string {
  const attributes = `Expires=${expires.toUTCString()}; Path=/kbs/v0; HttpOnly; SameSite=Strict`;
  return `${NAME}=${id}; ${attributes}${secure ? '; Secure' : ''}`;
}
