import type { IssuedCertificate } from './certificate.js';
import { chainPem } from './collateral.js';
import { fixedBytes, u16le, type BytesLike } from './fixed-bytes.js';
import { P256Key } from './p256-key.js';
import type { PckCa, SimulatedPki } from './pki.js';
import {
  assembleQuote,
  certificationBlock,
  encodeHeader,
  INTEL_QE_VENDOR,
  qeReportData,
  signedRegion,
  TEE_TYPE,
  type QuoteHeader,
  type QuoteParts,
  type QuoteVersion,
} from './quote-parts.js';
import {
  sgxAttributes,
  sgxReportBody,
  SGX_FLAGS,
  tdReportBody,
  type SgxReportFields,
  type TdBodyType,
  type TdReportFields,
} from './report-bodies.js';
import type { SeededBytes } from './seeded-bytes.js';
import type { PlatformDescription } from './sgx-extension.js';
import {
  LEVEL_PCE_SVN,
  LEVEL_SVN,
  MODULE_SVN,
  QE_MRSIGNER,
  QE_PROD_ID,
  QE_SVN,
  sgxComponents,
  tdxComponents,
  type ComponentStatus,
  type PlatformStatus,
  type Tee,
} from './tcb-documents.js';
import { SimulatorError } from './simulator-error.js';

export interface PlatformOptions {
  /** Names the platform: the same name under the same seed is the same machine. */
  name?: string;
  fmspc?: BytesLike;
  pceId?: BytesLike;
  ca?: PckCa;
  ppid?: BytesLike;
  /** `null` leaves it out of the PCK certificate (with the configuration, as the Processor CA does). */
  platformInstanceId?: BytesLike | null;
  sgxType?: 0 | 1 | 2;
  configuration?: { dynamicPlatform: boolean; cachedKeys: boolean; smtEnabled: boolean };
  /** The rung of the default TCB ladder on which the platform stands. */
  tcbStatus?: PlatformStatus;
  /** 16 component SVNs of the PCK certificate, in place of `tcbStatus`. */
  components?: number[];
  /** CPUSVN of the PCK certificate; by default the components. If only this is given, it sets the components, too. */
  cpuSvn?: BytesLike;
  pceSvn?: number;
  qeStatus?: ComponentStatus;
  qeSvn?: number;
  /** TDX: major version of the module, status of the module, microcode rung of the launch and of the current TCB. */
  moduleMajor?: number;
  moduleStatus?: ComponentStatus;
  tdxStatus?: PlatformStatus;
  currentTdxStatus?: PlatformStatus;
  /** Bytes of authentication data that the QE mixes into its report (32 on hardware). */
  qeAuthData?: BytesLike;
}

interface CommonQuoteRequest {
  version?: QuoteVersion;
  /** `reused` (default): the platform's one attestation key, as with an out-of-process QE; `fresh`: a new one. */
  attestationKey?: 'reused' | 'fresh';
  /** 5 (default): PCK chain; 1–3: PPID in clear or encrypted; 4: PCK leaf only; 7: platform manifest. */
  certificationType?: 1 | 2 | 3 | 4 | 5 | 7;
  header?: Partial<QuoteHeader>;
  /** Changes to the quoting enclave's own report. */
  qeReport?: SgxReportFields;
  /** All signatures with the nonce of RFC 6979, so that the same request gives the same bytes. */
  deterministic?: boolean;
}
export type QuoteRequest =
  | (CommonQuoteRequest & { tee?: 'sgx' } & SgxReportFields)
  | (CommonQuoteRequest & { tee: 'tdx'; bodyType?: TdBodyType } & TdReportFields);

interface QeBlock {
  key: P256Key;
  qeReport: Buffer;
  qeReportSignature: Buffer;
}

/** One simulated machine: PCK certificate, quoting enclaves for SGX and TDX, and their attestation keys. */
export class SimulatedPlatform {
  readonly pck: IssuedCertificate;
  readonly description: PlatformDescription;
  readonly ca: PckCa;
  /** 16 bytes; in the header's user data, and what a PCCS knows the machine by. */
  readonly qeId: Buffer;
  readonly qeAuthData: Buffer;
  private readonly blocks = new Map<string, QeBlock>();
  private readonly tails = new Map<string, Buffer>();

  constructor(
    readonly name: string,
    readonly options: PlatformOptions,
    readonly pki: SimulatedPki,
    private readonly seeded: SeededBytes,
  ) {
    this.ca = options.ca ?? 'platform';
    this.description = describe(name, options, this.ca, seeded);
    this.pck = pki.issuePck(name, this.ca, this.description);
    this.qeId = seeded.bytes(`qe id ${name}`, 16);
    this.qeAuthData =
      options.qeAuthData === undefined
        ? Buffer.from(Array.from({ length: 32 }, (_, index) => index))
        : Buffer.from(
            typeof options.qeAuthData === 'string'
              ? Buffer.from(options.qeAuthData, 'hex')
              : options.qeAuthData,
          );
  }

  get fmspc(): string {
    return this.description.fmspc.toString('hex');
  }

  get pceId(): string {
    return this.description.pceId.toString('hex');
  }

  /** Leaf, intermediate, root as PEM. */
  get chainPem(): string {
    return chainPem([this.pck, this.pki[this.ca], this.pki.root]);
  }

  /** The attestation key that all quotes of one TEE share unless a request wants a fresh one. */
  attestationKey(tee: Tee): P256Key {
    return this.block(tee).key;
  }

  /** PPID as types 2 and 3 carry it. Opaque to everybody but the simulated PCS, which recognises it. */
  encryptedPpid(bits: 2048 | 3072): Buffer {
    return this.seeded.bytes(`encrypted ppid ${this.name} ${bits}`, bits / 8);
  }

  /** The platform manifest that a multi-package machine registers with; opaque. */
  get platformManifest(): Buffer {
    return this.seeded.bytes(`platform manifest ${this.name}`, 512);
  }

  /** A complete quote. With a reused attestation key it costs one signature. */
  quote(request: QuoteRequest = {}): Buffer {
    const tee = request.tee ?? 'sgx';
    const plain =
      request.attestationKey !== 'fresh' && request.qeReport === undefined && request.deterministic !== true;
    if (!plain) return assembleQuote(this.quoteParts(request));
    const version = this.versionOf(request);
    const { key } = this.block(tee);
    const region = signedRegion({
      ...this.bodyOf(request),
      header: this.headerOf(request),
      layout: version,
      lengths: {},
    });
    const tailKey = `${tee} ${version} ${request.certificationType ?? 5}`;
    let tail = this.tails.get(tailKey);
    if (tail === undefined) {
      tail = Buffer.concat([key.point, certificationBlock(this.quoteParts(request))]);
      this.tails.set(tailKey, tail);
    }
    const length = Buffer.alloc(4);
    length.writeUInt32LE(64 + tail.length);
    return Buffer.concat([region, length, key.sign(region), tail]);
  }

  /** The parts of a quote, validly signed; a test changes one and assembles. */
  quoteParts(request: QuoteRequest = {}): QuoteParts {
    const tee = request.tee ?? 'sgx';
    const fresh =
      request.attestationKey === 'fresh' || request.qeReport !== undefined || request.deterministic === true;
    const block = fresh ? this.newBlock(tee, request) : this.block(tee);
    const type = request.certificationType ?? 5;
    const parts: QuoteParts = {
      header: this.headerOf(request),
      layout: this.versionOf(request),
      ...this.bodyOf(request),
      signature: Buffer.alloc(64),
      attestationKey: block.key.point,
      qeReport: block.qeReport,
      qeReportSignature: block.qeReportSignature,
      qeAuthData: this.qeAuthData,
      outerType: 6,
      certificationType: type,
      certificationData: this.certificationData(type),
      lengths: {},
    };
    const region = signedRegion(parts);
    return {
      ...parts,
      signature:
        request.deterministic === true ? block.key.signDeterministic(region) : block.key.sign(region),
    };
  }

  private versionOf(request: QuoteRequest): QuoteVersion {
    const version = request.version ?? (request.tee === 'tdx' ? 4 : 3);
    if (request.tee === 'tdx' && version === 3) {
      throw new SimulatorError('SIMULATOR_OPTION_INVALID', 'A version 3 quote has no TDX body.');
    }
    if (request.tee === 'tdx' && request.bodyType === 'td15' && version !== 5) {
      throw new SimulatorError('SIMULATOR_OPTION_INVALID', 'A TD 1.5 body needs a version 5 quote.');
    }
    return version;
  }

  private headerOf(request: QuoteRequest): Buffer {
    const tee = request.tee ?? 'sgx';
    return encodeHeader({
      version: this.versionOf(request),
      attestationKeyType: 2,
      teeType: TEE_TYPE[tee],
      qeSvn: this.qeSvn(tee),
      pceSvn: this.description.pceSvn,
      vendorId: INTEL_QE_VENDOR,
      userData: Buffer.concat([this.qeId, Buffer.alloc(4)]),
      ...request.header,
    });
  }

  private bodyOf(request: QuoteRequest): { body: Buffer; bodyType: number } {
    if (request.tee === 'tdx') {
      const type = request.bodyType ?? (request.version === 5 ? 'td15' : 'td10');
      return {
        body: tdReportBody(type, { ...this.teeTcb(), ...request }),
        bodyType: type === 'td10' ? 2 : 3,
      };
    }
    return { body: sgxReportBody({ cpuSvn: this.description.cpuSvn, ...request }), bodyType: 1 };
  }

  private teeTcb(): { teeTcbSvn: Buffer; teeTcbSvn2: Buffer; mrSeam: Buffer } {
    const { options } = this;
    const svn = MODULE_SVN[options.moduleStatus ?? 'UpToDate'];
    const major = options.moduleMajor ?? 1;
    const launch = LEVEL_SVN[options.tdxStatus ?? 'UpToDate'];
    const current = LEVEL_SVN[options.currentTdxStatus ?? options.tdxStatus ?? 'UpToDate'];
    return {
      teeTcbSvn: Buffer.from(tdxComponents(svn, major, launch)),
      teeTcbSvn2: Buffer.from(tdxComponents(svn, major, current)),
      mrSeam: this.seeded.bytes(`mrseam ${major}.${svn}`, 48),
    };
  }

  private qeSvn(tee: Tee): number {
    return this.options.qeSvn ?? QE_SVN[tee][this.options.qeStatus ?? 'UpToDate'];
  }

  private certificationData(type: number): Buffer {
    const { description } = this;
    const identity = [description.cpuSvn, u16le(description.pceSvn), description.pceId];
    if (type === 1) return Buffer.concat([description.ppid, ...identity]);
    if (type === 2) return Buffer.concat([this.encryptedPpid(2048), ...identity]);
    if (type === 3) return Buffer.concat([this.encryptedPpid(3072), ...identity]);
    if (type === 4) return Buffer.from(this.pck.pem);
    if (type === 7) return this.platformManifest;
    // Quoting libraries end the chain with a NUL.
    return Buffer.from(`${this.chainPem}\0`);
  }

  private block(tee: Tee): QeBlock {
    let block = this.blocks.get(tee);
    if (block === undefined) {
      block = this.makeBlock(
        tee,
        new P256Key(this.seeded.bytes(`attestation key ${this.name} ${tee}`, 32)),
        {},
        true,
      );
      this.blocks.set(tee, block);
    }
    return block;
  }

  private newBlock(tee: Tee, request: QuoteRequest): QeBlock {
    const key =
      request.attestationKey === 'fresh'
        ? P256Key.random()
        : new P256Key(this.seeded.bytes(`attestation key ${this.name} ${tee}`, 32));
    return this.makeBlock(tee, key, request.qeReport ?? {}, request.deterministic === true);
  }

  private makeBlock(tee: Tee, key: P256Key, changes: SgxReportFields, deterministic: boolean): QeBlock {
    const qeReport = sgxReportBody({
      cpuSvn: this.description.cpuSvn,
      attributes: sgxAttributes(SGX_FLAGS.init | SGX_FLAGS.mode64 | SGX_FLAGS.provisionKey),
      mrenclave: this.seeded.bytes(`qe mrenclave ${tee} ${this.qeSvn(tee)}`, 32),
      mrsigner: QE_MRSIGNER[tee],
      isvProdId: QE_PROD_ID[tee],
      isvSvn: this.qeSvn(tee),
      reportData: qeReportData(key.point, this.qeAuthData),
      ...changes,
    });
    return {
      key,
      qeReport,
      qeReportSignature: deterministic
        ? this.pck.key.signDeterministic(qeReport)
        : this.pck.key.sign(qeReport),
    };
  }
}

function describe(
  name: string,
  options: PlatformOptions,
  ca: PckCa,
  seeded: SeededBytes,
): PlatformDescription {
  const cpuSvnGiven = options.cpuSvn === undefined ? undefined : fixedBytes(options.cpuSvn, 16, 'cpuSvn');
  const components =
    options.components ??
    (cpuSvnGiven ? [...cpuSvnGiven] : sgxComponents(LEVEL_SVN[options.tcbStatus ?? 'UpToDate']));
  if (components.length !== 16 || components.some((svn) => !Number.isInteger(svn) || svn < 0 || svn > 255)) {
    throw new SimulatorError('SIMULATOR_OPTION_INVALID', 'A platform has 16 component SVNs from 0 to 255.');
  }
  const instance = options.platformInstanceId ?? seeded.bytes(`platform instance ${name}`, 16);
  const multiPackage = ca === 'platform' && options.platformInstanceId !== null;
  return {
    ppid: fixedBytes(options.ppid ?? seeded.bytes(`ppid ${name}`, 16), 16, 'ppid'),
    components,
    pceSvn: options.pceSvn ?? LEVEL_PCE_SVN,
    cpuSvn: cpuSvnGiven ?? Buffer.from(components),
    pceId: fixedBytes(options.pceId ?? '0000', 2, 'pceId'),
    fmspc: fixedBytes(options.fmspc ?? '00606a000000', 6, 'fmspc'),
    sgxType: options.sgxType ?? (ca === 'platform' ? 1 : 0),
    ...(multiPackage
      ? {
          platformInstanceId: fixedBytes(instance, 16, 'platformInstanceId'),
          configuration: options.configuration ?? {
            dynamicPlatform: true,
            cachedKeys: false,
            smtEnabled: true,
          },
        }
      : {}),
  };
}
