import { SimulatedSgx } from '#simulator';
import { describe, expect, it } from '@jest/globals';
import { SourceError } from '../sources/collateral-source.js';
import { canonicalChain, chainHeader, crlBody, signedDocument, textBody } from './answer-formats.js';
import type { HttpAnswer } from './bounded-client.js';

const sgx = SimulatedSgx.create({ seed: 'answer formats' });
const bundle = sgx.collateral();
const crl = Buffer.from(bundle.pck_crl, 'hex');

const answer = (body: Buffer | string, headers: Record<string, string> = {}): HttpAnswer => ({
  body: Buffer.from(body as string),
  header: (name) => headers[name],
});
const malformed = expect.objectContaining({ name: 'SourceError', kind: 'malformed' });
const refusal = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (error) {
    return error;
  }
};

describe('CRL bodies', () => {
  const lines = (crl.toString('base64').match(/.{1,64}/g) ?? []).join('\n');
  it.each([
    ['DER', crl],
    ['hex text, as a PCCS sends it', Buffer.from(crl.toString('hex'))],
    ['hex in capitals with a line end', Buffer.from(`${crl.toString('hex').toUpperCase()}\n`)],
    ['PEM', Buffer.from(`-----BEGIN X509 CRL-----\n${lines}\n-----END X509 CRL-----\n`)],
    [
      'PEM with CRLF',
      Buffer.from(`-----BEGIN X509 CRL-----\n${lines}\n-----END X509 CRL-----\n`.replaceAll('\n', '\r\n')),
    ],
  ])('reads %s', (_name, body) => {
    expect(crlBody('test', answer(body))).toBe(bundle.pck_crl);
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['half a byte of hex', Buffer.from('abc')],
    ['a page', Buffer.from('<html></html>')],
    ['no UTF-8', Buffer.from([0xff, 0xfe])],
    ['PEM of something else', Buffer.from(sgx.rootPem)],
    ['PEM with junk in its base64', Buffer.from('-----BEGIN X509 CRL-----\nAAA=A\n-----END X509 CRL-----')],
  ])('refuses %s', (_name, body) => {
    expect(refusal(() => crlBody('test', answer(body)))).toEqual(malformed);
  });
});

describe('issuer chains', () => {
  const chain = bundle.tcb_info_issuer_chain;

  it('decodes the header and gives canonical PEM, whatever the line ends and what stands between', () => {
    const encoded = encodeURIComponent(`\n${chain.replaceAll('\n', '\r\n')}\r\n\r\n`);
    expect(
      chainHeader('test', answer('', { 'tcb-info-issuer-chain': encoded }), ['TCB-Info-Issuer-Chain']),
    ).toBe(chain);
  });

  it('takes the first of the names that is there', () => {
    const headers = { 'sgx-tcb-info-issuer-chain': encodeURIComponent(chain) };
    expect(
      chainHeader('test', answer('', headers), ['TCB-Info-Issuer-Chain', 'SGX-TCB-Info-Issuer-Chain']),
    ).toBe(chain);
  });

  it.each([
    ['no header', {}],
    ['broken percent-encoding', { 'a-chain': '%E0%A4%A' }],
    ['no certificate', { 'a-chain': 'nothing' }],
    ['too many certificates', { 'a-chain': encodeURIComponent(chain.repeat(3)) }],
  ])('refuses %s', (_name, headers) => {
    expect(refusal(() => chainHeader('test', answer('', headers), ['A-Chain']))).toEqual(malformed);
  });

  it('does not change what a certificate says', () => {
    expect(canonicalChain('test', sgx.rootPem)).toBe(sgx.rootPem);
  });
});

describe('signed documents', () => {
  it('cuts out the exact text', () => {
    const body = `{"signature":"${bundle.tcb_info_signature}",  "tcbInfo": ${bundle.tcb_info} }`;
    expect(signedDocument('test', answer(body), 'tcbInfo')).toEqual({
      body: bundle.tcb_info,
      signature: bundle.tcb_info_signature,
    });
  });

  it.each([
    '',
    '[]',
    '{}',
    '{"tcbInfo":{}}',
    `{"tcbInfo":{},"tcbInfo":{},"signature":""}`,
    '{"tcbInfo":{},"signature":1}',
  ])('refuses %s', (body) => {
    expect(refusal(() => signedDocument('test', answer(body), 'tcbInfo'))).toEqual(malformed);
  });

  it('refuses text that is not UTF-8', () => {
    expect(() => textBody('test', answer(Buffer.from([0xc3, 0x28])))).toThrow(SourceError);
  });
});
