import { SiegelError } from '#contracts';
import { parseQuote } from '#dcap';
import { openAttestationCertificate } from '#evidence';
import {
  type AesmCall,
  SimulatedSgx,
  SoftwareAesm,
  type SoftwareAesmOptions,
  SoftwareEnclave,
  SoftwareProcessor,
  SoftwareQuotingEnclave,
} from '#simulator';
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { afterEach, describe, expect, it } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AesmClient } from '../aesm/aesm-client.js';
import { ecdsaKeyId } from '../aesm/attestation-key.js';
import { QuotingEnclave } from './quoting-enclave.js';

const platform = SimulatedSgx.create({ seed: 'agent' }).platform();
const processor = new SoftwareProcessor();
const qe = new SoftwareQuotingEnclave(platform, processor);
const app = new SoftwareEnclave(platform, processor, { mrenclave: 'aa'.repeat(32) });
const GET_QUOTE_EX = 17;

/** A response with some fields of its one call replaced. */
function altered(
  answer: Buffer,
  call: number,
  changes: ReadonlyMap<number, (value: Buffer) => Buffer>,
): Buffer {
  const outer = new BinaryReader(answer);
  outer.tag();
  const inner = new BinaryReader(outer.bytes());
  const writer = new BinaryWriter().tag(call, WireType.LengthDelimited).fork();
  while (inner.pos < inner.len) {
    const [field, type] = inner.tag();
    if (type === WireType.Varint) writer.tag(field, type).uint32(inner.uint32());
    else {
      const value = Buffer.from(inner.bytes());
      writer.tag(field, type).bytes(changes.get(field)?.(value) ?? value);
    }
  }
  return Buffer.from(writer.join().finish());
}

const flipped = (at: number) => (value: Buffer) => {
  const out = Buffer.from(value);
  out[at]! ^= 1;
  return out;
};

describe('quotes through the socket of aesmd', () => {
  const dir = mkdtempSync(join(tmpdir(), 'siegel-aesm-'));
  const running: SoftwareAesm[] = [];
  let sockets = 0;
  afterEach(async () => {
    for (const aesm of running.splice(0)) await aesm.close();
  });
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

  async function start(options: SoftwareAesmOptions = {}, timeoutMs = 2_000) {
    const aesm = await SoftwareAesm.listen(join(dir, `${sockets++}.socket`), qe, options);
    running.push(aesm);
    return { aesm, quoting: new QuotingEnclave(new AesmClient(aesm.path, timeoutMs), 4) };
  }
  const codes = async (attempt: Promise<unknown>): Promise<[string, string | undefined]> => {
    const error = await attempt.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(SiegelError);
    const { code, reason } = error as SiegelError;
    return [code, reason?.code];
  };

  it.each([0, 1, 4_096])('are cut to their length where the buffer is %i bytes longer', async (slack) => {
    const { aesm, quoting } = await start({ slack });
    const report = app.report(await quoting.targetInfo(), randomBytes(64));
    const quoted = await quoting.quote(report);
    const { quote, reportBody } = openAttestationCertificate(quoted.attestationCertificate);
    expect(reportBody).toEqual(report.subarray(0, 384));
    expect(parseQuote(quote).bytes).toEqual(quote);
    expect(quoted.nodeCertificate).toEqual(platform.pck.der);
    expect(app.accepts(quoted.report)).toBe(true);
    const hash = createHash('sha256').update(quoted.attestationCertificate).digest();
    expect(quoted.report.subarray(320, 384)).toEqual(Buffer.concat([hash, Buffer.alloc(32)]));
    expect(aesm.calls).toEqual([
      'keyIdNumber',
      'keyIds',
      'initQuoteEx',
      'initQuoteEx',
      'getQuoteSizeEx',
      'getQuoteEx',
    ]);
  });

  it('have another nonce each time', async () => {
    const { quoting } = await start();
    const report = app.report(await quoting.targetInfo(), randomBytes(64));
    const [one, two] = [await quoting.quote(report), await quoting.quote(report)];
    expect(one.attestationCertificate.subarray(0, 16)).not.toEqual(
      two.attestationCertificate.subarray(0, 16),
    );
  });

  const REPORT_DATA_AT = 528 + 320;
  it.each([
    ['another nonce', new Map([[3, flipped(0)]]), 'QE_REPORT_FOREIGN'],
    ['another enclave in the answer', new Map([[3, flipped(20)]]), 'QE_REPORT_FOREIGN'],
    ['a REPORT that does not vouch', new Map([[3, flipped(REPORT_DATA_AT)]]), 'QE_REPORT_HASH'],
    ['a REPORT with more than the hash', new Map([[3, flipped(REPORT_DATA_AT + 63)]]), 'QE_REPORT_HASH'],
    ['an altered quote', new Map([[2, flipped(100)]]), 'QE_REPORT_HASH'],
    ['a quote of another version', new Map([[2, flipped(0)]]), 'QUOTE_MALFORMED'],
    [
      'a quote that is too short',
      new Map([[2, (value: Buffer) => value.subarray(0, 400)]]),
      'QUOTE_MALFORMED',
    ],
    [
      'a report info of another size',
      new Map([[3, (value: Buffer) => value.subarray(1)]]),
      'AESM_RESPONSE_MALFORMED',
    ],
  ])('are not believed with %s', async (_what, changes, reason) => {
    const { quoting } = await start({
      tamper: (call, answer) => (call === 'getQuoteEx' ? altered(answer, GET_QUOTE_EX, changes) : answer),
    });
    const report = app.report(await quoting.targetInfo(), randomBytes(64));
    expect(await codes(quoting.quote(report))).toEqual(['QUOTING_INCONSISTENT', reason]);
  });

  it('are refused for a REPORT that is not for QE3, and the target info is asked for anew', async () => {
    const { aesm, quoting } = await start();
    await quoting.targetInfo();
    const report = app.report(Buffer.alloc(512), randomBytes(64));
    expect(await codes(quoting.quote(report))).toEqual(['QUOTING_REFUSED', 'AESM_ERROR']);
    const before = aesm.calls.length;
    await quoting.targetInfo();
    expect(aesm.calls.length).toBeGreaterThan(before);
  });

  it.each<[string, SoftwareAesmOptions['tamper'], string, string]>([
    ['silence', () => sleep(5_000, undefined, { ref: false }), 'QUOTING_UNAVAILABLE', 'AESM_NO_ANSWER'],
    ['a closed connection', () => undefined, 'QUOTING_UNAVAILABLE', 'AESM_NO_ANSWER'],
    ['no protobuf', () => Buffer.alloc(40, 0xff), 'QUOTING_INCONSISTENT', 'AESM_RESPONSE_MALFORMED'],
    ['nothing', () => Buffer.alloc(0), 'QUOTING_INCONSISTENT', 'AESM_RESPONSE_FOREIGN'],
    ['too much', () => Buffer.alloc(300 * 1024), 'QUOTING_INCONSISTENT', 'AESM_RESPONSE_TOO_LARGE'],
    ['another call', () => Buffer.from('0a020800', 'hex'), 'QUOTING_INCONSISTENT', 'AESM_RESPONSE_FOREIGN'],
    [
      'that it knows no such call',
      () => Buffer.from('a201020802', 'hex'),
      'QUOTING_INCONSISTENT',
      'AESM_RESPONSE_FOREIGN',
    ],
    [
      'no error code',
      () => Buffer.from('aa01021002', 'hex'),
      'QUOTING_INCONSISTENT',
      'AESM_RESPONSE_MALFORMED',
    ],
    ['an error', () => Buffer.from('aa01020807', 'hex'), 'QUOTING_REFUSED', 'AESM_ERROR'],
    ['no key', () => Buffer.from('aa010408001000', 'hex'), 'QUOTING_INCONSISTENT', 'AESM_RESPONSE_FOREIGN'],
  ])('do without a daemon that answers with %s', async (_what, tamper, code, reason) => {
    const { quoting } = await start({ tamper: tamper! }, 300);
    expect(await codes(quoting.targetInfo())).toEqual([code, reason]);
  });

  it('do without a daemon that is not there', async () => {
    const quoting = new QuotingEnclave(new AesmClient(join(dir, 'absent.socket'), 500), 4);
    expect(await codes(quoting.targetInfo())).toEqual(['QUOTING_UNAVAILABLE', 'ENOENT']);
  });

  it('are made a bounded number at a time', async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    const { quoting } = await start({
      tamper: async (call: AesmCall, answer) => {
        if (call === 'getQuoteEx') await gate;
        return answer;
      },
    });
    const report = app.report(await quoting.targetInfo(), randomBytes(64));
    const running = Array.from({ length: 4 }, () => quoting.quote(report));
    expect(await codes(quoting.quote(report))).toEqual(['OVERLOADED', undefined]);
    open();
    await Promise.all(running);
    await quoting.quote(report);
  });
});

describe('the key of QE3', () => {
  it('is not one of EPID, of the quoting enclave of TDX, or of another format', () => {
    const id = (algorithm: number, product: number, length = 32): Buffer => {
      const bytes = Buffer.alloc(256);
      bytes.writeUInt16LE(length, 4);
      bytes.writeUInt32LE(product, 54);
      bytes.writeUInt32LE(algorithm, 154);
      return bytes;
    };
    const wanted = id(2, 1);
    expect(ecdsaKeyId(Buffer.concat([id(0, 1), id(1, 1), id(2, 2), id(2, 1, 48), wanted]))).toEqual(wanted);
    for (const ids of [Buffer.alloc(0), Buffer.alloc(255), Buffer.concat([id(0, 1), id(2, 2)])])
      expect(() => ecdsaKeyId(ids)).toThrow(expect.objectContaining({ code: 'QUOTING_INCONSISTENT' }));
  });
});
