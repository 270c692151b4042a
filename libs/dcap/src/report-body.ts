/** Sizes of the report bodies (Intel SGX/TDX DCAP Quoting Library API, appendix A). */
export const SGX_BODY_BYTES = 384;
export const TD10_BODY_BYTES = 584;
export const TD15_BODY_BYTES = 648;

const SGX_DEBUG = 0x02;

/** The SGX REPORT body, of an application or of the quoting enclave. All members are views. */
export class SgxReportBody {
  readonly kind = 'sgx';
  constructor(readonly raw: Buffer) {}

  get cpuSvn(): Buffer {
    return this.raw.subarray(0, 16);
  }
  get miscSelect(): number {
    return this.raw.readUInt32LE(16);
  }
  get isvExtProdId(): Buffer {
    return this.raw.subarray(32, 48);
  }
  /** Flags (8 bytes) and XFRM (8 bytes). */
  get attributes(): Buffer {
    return this.raw.subarray(48, 64);
  }
  get debug(): boolean {
    return ((this.raw[48] as number) & SGX_DEBUG) !== 0;
  }
  get mrEnclave(): Buffer {
    return this.raw.subarray(64, 96);
  }
  get mrSigner(): Buffer {
    return this.raw.subarray(128, 160);
  }
  get configId(): Buffer {
    return this.raw.subarray(192, 256);
  }
  get isvProdId(): number {
    return this.raw.readUInt16LE(256);
  }
  get isvSvn(): number {
    return this.raw.readUInt16LE(258);
  }
  get configSvn(): number {
    return this.raw.readUInt16LE(260);
  }
  get isvFamilyId(): Buffer {
    return this.raw.subarray(304, 320);
  }
  get reportData(): Buffer {
    return this.raw.subarray(320, 384);
  }
}

/** The TD report body, version 1.0 or 1.5. All members are views. */
export class TdReportBody {
  readonly kind: 'td10' | 'td15';
  constructor(readonly raw: Buffer) {
    this.kind = raw.length === TD15_BODY_BYTES ? 'td15' : 'td10';
  }

  get teeTcbSvn(): Buffer {
    return this.raw.subarray(0, 16);
  }
  get mrSeam(): Buffer {
    return this.raw.subarray(16, 64);
  }
  get mrSignerSeam(): Buffer {
    return this.raw.subarray(64, 112);
  }
  get seamAttributes(): Buffer {
    return this.raw.subarray(112, 120);
  }
  get tdAttributes(): Buffer {
    return this.raw.subarray(120, 128);
  }
  /** Any bit of the TUD byte: bit 0 is DEBUG, the others are reserved for what makes a TD untrusted. */
  get debug(): boolean {
    return this.raw[120] !== 0;
  }
  get xfam(): Buffer {
    return this.raw.subarray(128, 136);
  }
  get mrTd(): Buffer {
    return this.raw.subarray(136, 184);
  }
  get mrConfigId(): Buffer {
    return this.raw.subarray(184, 232);
  }
  get mrOwner(): Buffer {
    return this.raw.subarray(232, 280);
  }
  get mrOwnerConfig(): Buffer {
    return this.raw.subarray(280, 328);
  }
  rtmr(index: 0 | 1 | 2 | 3): Buffer {
    return this.raw.subarray(328 + 48 * index, 376 + 48 * index);
  }
  get reportData(): Buffer {
    return this.raw.subarray(520, 584);
  }
  /** TD 1.5: the SVN of the TDX module that runs now. */
  get teeTcbSvn2(): Buffer | undefined {
    return this.kind === 'td15' ? this.raw.subarray(584, 600) : undefined;
  }
  get mrServiceTd(): Buffer | undefined {
    return this.kind === 'td15' ? this.raw.subarray(600, 648) : undefined;
  }
}

export type QuoteBody = SgxReportBody | TdReportBody;
