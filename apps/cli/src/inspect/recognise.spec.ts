import { describe, expect, it } from '@jest/globals';
import { SimulatedSgx } from '#simulator';
import fc from 'fast-check';
import { CliError } from '../failure/cli-error.js';
import type { Field } from './inspection.js';
import { recognise, type Recognised } from './recognise.js';

const sgx = SimulatedSgx.create({ seed: 'inspect', now: new Date('2026-05-04T03:02:01Z') });
const platform = sgx.platform({ name: 'p' });
const quote = (version: 3 | 4 | 5, tee: 'sgx' | 'tdx' = 'sgx'): Buffer =>
  platform.quote({
    version,
    tee,
    mrenclave: 'a1'.repeat(32),
    mrsigner: 'b2'.repeat(32),
    isvProdId: 3,
    isvSvn: 9,
  });

const fields = ({ inspection }: Recognised): Field[] =>
  inspection.sections.flatMap((section) => section.fields);
const named = (recognised: Recognised, name: string): Field | undefined =>
  fields(recognised).find((each) => each.name === name);

describe('recognise', () => {
  it.each([
    [3, 'sgx', 'SGX quote, version 3', 48],
    [4, 'sgx', 'SGX quote, version 4', 48],
    [4, 'tdx', 'TDX quote, version 4', 48],
    [5, 'tdx', 'TDX quote, version 5', 54],
  ] as const)('shows a quote of version %d (%s) with true offsets', (version, tee, title, bodyAt) => {
    const bytes = quote(version, tee);
    const recognised = recognise(bytes);
    expect(recognised.inspection).toMatchObject({ kind: 'quote', title });
    const hex = fields(recognised).filter(
      ({ value, size }) => typeof value === 'string' && value.length === 2 * (size ?? 0),
    );
    expect(hex.length).toBeGreaterThan(20);
    for (const { value, offset = 0, size = 0 } of hex)
      expect(bytes.toString('hex', offset, offset + size)).toBe(value);
    const measurement = named(recognised, tee === 'sgx' ? 'MRENCLAVE' : 'MRTD');
    expect(measurement?.offset).toBe(bodyAt + (tee === 'sgx' ? 64 : 136));
    expect(named(recognised, 'attestation key bound')?.value).toBe(true);
    expect(named(recognised, 'FMSPC')?.value).toBe(platform.fmspc);
  });

  it('shifts the offsets by an Open Enclave header', () => {
    const bare = quote(3);
    const header = Buffer.from('01000000020000000000000000000000', 'hex');
    header.writeBigUInt64LE(BigInt(bare.length), 8);
    const recognised = recognise(Buffer.concat([header, bare]));
    expect(recognised.inspection.kind).toBe('open-enclave-evidence');
    expect(named(recognised, 'MRENCLAVE')).toMatchObject({ value: 'a1'.repeat(32), offset: 16 + 48 + 64 });
  });

  it('shows a PCK chain, and whose signature is whose', () => {
    const recognised = recognise(Buffer.from(sgx.pckFor(platform).chainPem));
    expect(recognised).toMatchObject({
      encoding: 'pem',
      inspection: { title: 'PCK certificate chain of 3' },
    });
    const signatures = fields(recognised).filter(({ name }) => name === 'signature');
    expect(signatures.map(({ value }) => value)).toEqual(
      Array(3).fill('verifies with the key of its issuer in this file'),
    );
    expect(named(recognised, 'PPID')?.value).toMatch(/^[0-9a-f]{32}$/);
  });

  it('shows a bundle and its parts, each also alone', () => {
    const bundle = sgx.collateral({ platform });
    const whole = recognise(Buffer.from(JSON.stringify(bundle)));
    expect(whole.inspection.kind).toBe('collateral-bundle');
    expect(whole.inspection.remarks.map(({ subject }) => subject)).toContain('UpToDate');
    const parts: [string, Buffer][] = [
      ['tcb-info', Buffer.from(bundle.tcb_info)],
      ['tcb-info', Buffer.from(`{"tcbInfo":${bundle.tcb_info},"signature":"${bundle.tcb_info_signature}"}`)],
      ['qe-identity', Buffer.from(bundle.qe_identity)],
      [
        'qe-identity',
        Buffer.from(
          `{"enclaveIdentity":${bundle.qe_identity},"signature":"${bundle.qe_identity_signature}"}`,
        ),
      ],
      ['crl', Buffer.from(bundle.pck_crl, 'hex')],
      ['crl', Buffer.from(bundle.pck_crl)],
      ['certificates', Buffer.from(bundle.tcb_info_issuer_chain)],
    ];
    for (const [kind, file] of parts) expect(recognise(file).inspection.kind).toBe(kind);
  });

  it('says so where a CRL is missing', () => {
    const bundle = { ...sgx.collateral({ platform }), pck_crl: '' };
    expect(named(recognise(Buffer.from(JSON.stringify(bundle))), 'missing')?.value).toBe(true);
  });

  it.each([
    ['nothing', Buffer.alloc(0), 'FORMAT_UNKNOWN'],
    ['a letter', Buffer.from('Dear Sir,\n'), 'FORMAT_UNKNOWN'],
    ['other JSON', Buffer.from('{"a": 1}'), 'FORMAT_UNKNOWN'],
    [
      'a private key',
      Buffer.from('-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n'),
      'FORMAT_UNKNOWN',
    ],
    ['a truncated quote', quote(3).subarray(0, 900), 'FORMAT_MALFORMED'],
    ['broken JSON', Buffer.from('{"tcb_info": '), 'FORMAT_MALFORMED'],
    ['a damaged certificate', Buffer.from(sgx.rootPem.replace('MII', 'MIJ')), 'FORMAT_MALFORMED'],
  ])('refuses %s', (_name, file, code) => {
    expect(() => recognise(file)).toThrow(expect.objectContaining({ code, exit: 1 }));
  });

  it('answers damage of any kind with an error of its own', () => {
    const samples = [quote(3), quote(5, 'tdx'), Buffer.from(JSON.stringify(sgx.collateral({ platform })))];
    const damage = fc.record({
      sample: fc.constantFrom(...samples),
      cut: fc.nat(6_000),
      at: fc.nat(6_000),
      byte: fc.nat(255),
    });
    fc.assert(
      fc.property(damage, ({ sample, cut, at, byte }) => {
        const file = Buffer.from(sample.subarray(0, Math.max(1, sample.length - (cut % sample.length))));
        file[at % file.length] = byte;
        try {
          recognise(file);
        } catch (error) {
          expect(error).toBeInstanceOf(CliError);
          expect((error as CliError).message).not.toMatch(/undefined|is not a function|Cannot read/);
        }
      }),
      { numRuns: 300 },
    );
  });
});
