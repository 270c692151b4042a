import { DcapError } from './error.js';
import { parseJson } from './strict-json.js';

/**
 * Everything that a verification needs besides the quote: the format of the bundle files. All members are strings.
 * `tcb_info` and `qe_identity` are the exact bytes that Intel signed; chains are PEM; signatures are r‖s in hex;
 * CRLs are DER in hex. An absent CRL is the empty string, and the verification then refuses.
 */
export interface CollateralBundle {
  readonly tcb_info: string;
  readonly tcb_info_signature: string;
  readonly tcb_info_issuer_chain: string;
  readonly qe_identity: string;
  readonly qe_identity_signature: string;
  readonly qe_identity_issuer_chain: string;
  readonly root_ca_crl: string;
  readonly pck_crl: string;
  readonly pck_crl_issuer_chain: string;
}

/** The members of a bundle, in their canonical order. */
export const COLLATERAL_FIELDS = [
  'tcb_info',
  'tcb_info_signature',
  'tcb_info_issuer_chain',
  'qe_identity',
  'qe_identity_signature',
  'qe_identity_issuer_chain',
  'root_ca_crl',
  'pck_crl',
  'pck_crl_issuer_chain',
] as const satisfies readonly (keyof CollateralBundle)[];

/** The most characters that one member of a bundle may have (a PCK CRL of ten thousand entries fits). */
export const MAX_COLLATERAL_FIELD_CHARS = 2 * 1024 * 1024;
/** The most characters of a whole bundle file. */
export const MAX_COLLATERAL_CHARS = 4 * 1024 * 1024;

const MAY_BE_ABSENT: readonly string[] = ['root_ca_crl', 'pck_crl', 'pck_crl_issuer_chain'];

/** Reads a bundle file. Throws DcapError COLLATERAL_INVALID or COLLATERAL_TOO_LARGE; ignores members it does not know. */
export function parseCollateralBundle(json: string): CollateralBundle {
  if (json.length > MAX_COLLATERAL_CHARS)
    throw new DcapError('COLLATERAL_TOO_LARGE', 'the bundle is too large');
  const root = parseJson(json, 'COLLATERAL_INVALID');
  if (!(root instanceof Map)) throw new DcapError('COLLATERAL_INVALID', 'the bundle is not a JSON object');
  return bundleOf((name) => root.get(name));
}

/** Checks that an object of the caller is a bundle. Throws as {@link parseCollateralBundle} does. */
export function checkCollateralBundle(value: unknown): CollateralBundle {
  if (typeof value !== 'object' || value === null) {
    throw new DcapError('COLLATERAL_INVALID', 'the bundle is not an object');
  }
  return bundleOf((name) =>
    Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined,
  );
}

function bundleOf(member: (name: string) => unknown): CollateralBundle {
  const read = (name: keyof CollateralBundle): string => {
    const value = member(name) ?? (MAY_BE_ABSENT.includes(name) ? '' : undefined);
    if (typeof value !== 'string') throw new DcapError('COLLATERAL_INVALID', `${name} is not a string`);
    if (value.length > MAX_COLLATERAL_FIELD_CHARS)
      throw new DcapError('COLLATERAL_TOO_LARGE', `${name} is too large`);
    return value;
  };
  return Object.fromEntries(
    COLLATERAL_FIELDS.map((name) => [name, read(name)]),
  ) as unknown as CollateralBundle;
}
