/** What a request to the API of a Vault asks for. */
export type VaultCall =
  | { readonly kind: 'health' | 'seal-status' }
  | { readonly kind: 'login' | 'lookup-self' | 'renew-self' }
  | { readonly kind: 'mount'; readonly vault: string }
  | { readonly kind: 'read'; readonly engine: 1 | 2; readonly vault: string; readonly name: string }
  /** Nothing that is granted here; the code is for the log. */
  | { readonly kind: 'refused'; readonly code: string; readonly message: string };

export const VAULT_PREFIX = '/vault/v1/';
/** Where a session's token and proof are exchanged for a token of Vault's kind. */
export const LOGIN_PATH = '/vault/v1/auth/siegel/login';

const MAX_PATH = 1_024;
const VAULT = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const NAME = /^[A-Za-z0-9_.-]{1,128}$/;
const READING = new Set(['GET', 'HEAD']);
const WRITING = new Set(['POST', 'PUT']);
/** Paths that belong to Vault itself, whatever vaults are called. */
const OWN = new Set(['auth', 'sys', 'identity', 'cubbyhole']);

/** Reads method and path of a request (api-docs of Vault: system, token, KV v1 and v2). Never throws. */
export function vaultCallOf(method: string, url: string): VaultCall {
  const question = url.indexOf('?');
  const path = url.slice(VAULT_PREFIX.length, question < 0 ? undefined : question);
  const query = new URLSearchParams(question < 0 ? '' : url.slice(question + 1));
  if (path.length > MAX_PATH) return refused('VAULT_PATH_UNKNOWN', 'the path is too long');
  const own = ownCall(method, path.replace(/\/$/, ''));
  if (own) return own;
  const parts = path.split('/');
  const [first = '', ...rest] = parts;
  if (OWN.has(first)) return refused('VAULT_PATH_UNKNOWN', 'this call of Vault is not served');
  if (query.has('list') || method === 'LIST')
    return refused('VAULT_READ_ONLY', 'secrets are read by name; lists are not given');
  if (!READING.has(method)) return refused('VAULT_READ_ONLY', 'secrets are read; nothing is written here');
  const [area, name] = rest.length === 1 ? [undefined, rest[0]] : rest;
  const engine = rest.length === 1 ? 1 : 2;
  if (rest.length > 2 || (engine === 2 && area !== 'data') || !VAULT.test(first) || !NAME.test(name ?? ''))
    return refused('VAULT_PATH_UNKNOWN', 'the path is neither vault/name nor vault/data/name');
  const version = query.get('version') ?? '0';
  if (version !== '0')
    return refused(
      'VAULT_VERSION_UNKNOWN',
      'versions have no numbers here: leave "version" out for the granted one',
    );
  return { kind: 'read', engine, vault: first, name: name! };
}

function ownCall(method: string, path: string): VaultCall | undefined {
  const reads = READING.has(method);
  const writes = WRITING.has(method);
  switch (path) {
    case 'sys/health':
      return reads ? { kind: 'health' } : undefined;
    case 'sys/seal-status':
      return reads ? { kind: 'seal-status' } : undefined;
    case 'auth/siegel/login':
      return writes ? { kind: 'login' } : undefined;
    case 'auth/token/lookup-self':
      return reads || writes ? { kind: 'lookup-self' } : undefined;
    case 'auth/token/renew-self':
      return writes ? { kind: 'renew-self' } : undefined;
  }
  const [, vault] = /^sys\/internal\/ui\/mounts\/([^/]+)(?:\/.*)?$/.exec(path) ?? [];
  return reads && vault !== undefined && VAULT.test(vault) && !OWN.has(vault)
    ? { kind: 'mount', vault }
    : undefined;
}

const refused = (code: string, message: string): VaultCall => ({ kind: 'refused', code, message });
