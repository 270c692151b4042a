/**
 * The text of a release policy, also where it is wrapped as Key Vault shows it: `{release_policy: {data}}` of the REST API,
 * `{releasePolicy: {encodedPolicy}}` of the `az` command, or the inner object alone. The policy is base64url of its JSON there; some
 * versions of `az` print the JSON itself.
 */
export function unwrapPolicy(text: string): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return text;
  }
  if (typeof value !== 'object' || value === null || 'anyOf' in value) return text;
  const outer = value as Record<string, unknown>;
  const inner = (outer['release_policy'] ?? outer['releasePolicy'] ?? outer) as Record<string, unknown>;
  const data: unknown = inner['data'] ?? inner['encodedPolicy'];
  if (typeof data !== 'string') return text;
  return data.trimStart().startsWith('{') ? data : Buffer.from(data, 'base64url').toString('utf8');
}
