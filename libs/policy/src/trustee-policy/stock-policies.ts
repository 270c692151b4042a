import { hash } from 'node:crypto';

/** What a resource policy of Trustee says, where it is one of those that come with it. */
export type TrusteePolicyMeaning =
  /** Everybody reads everything. */
  | 'allow-all'
  | 'deny-all'
  /** Whatever is not of the sample attester reads everything: any genuine enclave, debug and outdated ones included. */
  | 'not-sample'
  /** All evidence is "affirming" by the attestation policy. */
  | 'affirming';

/** Largest policy that is looked at, in characters. */
export const MAX_TRUSTEE_POLICY_CHARACTERS = 256 * 1024;

/**
 * The stock policies by SHA-256 of their words, one blank between two: comments and layout are not part of it. Each has had several
 * spellings (trustee v0.8 to v0.21, sample_policies/ and the deployment files; allow_all with and without the plugin's name).
 */
const STOCK: Readonly<Record<string, TrusteePolicyMeaning>> = {
  '1fdb22359532e3757b6eae624987cfa9b571691f51fe06aec7eac32fc57d0664': 'allow-all',
  '61e0aa2dd80377a6b4c8449938cb8c20dbc012afefdb18251c4724c145f44cdc': 'allow-all',
  '277c818c6d1d2f2084c910923207356058101f565caaef431e5a06bbab4e0c53': 'allow-all',
  '85763b79f18c5376da62483d3b9cfb49fdf8aa10fe66d916b1a7ada092b80a5d': 'deny-all',
  '84bf52a2fb43271470a5752ae353210fea0c69d1341bfb13ab9ae884a505c043': 'affirming',
  '779ef6e78ee2e8527918287d9fe96331ecc5be780cd3db2eb48e8077cdf41759': 'affirming',
  '876c095c2d3cc2fd9b615991a9c1455412b387bfa4144a430a0f35ef0a8aa300': 'not-sample',
  efee0eaa893e8e553f875870e4db9d06db668fbcb112349be953ba3c753edbc7: 'not-sample',
  '4af22501e0b5a72c7788ccb567ff29898531f8093f3720b0cfb4f7216924564f': 'not-sample',
  '7349418f7765cb43236a4b37fca730403d34cf02a3c17e61b9daeb8a94ba73e1': 'not-sample',
};

/** The meaning of a stock policy; undefined for any other text, which is then not understood at all. */
export function recogniseTrusteePolicy(rego: string): TrusteePolicyMeaning | undefined {
  if (rego.length > MAX_TRUSTEE_POLICY_CHARACTERS) return undefined;
  const digest = hash('sha256', wordsOf(rego).join(' '), 'hex');
  return Object.hasOwn(STOCK, digest) ? STOCK[digest] : undefined;
}

/** Strings, names and single signs of Rego, without comments. */
function wordsOf(rego: string): string[] {
  const words = rego.match(/#[^\n]*|"(?:[^"\\\n]|\\.)*"|`[^`]*`|[A-Za-z0-9_]+|[^\sA-Za-z0-9_]/g) ?? [];
  return words.filter((word) => !word.startsWith('#'));
}
