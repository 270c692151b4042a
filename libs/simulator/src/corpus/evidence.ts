import type { DcapErrorCode } from '#dcap';
import type { IssuedCertificate } from '../certificate.js';
import { chainPem, type CollateralOptions, type SimulatedBundle } from '../collateral.js';
import type { P256Key } from '../p256-key.js';
import type { PlatformOptions, QuoteRequest, SimulatedPlatform } from '../platform.js';
import { assembleQuote, type QuoteParts } from '../quote-parts.js';
import type { SimulatedSgx } from '../simulated-sgx.js';
import type { Tee } from '../tcb-documents.js';

/** Settings of the verification that a case needs besides evidence and clock. */
export interface VerificationSettings {
  graceSeconds?: number;
  minTcbEvaluationDataNumber?: number;
  /** The chain that the caller looked up for a quote that does not carry it. */
  pckCertificateChain?: string;
  /** Pins nothing of the simulator. */
  withoutSimulatedRoot?: boolean;
}

export interface Evidence {
  quote: Buffer;
  bundle: SimulatedBundle;
  at: Date;
  settings?: VerificationSettings;
}

/** Evidence that must be refused for exactly one reason, and the valid evidence that differs from it in that alone. */
export interface BrokenCase {
  /** `area/what is wrong/kind of quote`; unique. */
  name: string;
  expectedCode: DcapErrorCode;
  make(sgx: SimulatedSgx): Evidence;
  twin(sgx: SimulatedSgx): Evidence;
}

export const KINDS = {
  'sgx-v3': { tee: 'sgx', version: 3 },
  'sgx-v4': { tee: 'sgx', version: 4 },
  'sgx-v5': { tee: 'sgx', version: 5 },
  'tdx-v4': { tee: 'tdx', version: 4 },
  'td10-v5': { tee: 'tdx', version: 5, bodyType: 'td10' },
  'td15-v5': { tee: 'tdx', version: 5, bodyType: 'td15' },
} as const satisfies Record<string, QuoteRequest & { tee: Tee }>;
export type Kind = keyof typeof KINDS;
export const ALL_KINDS = Object.keys(KINDS) as Kind[];
export const TDX_KINDS: Kind[] = ['tdx-v4', 'td10-v5', 'td15-v5'];

/** A machine with a quote of one kind, and the keys that a forger in the tests may use. */
export interface Scene {
  sgx: SimulatedSgx;
  kind: Kind;
  tee: Tee;
  platform: SimulatedPlatform;
  attestationKey: P256Key;
  pckKey: P256Key;
  /** A key of nobody. */
  strangerKey: P256Key;
}

const MEASUREMENT = 'c0'.repeat(32);
const DEFAULTS = {
  sgx: {
    mrenclave: MEASUREMENT,
    mrsigner: 'd1'.repeat(32),
    isvProdId: 7,
    isvSvn: 3,
    reportData: 'e2'.repeat(64),
  },
  tdx: {
    mrtd: 'c0'.repeat(48),
    rtmrs: ['01', '02', '03', '04'].map((byte) => byte.repeat(48)),
    reportData: 'e2'.repeat(64),
  },
};

export function requestOf(kind: Kind, changes: object = {}): QuoteRequest {
  return { ...DEFAULTS[KINDS[kind].tee], ...KINDS[kind], ...changes } as QuoteRequest;
}

export function scene(sgx: SimulatedSgx, kind: Kind, platformOptions: PlatformOptions = {}): Scene {
  const { tee } = KINDS[kind];
  const platform = sgx.platform({ name: 'corpus', ...platformOptions });
  return {
    sgx,
    kind,
    tee,
    platform,
    attestationKey: platform.attestationKey(tee),
    pckKey: platform.pck.key,
    strangerKey: sgx.pki.key('a stranger'),
  };
}

export interface ValidOptions {
  platform?: PlatformOptions;
  /** Changes of the quote request, a subset of {@link QuoteRequest}. */
  request?: object;
  collateral?: CollateralOptions;
  settings?: VerificationSettings;
}

const plainEvidence = new WeakMap<SimulatedSgx, Map<Kind, Evidence>>();

/** Valid evidence of one kind. Without options it is made once for a PKI: thousands of cases start from it. */
export function valid(sgx: SimulatedSgx, kind: Kind, options: ValidOptions = {}): Evidence {
  if (Object.keys(options).length > 0) return makeValid(sgx, kind, options);
  const kept = plainEvidence.get(sgx) ?? new Map<Kind, Evidence>();
  plainEvidence.set(sgx, kept);
  const evidence = kept.get(kind) ?? makeValid(sgx, kind, options);
  kept.set(kind, evidence);
  return evidence;
}

function makeValid(sgx: SimulatedSgx, kind: Kind, options: ValidOptions): Evidence {
  const { platform, tee } = scene(sgx, kind, options.platform);
  return {
    quote: platform.quote(requestOf(kind, options.request)),
    bundle: sgx.collateral({ platform, tee, ...options.collateral }),
    at: sgx.now(),
    ...(options.settings === undefined ? {} : { settings: options.settings }),
  };
}

type QuoteEdit = (parts: QuoteParts, scene: Scene) => QuoteParts | Buffer;

/** The quote is changed; the collateral is valid. */
export function quoteCase(
  name: string,
  kind: Kind,
  expectedCode: DcapErrorCode,
  edit: QuoteEdit,
  options: ValidOptions = {},
): BrokenCase {
  return {
    name: `${name}/${kind}`,
    expectedCode,
    make: (sgx) => ({ ...valid(sgx, kind, options), quote: editedQuote(sgx, kind, edit, options) }),
    twin: (sgx) => valid(sgx, kind, options),
  };
}

export function editedQuote(
  sgx: SimulatedSgx,
  kind: Kind,
  edit: QuoteEdit,
  options: ValidOptions = {},
): Buffer {
  const made = scene(sgx, kind, options.platform);
  const edited = edit(made.platform.quoteParts(requestOf(kind, options.request)), made);
  return Buffer.isBuffer(edited) ? edited : assembleQuote(edited);
}

/** The request for the quote is changed, so that everything is signed as it says. */
export function requestCase(
  name: string,
  kind: Kind,
  expectedCode: DcapErrorCode,
  broken: ValidOptions,
  twin: ValidOptions = {},
): BrokenCase {
  return {
    name: `${name}/${kind}`,
    expectedCode,
    make: (sgx) => valid(sgx, kind, broken),
    twin: (sgx) => valid(sgx, kind, twin),
  };
}

export interface PckChain {
  leaf: IssuedCertificate;
  intermediate: IssuedCertificate;
  root: IssuedCertificate;
}

export const pckChainOf = ({ platform }: Scene): PckChain => ({
  leaf: platform.pck,
  intermediate: platform.pki[platform.ca],
  root: platform.pki.root,
});

type ChainEdit = (chain: PckChain, scene: Scene) => IssuedCertificate[] | string | Buffer;

export function chainBytes(chain: IssuedCertificate[] | string | Buffer): Buffer {
  return Array.isArray(chain) ? Buffer.from(chainPem(chain)) : Buffer.from(chain);
}

/** The PCK chain in the quote is changed; the QE report stays signed by the PCK's own key. */
export function chainCase(
  name: string,
  expectedCode: DcapErrorCode,
  edit: ChainEdit,
  kind: Kind = 'sgx-v3',
  options: ValidOptions = {},
): BrokenCase {
  return quoteCase(
    name,
    kind,
    expectedCode,
    (parts, made) => ({ ...parts, certificationData: chainBytes(edit(pckChainOf(made), made)) }),
    options,
  );
}

/** The collateral is issued differently; the quote is valid. */
export function collateralCase(
  name: string,
  expectedCode: DcapErrorCode,
  options: CollateralOptions | ((made: Scene) => CollateralOptions),
  kind: Kind = 'sgx-v3',
): BrokenCase {
  return bundleCase(
    name,
    expectedCode,
    (_, made) =>
      made.sgx.collateral({
        platform: made.platform,
        tee: made.tee,
        ...(typeof options === 'function' ? options(made) : options),
      }),
    kind,
  );
}

/** The finished bundle is changed; the quote is valid. */
export function bundleCase(
  name: string,
  expectedCode: DcapErrorCode,
  edit: (bundle: SimulatedBundle, made: Scene) => object,
  kind: Kind = 'sgx-v3',
): BrokenCase {
  return {
    name: `${name}/${kind}`,
    expectedCode,
    make: (sgx) => {
      const good = valid(sgx, kind);
      return { ...good, bundle: edit(good.bundle, scene(sgx, kind)) as SimulatedBundle };
    },
    twin: (sgx) => valid(sgx, kind),
  };
}

/** A copy with some bits of one byte flipped; a negative offset counts from the end. */
export function flipped(bytes: Uint8Array, offset: number, mask = 0x01): Buffer {
  const out = Buffer.from(bytes);
  const at = offset < 0 ? out.length + offset : offset;
  out[at] = (out[at] ?? 0) ^ mask;
  return out;
}

/** A copy with other bytes at an offset. */
export function overwritten(bytes: Uint8Array, offset: number, value: Uint8Array): Buffer {
  const out = Buffer.from(bytes);
  Buffer.from(value).copy(out, offset);
  return out;
}
