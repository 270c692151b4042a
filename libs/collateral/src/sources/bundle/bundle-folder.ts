import { DcapError, parseCollateralBundle, parseTcbInfo, splitPemChain, type CollateralBundle } from '#dcap';
import { X509Certificate } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { PckCa } from '../../collateral-key.js';

/** What a bundle file says it is for. Nothing of it is verified: it only decides what is tried first. */
export interface BundleEntry {
  readonly file: string;
  readonly tee: 'sgx' | 'tdx';
  readonly fmspc: string;
  readonly ca: PckCa;
  readonly tcbEvaluationDataNumber: number;
  /** Milliseconds. */
  readonly issued: number;
  readonly nextUpdate: number;
  /** SPKI of the last certificate of the TCB info's chain, hex: which root the bundle belongs to. */
  readonly rootKey: string;
}

interface Known {
  readonly mtimeMs: number;
  readonly size: number;
  /** Absent if the file is not a bundle. */
  readonly entry: BundleEntry | undefined;
}

const MAX_FILES = 2_000;
const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** An index of the bundle files of one folder; files may come, change and go while the service runs. */
export class BundleFolder {
  private readonly known = new Map<string, Known>();

  constructor(private readonly folder: string) {}

  /** Reads what is new or changed since the last call and answers all entries. Throws if the folder is not readable. */
  async entries(): Promise<readonly BundleEntry[]> {
    const names = (await readdir(this.folder)).filter((name) => name.endsWith('.json')).sort();
    const present = new Set(names.slice(0, MAX_FILES));
    for (const name of this.known.keys()) if (!present.has(name)) this.known.delete(name);
    for (const name of present) await this.look(name);
    return [...this.known.values()].flatMap(({ entry }) => (entry === undefined ? [] : [entry]));
  }

  /** Throws DcapError if the file is no longer a bundle. */
  async read(entry: BundleEntry): Promise<CollateralBundle> {
    return parseCollateralBundle(await readFile(join(this.folder, entry.file), 'utf8'));
  }

  private async look(name: string): Promise<void> {
    const path = join(this.folder, name);
    const { mtimeMs, size } = await stat(path);
    const known = this.known.get(name);
    if (known !== undefined && known.mtimeMs === mtimeMs && known.size === size) return;
    const entry = size > MAX_FILE_BYTES ? undefined : describe(name, await readFile(path, 'utf8'));
    this.known.set(name, { mtimeMs, size, entry });
  }
}

function describe(file: string, text: string): BundleEntry | undefined {
  try {
    const bundle = parseCollateralBundle(text);
    const tcbInfo = parseTcbInfo(bundle.tcb_info);
    const root = splitPemChain(bundle.tcb_info_issuer_chain).at(-1);
    return {
      file,
      tee: tcbInfo.id === 'TDX' ? 'tdx' : 'sgx',
      fmspc: tcbInfo.fmspc,
      ca: bundle.pck_crl_issuer_chain === '' ? 'platform' : caOf(bundle.pck_crl_issuer_chain),
      tcbEvaluationDataNumber: tcbInfo.tcbEvaluationDataNumber,
      issued: Date.parse(tcbInfo.issueDate),
      nextUpdate: Date.parse(tcbInfo.nextUpdate),
      rootKey: root === undefined ? '' : rootKeyOf(root),
    };
  } catch (error) {
    // Any other file may lie in the folder; one that is no bundle is none of ours.
    if (error instanceof DcapError) return undefined;
    throw error;
  }
}

function caOf(chain: string): PckCa {
  const issuer = splitPemChain(chain)[0];
  try {
    const subject = issuer === undefined ? '' : new X509Certificate(issuer).subject;
    return subject.includes('Processor CA') ? 'processor' : 'platform';
  } catch {
    throw new DcapError('CERT_INVALID', 'the PCK CRL chain does not start with a certificate');
  }
}

function rootKeyOf(der: Buffer): string {
  try {
    return new X509Certificate(der).publicKey.export({ type: 'spki', format: 'der' }).toString('hex');
  } catch {
    throw new DcapError('CERT_INVALID', 'the TCB info chain does not end with a certificate');
  }
}
