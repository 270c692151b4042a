import { KbsError } from '../protocol/kbs-error.js';

const PREFIX = '/kbs/v0/';
/** Each part of a resource's name, as the protocol has it. */
const NAME = /^[A-Za-z0-9_-][A-Za-z0-9_.-]*$/;
const MAX_URL_CHARACTERS = 2_048;

export type Target =
  | { readonly kind: 'health' }
  | { readonly kind: 'auth' | 'attest' }
  /** `repository/type/tag`. */
  | { readonly kind: 'resource'; readonly path: string }
  | { readonly kind: 'policy'; readonly which: 'resource-policy' | 'attestation-policy' }
  | { readonly kind: 'reference-value' };

/**
 * What a request is about. Slashes that stand together count as one: some clients write `resource//a/b/c` for a path without a scheme.
 * Nothing is percent-decoded, since no name needs it. @throws KbsError 404
 */
export function targetOf(url: string): Target {
  if (url.length > MAX_URL_CHARACTERS) throw unknown();
  const end = url.indexOf('?');
  const raw = end < 0 ? url : url.slice(0, end);
  const path = raw.includes('//') ? raw.replace(/\/{2,}/g, '/') : raw;
  if (path === '/healthz') return { kind: 'health' };
  if (!path.startsWith(PREFIX)) throw unknown();
  const [first, ...rest] = path.slice(PREFIX.length).split('/');
  switch (first) {
    case 'auth':
    case 'attest':
      if (rest.length === 0) return { kind: first };
      break;
    case 'resource':
      if (rest.length === 3 && rest.every((name) => NAME.test(name)))
        return { kind: 'resource', path: rest.join('/') };
      break;
    case 'resource-policy':
    case 'attestation-policy':
      if (rest.length <= 1) return { kind: 'policy', which: first };
      break;
    case 'reference-value':
      if (rest.length <= 1) return { kind: 'reference-value' };
      break;
    default:
      if (first !== undefined && NAME.test(first))
        throw new KbsError(
          404,
          'PluginNotFound',
          `there is no plugin "${first.slice(0, 64)}" here; "resource" is`,
        );
  }
  throw unknown();
}

const unknown = (): KbsError =>
  new KbsError(
    404,
    'InvalidRequestPath',
    'not a path of this protocol: /kbs/v0/resource/<repository>/<type>/<tag>',
  );
