import {
  parseCertificate,
  parseCollateralBundle,
  parseCrl,
  parseJson,
  parsePckCertificate,
  parseQeIdentity,
  parseQuote,
  parseSgxExtension,
  parseTcbInfo,
  readName,
  splitPemChain,
  splitSignedDocument,
  stripOpenEnclaveHeader,
  trustAnchorFromPem,
  verifyQuote,
  type CollateralBundle,
} from '#dcap';
import {
  EmAppError,
  embeddedCertificates,
  EvidenceError,
  localAttestation,
  openAttestationCertificate,
  parseRaTlsCertificate,
  readEmAppRequest,
} from '#evidence';
import { marblerun } from '#policy';
import { issueCrl, SimulatedSgx, type QuoteRequest, type SimulatedBundle } from '#simulator';
import { anjunaTargets } from './anjuna-targets.js';
import { activationTargets } from './activation-targets.js';
import { emAppRequests } from './em-app-seeds.js';
import { maaTargets } from './maa-targets.js';
import { marbleRunManifests } from './marblerun-seeds.js';
import { raTlsCertificates } from './ra-tls-seeds.js';
import { writeNumber, type Mutation } from './byte-mutations.js';
import { mutateDer } from './der-mutations.js';
import { insertWord, mutateJson, mutateLines, repeatKey } from './text-mutations.js';
import { sconeTargets } from './scone-targets.js';
import { trusteeTargets } from './trustee-targets.js';

/** One parser under test. */
export interface Target {
  name: string;
  /** Valid inputs to start from. */
  seeds: Buffer[];
  /** Mutations that know the format; the others are added. */
  mutations: Mutation[];
  /** May throw DcapError only. A returned text is the outcome, where it is no throw. */
  run(input: Buffer): string | void;
  /** Share of the inputs that the target gets: the whole verification costs much more than a parser. */
  share: number;
}

const NOW = new Date('2026-03-01T12:00:00Z');
const REQUESTS: QuoteRequest[] = [
  { version: 3 },
  { version: 4 },
  { version: 5 },
  { tee: 'tdx', version: 4 },
  { tee: 'tdx', version: 5, bodyType: 'td10' },
  { tee: 'tdx', version: 5, bodyType: 'td15' },
  ...([1, 2, 3, 4, 7] as const).map((certificationType) => ({ version: 3 as const, certificationType })),
  { version: 5, certificationType: 3 },
];

/** The length and type fields of a quote, whose places follow from its version and body. */
const mutateQuoteFields: Mutation = (input, _, random) => {
  if (input.length < 1020) return input;
  const version = input.readUInt16LE(0);
  const bodyStart = version === 5 ? 54 : 48;
  const bodies = input.readUInt32LE(4) === 0 ? [384] : version === 5 ? [584, 648] : [584];
  const auth = bodyStart + random.pick(bodies);
  const report = auth + 4 + 128 + (version === 3 ? 0 : 6);
  const authDataLength = report + 448;
  const certification =
    authDataLength + 2 + (authDataLength + 2 <= input.length ? input.readUInt16LE(authDataLength) : 0);
  const fields: [number, 2 | 4][] = [
    [0, 2],
    [2, 2],
    [4, 4],
    [48, 2],
    [50, 4],
    [auth, 4],
    [auth + 132, 2],
    [auth + 134, 4],
    [authDataLength, 2],
    [certification, 2],
    [certification + 2, 4],
  ];
  return writeNumber(input, ...random.pick(fields), random);
};

const derOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes);
const text = (value: string): Buffer => Buffer.from(value);

/** Where an extension's contents start: behind its OID and the header of its OCTET STRING. */
function sgxExtensionOf(certificate: Buffer): Buffer {
  const id = Buffer.from('06092a864886f84d010d01', 'hex');
  const at = certificate.indexOf(id) + id.length;
  return certificate.subarray(at + 4, at + 4 + certificate.readUInt16BE(at + 2));
}

/** Builds every target from one simulated PKI, which is the same for the same seed. */
export function buildTargets(seed: string): Target[] {
  const sgx = SimulatedSgx.create({ seed, now: NOW });
  const platform = sgx.platform();
  const processor = sgx.platform({ ca: 'processor' });
  const { pki } = sgx;
  const quotes = REQUESTS.map((request) => platform.quote({ ...request, deterministic: true }));
  const certificates = [
    pki.root,
    pki.platform,
    pki.processor,
    pki.tcbSigner,
    platform.pck,
    processor.pck,
  ].map(({ der }) => derOf(der));
  const bundles: SimulatedBundle[] = [
    sgx.collateral({ platform }),
    sgx.collateral({ platform, tee: 'tdx' }),
    sgx.collateral({ platform: processor, tcbInfoVersion: 2 }),
  ];
  const revoking = sgx.collateral({
    platform,
    revokedPcks: [platform.pck.profile.serial, Buffer.from([1]), Buffer.alloc(20, 0x7f)],
  });
  const crls = [...bundles, revoking]
    .flatMap((bundle) => [bundle.root_ca_crl, bundle.pck_crl])
    .map((hex) => Buffer.from(hex, 'hex'));
  const minimal = issueCrl({ ...crlOf(sgx), extensions: [], nextUpdate: null });
  const chains = [
    platform.chainPem,
    `${platform.chainPem}\0`,
    ...bundles.map((bundle) => bundle.tcb_info_issuer_chain),
  ].map(text);
  const trustAnchors = [trustAnchorFromPem(sgx.rootPem, { id: 'fuzz', simulated: true, profile: 'intel' })];
  const json = [mutateJson, mutateJson, mutateJson, repeatKey, insertWord];
  const der = [mutateDer, mutateDer, mutateDer];

  return [
    {
      name: 'quote',
      seeds: quotes,
      mutations: [mutateQuoteFields, mutateQuoteFields],
      run: (input) => void parseQuote(input),
      share: 1,
    },
    {
      name: 'evidence',
      seeds: quotes.map((quote) => Buffer.concat([openEnclaveHeader(quote.length), quote])),
      mutations: [(input, _, random) => writeNumber(input, random.below(4) * 4, 4, random)],
      run: (input) => void parseQuote(stripOpenEnclaveHeader(input)),
      share: 1,
    },
    {
      name: 'certificate',
      seeds: certificates,
      mutations: der,
      run: (input) => void parseCertificate(input),
      share: 1,
    },
    {
      name: 'ra-tls-certificate',
      seeds: raTlsCertificates(seed, quotes[0] as Buffer),
      mutations: der,
      run: (input) => {
        try {
          parseRaTlsCertificate(input);
          return undefined;
        } catch (error) {
          if (error instanceof EvidenceError) return error.code;
          throw error;
        }
      },
      share: 1,
    },
    {
      name: 'em-app-request',
      seeds: emAppRequests(seed, quotes[0] as Buffer),
      mutations: der,
      run: (input) => {
        try {
          return readBothAttestations(input);
        } catch (error) {
          if (error instanceof EmAppError) return error.code;
          throw error;
        }
      },
      share: 1,
    },
    {
      name: 'marblerun-manifest',
      seeds: marbleRunManifests(),
      mutations: json,
      run: (input) =>
        marblerun
          .lintMarbleRunManifest(input)
          .flatMap(({ severity, code, message }) =>
            severity === 'error' ? `${code} ${message.slice(0, 24)}` : [],
          )
          .join(' ') || undefined,
      share: 1,
    },
    ...activationTargets(quotes[0] as Buffer, der),
    ...anjunaTargets([mutateLines, insertWord], der),
    ...maaTargets(quotes[0] as Buffer, json),
    ...sconeTargets(json),
    ...trusteeTargets(seed, quotes[0] as Buffer, json),
    {
      name: 'pck-certificate',
      seeds: certificates.slice(4),
      mutations: der,
      run: (input) => void parsePckCertificate(input),
      share: 1,
    },
    {
      name: 'sgx-extension',
      seeds: certificates.slice(4).map(sgxExtensionOf),
      mutations: der,
      run: (input) => void parseSgxExtension(input),
      share: 1,
    },
    {
      name: 'name',
      seeds: [pki.root, pki.platform].map(({ profile }) => profile.subject),
      mutations: der,
      run: (input) => void readName(input),
      share: 1,
    },
    {
      name: 'crl',
      seeds: [...crls, minimal],
      mutations: der,
      run: (input) => void parseCrl(input),
      share: 1,
    },
    {
      name: 'pem-chain',
      seeds: chains,
      mutations: [mutateLines, mutateLines, mutateLines, insertWord],
      run: (input) => void splitPemChain(input),
      share: 1,
    },
    {
      name: 'json',
      seeds: bundles.map((bundle) => text(bundle.qe_identity)),
      mutations: json,
      run: (input) => void parseJson(input.toString('utf8'), 'COLLATERAL_INVALID'),
      share: 1,
    },
    {
      name: 'tcb-info',
      seeds: bundles.map((bundle) => text(bundle.tcb_info)),
      mutations: json,
      run: (input) => void parseTcbInfo(input.toString('utf8')),
      share: 1,
    },
    {
      name: 'qe-identity',
      seeds: bundles.map((bundle) => text(bundle.qe_identity)),
      mutations: json,
      run: (input) => void parseQeIdentity(input.toString('utf8')),
      share: 1,
    },
    {
      name: 'signed-document',
      seeds: bundles.map((bundle) =>
        text(`{"tcbInfo":${bundle.tcb_info},"signature":"${bundle.tcb_info_signature}"}`),
      ),
      mutations: json,
      run: (input) => void splitSignedDocument(input.toString('utf8'), 'tcbInfo'),
      share: 1,
    },
    {
      name: 'bundle',
      seeds: bundles.map((bundle) => text(JSON.stringify(bundle))),
      mutations: json,
      run: (input) => void parseCollateralBundle(input.toString('utf8')),
      share: 1,
    },
    {
      name: 'verify-quote',
      seeds: quotes,
      mutations: [mutateQuoteFields, mutateQuoteFields],
      run: (input) =>
        verifyQuote(input, bundles[0] as CollateralBundle, { at: NOW, trustAnchors }).error?.code ??
        'verified',
      share: 0.1,
    },
    {
      name: 'verify-collateral',
      seeds: bundles.map((bundle) => text(JSON.stringify(bundle))),
      mutations: json,
      run: (input) => {
        const bundle = parseCollateralBundle(input.toString('utf8'));
        return verifyQuote(quotes[0] as Buffer, bundle, { at: NOW, trustAnchors }).error?.code ?? 'verified';
      },
      share: 0.1,
    },
  ];
}

/** A request has one of the two attributes; both readers see every input. Neither read: the reason of the second. */
function readBothAttestations(input: Buffer): undefined {
  const request = readEmAppRequest(input);
  try {
    localAttestation(request);
  } catch (error) {
    if (!(error instanceof EmAppError)) throw error;
    openAttestationCertificate(embeddedCertificates(request).app);
  }
  return undefined;
}

function openEnclaveHeader(length: number): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(1, 0);
  header.writeUInt32LE(2, 4);
  header.writeUInt32LE(length, 8);
  return header;
}

function crlOf({ pki }: SimulatedSgx): Parameters<typeof issueCrl>[0] {
  return {
    version: 1,
    issuer: pki.root.profile.subject,
    thisUpdate: NOW,
    nextUpdate: null,
    revoked: [],
    extensions: [],
    innerAlgorithm: pki.root.profile.innerAlgorithm,
    outerAlgorithm: pki.root.profile.outerAlgorithm,
    signer: pki.root.key,
  };
}
