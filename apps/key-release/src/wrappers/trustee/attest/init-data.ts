import { hash } from 'node:crypto';
import { malformed } from '../protocol/kbs-error.js';

/** How a deployer's configuration is measured: its digest stands in CONFIGID (SGX) or MRCONFIGID (TDX), padded with zeros. */
export interface InitData {
  readonly algorithm: 'sha256' | 'sha384' | 'sha512';
  readonly digest: Buffer;
}

const ALGORITHMS = ['sha256', 'sha384', 'sha512'] as const;
/** A key with a basic or literal string, at the top of the document: all that is needed of its TOML. */
const ENTRY = /^[ \t]*([A-Za-z0-9_-]+)[ \t]*=[ \t]*(?:"([^"\\\r\n]*)"|'([^'\r\n]*)')[ \t]*(?:#.*)?$/;
const TABLE = /^[ \t]*\[/;

/** Reads init-data of version 0.1.0; the digest is over the text as it is. @throws SiegelError REQUEST_MALFORMED */
export function readInitData(toml: string): InitData {
  const found = new Map<string, string>();
  for (const line of toml.split('\n')) {
    if (TABLE.test(line)) break;
    const match = ENTRY.exec(line.replace(/\r$/, ''));
    if (!match) continue;
    if (found.has(match[1]!)) throw malformed(`init-data: "${match[1]!.slice(0, 32)}" stands there twice`);
    found.set(match[1]!, match[2] ?? match[3] ?? '');
  }
  if (found.get('version') !== '0.1.0') throw malformed('init-data: "version" must be "0.1.0"');
  const algorithm = ALGORITHMS.find((each) => each === found.get('algorithm'));
  if (algorithm === undefined) throw malformed(`init-data: "algorithm" must be ${ALGORITHMS.join(', ')}`);
  return { algorithm, digest: hash(algorithm, toml, 'buffer') };
}

/** Whether a measured field (hex) holds the digest. Where the field is shorter than the digest, as much of it as there is room for. */
export function isMeasured({ digest }: InitData, field: string | undefined): boolean {
  if (field === undefined) return false;
  const expected = Buffer.alloc(field.length / 2);
  digest.copy(expected);
  return expected.toString('hex') === field;
}
