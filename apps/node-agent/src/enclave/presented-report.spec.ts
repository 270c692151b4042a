import { SiegelError } from '#contracts';
import { SimulatedSgx, SoftwareEnclave, SoftwareProcessor, SoftwareQuotingEnclave } from '#simulator';
import { describe, expect, it } from '@jest/globals';
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import {
  commonName,
  type CsrParts,
  emAppCsr,
  embeddedFqpe,
  enclaveNames,
  inlineSgxLocal,
} from '../../../../test/fortanix/em-app-csr.js';
import { presentedReport } from './presented-report.js';

const platform = SimulatedSgx.create({ seed: 'agent' }).platform();
const processor = new SoftwareProcessor();
const { targetInfo } = new SoftwareQuotingEnclave(platform, processor);
const enclave = new SoftwareEnclave(platform, processor, {
  mrenclave: 'aa'.repeat(32),
  isvExtProdId: 'cc'.repeat(16),
});
const rsa = generateKeyPairSync('rsa', { modulusLength: 3072 }).privateKey;
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

const sha256 = (...parts: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();
const spkiHash = (key: KeyObject): Buffer =>
  sha256(createPublicKey(key).export({ format: 'der', type: 'spki' }));
const plain = (key: KeyObject): Buffer => Buffer.concat([spkiHash(key), Buffer.alloc(32)]);
const report = enclave.report(targetInfo, plain(ec));
const parts = (of: Buffer, change: Partial<CsrParts> = {}): CsrParts => ({
  names: [commonName('app'), ...enclaveNames(of)],
  attributes: [inlineSgxLocal(of)],
  ...change,
});
const ask = (of: Buffer, csr: string): Buffer =>
  presentedReport({ report: of.toString('base64'), attestation_csr: csr });
const refusal = (attempt: () => unknown): string => {
  try {
    attempt();
  } catch (error) {
    if (error instanceof SiegelError && error.code === 'REQUEST_MALFORMED') return error.detail ?? '';
    throw error;
  }
  return 'accepted';
};

describe('a request for an attestation', () => {
  it.each([
    ['an RSA key', rsa, {}],
    ['a P-256 key', ec, {}],
    ['the extended product id of newer versions', ec, { extended: true }],
  ])('is taken with %s', (_what, key, options) => {
    const own = enclave.report(targetInfo, plain(key));
    const names = [commonName('app'), ...enclaveNames(own, options)];
    expect(ask(own, emAppCsr(key, parts(own, { names, altNames: ['a.example'] })))).toEqual(own);
  });

  it('is taken with the id of a configuration, and refused where that was exchanged', () => {
    const id = Buffer.alloc(32, 9);
    const data = Buffer.concat([sha256(Buffer.of(1), spkiHash(ec), id), id]);
    const own = enclave.report(targetInfo, data);
    expect(ask(own, emAppCsr(ec, parts(own)))).toEqual(own);
    const swapped = enclave.report(targetInfo, Buffer.concat([data.subarray(0, 32), Buffer.alloc(32, 8)]));
    expect(refusal(() => ask(swapped, emAppCsr(ec, parts(swapped))))).toMatch('BINDING_MISMATCH');
  });

  const other = enclave.report(targetInfo, plain(ec));
  const elsewhere = new SoftwareEnclave(platform, processor, { mrenclave: 'bb'.repeat(32) });
  const foreign = elsewhere.report(targetInfo, plain(ec));
  const [first, ...rest] = enclaveNames(report);
  it.each<[string, Buffer, string, string]>([
    ['another key', report, emAppCsr(rsa, parts(report)), 'BINDING_MISMATCH'],
    [
      'the names of another enclave',
      report,
      emAppCsr(ec, parts(report, { names: enclaveNames(foreign) })),
      'EM_REPORT_MISMATCH',
    ],
    [
      'KEYID and MAC of another REPORT',
      report,
      emAppCsr(ec, parts(report, { attributes: [inlineSgxLocal(other)] })),
      'EM_REPORT_MISMATCH',
    ],
    ['a part of the name missing', report, emAppCsr(ec, parts(report, { names: rest })), 'EM_NAME_MISSING'],
    [
      'a part of the name twice',
      report,
      emAppCsr(ec, parts(report, { names: [first!, first!, ...rest] })),
      'EM_NAME_TWICE',
    ],
    [
      'a part of the name as text',
      report,
      emAppCsr(ec, parts(report, { names: [[first![0], commonName('x')[1]], ...rest] })),
      'EM_NAME_MISSING',
    ],
    [
      'a part of the name too short',
      report,
      emAppCsr(ec, parts(report, { names: [[first![0], Buffer.of(3, 2, 0, 1)], ...rest] })),
      'EM_NAME_INVALID',
    ],
    ['no attribute', report, emAppCsr(ec, parts(report, { attributes: [] })), 'EM_ATTESTATION_MISSING'],
    [
      'the attribute of the other request',
      report,
      emAppCsr(ec, parts(report, { attributes: [embeddedFqpe(report, report)] })),
      'EM_ATTESTATION_MISSING',
    ],
    [
      'the attribute twice',
      report,
      emAppCsr(ec, parts(report, { attributes: [inlineSgxLocal(report), inlineSgxLocal(report)] })),
      'EM_CSR_MALFORMED',
    ],
    ['no request', report, 'no request', 'CSR_MALFORMED'],
  ])('is refused with %s', (_what, of, csr, code) => {
    expect(refusal(() => ask(of, csr))).toMatch(code);
  });

  it('is refused with a signature of another key, and with one that was altered', () => {
    const csr = emAppCsr(ec, parts(report));
    const der = Buffer.from(csr.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64');
    der[der.length - 1]! ^= 1;
    const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    expect(refusal(() => ask(report, pem))).toMatch(/CSR_(SIGNATURE_INVALID|MALFORMED)/);
  });
});
