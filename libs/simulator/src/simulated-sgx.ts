import { buildBundle, type CollateralOptions, type SimulatedBundle } from './collateral.js';
import { SimulatedPki } from './pki.js';
import { SimulatedPlatform, type PlatformOptions } from './platform.js';
import { SeededBytes } from './seeded-bytes.js';
import { SimulatorError } from './simulator-error.js';

/** A load generator makes machines by the hundred thousand. */
const MAX_KNOWN_PLATFORMS = 1000;

export interface SimulatedSgxOptions {
  /** The same seed makes the same PKI and the same machines; without one, a random seed. */
  seed?: string | Uint8Array;
  /** Fixes the clock by which collateral is issued; without it, the system's. */
  now?: Date;
}

/** What is kept in a file to have the same PKI at the next start. It contains the private keys' seed. */
export interface SimulatedSgxState {
  format: 'siegel-simulated-sgx';
  version: 1;
  /** 64 hex digits. */
  seed: string;
  /** ISO 8601, where the clock is fixed. */
  now?: string;
}

export interface PckMaterial {
  certificatePem: string;
  /** Intermediate and root, as in the header `SGX-PCK-Certificate-Issuer-Chain`. */
  issuerChainPem: string;
  /** Leaf, intermediate, root, as in certification data of type 5. */
  chainPem: string;
  der: Buffer;
  /** CPUSVN and PCESVN of the certificate as hex, as in the header `SGX-TCBm`. */
  tcbm: string;
}

/**
 * A software stand-in for Intel's attestation infrastructure and any number of machines under it, with real
 * cryptography and its own root. Nothing of it verifies unless a verifier pins that root.
 */
export class SimulatedSgx {
  readonly pki: SimulatedPki;
  private readonly platforms = new Map<string, SimulatedPlatform>();
  private unnamed = 0;

  private constructor(
    private readonly seeded: SeededBytes,
    private readonly fixedNow: Date | undefined,
  ) {
    this.pki = new SimulatedPki(seeded);
  }

  static create(options: SimulatedSgxOptions = {}): SimulatedSgx {
    return new SimulatedSgx(SeededBytes.from(options.seed), options.now);
  }

  /** @throws SimulatorError SIMULATOR_STATE_INVALID */
  static fromJSON(state: unknown): SimulatedSgx {
    const { format, version, seed, now } = (state ?? {}) as Partial<Record<keyof SimulatedSgxState, unknown>>;
    if (
      format !== 'siegel-simulated-sgx' ||
      version !== 1 ||
      typeof seed !== 'string' ||
      !/^[0-9a-f]{64}$/.test(seed)
    ) {
      throw new SimulatorError(
        'SIMULATOR_STATE_INVALID',
        'This is not the state of a simulated SGX PKI (version 1).',
      );
    }
    const fixed = typeof now === 'string' ? new Date(now) : undefined;
    if (fixed !== undefined && Number.isNaN(fixed.getTime())) {
      throw new SimulatorError(
        'SIMULATOR_STATE_INVALID',
        'The state of the simulated SGX PKI has no valid time in "now".',
      );
    }
    return new SimulatedSgx(SeededBytes.fromHex(seed), fixed);
  }

  toJSON(): SimulatedSgxState {
    return {
      format: 'siegel-simulated-sgx',
      version: 1,
      seed: this.seeded.toHex(),
      ...(this.fixedNow === undefined ? {} : { now: this.fixedNow.toISOString() }),
    };
  }

  /** The certificate to pin: `trustAnchorFromPem(sgx.rootPem, {id, simulated: true})`. */
  get rootPem(): string {
    return this.pki.root.pem;
  }

  now(): Date {
    return this.fixedNow ?? new Date();
  }

  /**
   * A machine. Without a name the first call gives "platform-1", the next "platform-2", …; asking for a name again
   * gives the same machine with the options of now (a TCB recovery, say), because keys depend on the name alone.
   */
  platform(options: PlatformOptions = {}): SimulatedPlatform {
    const name = options.name ?? `platform-${(this.unnamed += 1)}`;
    const platform = new SimulatedPlatform(name, options, this.pki, this.seeded);
    this.platforms.delete(name);
    this.platforms.set(name, platform);
    const [oldest] = this.platforms.keys();
    if (this.platforms.size > MAX_KNOWN_PLATFORMS && oldest !== undefined) this.platforms.delete(oldest);
    return platform;
  }

  /** The machines made last, at most 1,000: those whose PCK certificates the provisioning service can look up. */
  knownPlatforms(): SimulatedPlatform[] {
    return [...this.platforms.values()];
  }

  pckFor(platform: SimulatedPlatform): PckMaterial {
    const { description } = platform;
    const pceSvn = Buffer.alloc(2);
    pceSvn.writeUInt16LE(description.pceSvn);
    return {
      certificatePem: platform.pck.pem,
      issuerChainPem: this.pki[platform.ca].pem + this.rootPem,
      chainPem: platform.chainPem,
      der: platform.pck.der,
      tcbm: Buffer.concat([description.cpuSvn, pceSvn]).toString('hex'),
    };
  }

  /** Signed collateral; `platform` fills in its FMSPC, PCE id and CA. */
  collateral(options: CollateralOptions & { platform?: SimulatedPlatform } = {}): SimulatedBundle {
    const { platform, ...rest } = options;
    const described = platform ? { fmspc: platform.fmspc, pceId: platform.pceId, ca: platform.ca } : {};
    return buildBundle(this.pki, options.at ?? this.now(), { ...described, ...rest });
  }
}
