import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SimulatedSgx } from '#simulator';
import { DcapError } from './error.js';
import { parseQeIdentity } from './qe-identity.js';
import { splitSignedDocument, strictHex } from './signed-json.js';
import { parseTcbInfo } from './tcb-info.js';

const sgx = SimulatedSgx.create({ seed: 'documents', now: new Date('2026-06-01T00:00:00Z') });
const bundles = { sgx: sgx.collateral(), tdx: sgx.collateral({ tee: 'tdx' }) };
type Document = Record<string, unknown>;
const documentOf = (tee: 'sgx' | 'tdx'): Document => JSON.parse(bundles[tee].tcb_info) as Document;
const identity = JSON.parse(bundles.sgx.qe_identity) as Document;

const codeOf = (read: () => unknown): string => {
  try {
    read();
  } catch (error) {
    return error instanceof DcapError ? error.code : 'a raw error';
  }
  return 'accepted';
};
const tcbInfo = (document: unknown): string => codeOf(() => parseTcbInfo(JSON.stringify(document)));
const qeIdentity = (document: unknown): string => codeOf(() => parseQeIdentity(JSON.stringify(document)));

describe('TCB info', () => {
  it.each(['sgx', 'tdx'] as const)('%s: levels come highest first, whatever their order', (tee) => {
    const document = documentOf(tee);
    const levels = document['tcbLevels'] as unknown[];
    const { levels: sorted } = parseTcbInfo(JSON.stringify(document));
    expect(parseTcbInfo(JSON.stringify({ ...document, tcbLevels: [...levels].reverse() })).levels).toEqual(
      sorted,
    );
    for (const [i, level] of sorted.slice(1).entries()) {
      expect(sorted[i]?.components.compare(level.components)).toBeGreaterThanOrEqual(0);
    }
  });

  it.each(['sgx', 'tdx'] as const)('%s: each member is required and typed', (tee) => {
    const document = documentOf(tee);
    for (const name of Object.keys(document)) {
      if (name === 'tdxModuleIdentities') continue;
      const { [name]: _removed, ...rest } = document;
      expect([name, tcbInfo(rest)]).toEqual([name, 'TCB_INFO_INVALID']);
      for (const wrong of [null, true, -1, 1.5, [], {}, '\u0000']) {
        expect([name, tcbInfo({ ...document, [name]: wrong })]).toEqual([name, 'TCB_INFO_INVALID']);
      }
    }
  });

  it('knows versions 2 and 3', () => {
    const document = documentOf('sgx');
    expect(tcbInfo({ ...document, version: 4 })).toBe('TCB_INFO_VERSION_UNSUPPORTED');
    expect(tcbInfo({ ...document, version: 1 })).toBe('TCB_INFO_VERSION_UNSUPPORTED');
    const v2 = parseTcbInfo(sgx.collateral({ tcbInfoVersion: 2 }).tcb_info);
    const v3 = parseTcbInfo(bundles.sgx.tcb_info);
    expect([v2.version, v2.id]).toEqual([2, 'SGX']);
    expect(v2.levels.map(({ components }) => components)).toEqual(
      v3.levels.map(({ components }) => components),
    );
  });

  it('refuses unknown statuses by a code of their own', () => {
    const document = documentOf('sgx');
    const [first, ...others] = document['tcbLevels'] as Document[];
    for (const tcbStatus of ['Fine', 'uptodate', 'TDRelaunchAdvised']) {
      expect(tcbInfo({ ...document, tcbLevels: [{ ...first, tcbStatus }, ...others] })).toBe(
        'TCB_STATUS_UNKNOWN',
      );
    }
  });

  it.each([
    '2026-02-30T00:00:00Z',
    '2026-06-01',
    '2026-06-01T00:00:00',
    '2026-06-01T00:00:00.000Z',
    '2026-06-01T00:00:00+00:00',
    '2026-06-01T24:00:00Z',
    ' 2026-06-01T00:00:00Z',
    '2026-06-01t00:00:00z',
  ])('refuses the date %s', (issueDate) => {
    expect(tcbInfo({ ...documentOf('sgx'), issueDate })).toBe('TCB_INFO_INVALID');
  });
});

describe('QE identity', () => {
  it('requires each member', () => {
    for (const name of Object.keys(identity)) {
      const { [name]: _removed, ...rest } = identity;
      expect([name, qeIdentity(rest)]).toEqual([name, 'QE_IDENTITY_INVALID']);
      expect([name, qeIdentity({ ...identity, [name]: null })]).toEqual([name, 'QE_IDENTITY_INVALID']);
    }
    expect(qeIdentity({ ...identity, version: 1 })).toBe('QE_IDENTITY_VERSION_UNSUPPORTED');
    expect(qeIdentity({ ...identity, id: 'XE' })).toBe('QE_IDENTITY_INVALID');
    expect(qeIdentity({ ...identity, id: 'QVE' })).toBe('accepted');
  });
});

describe('any text', () => {
  it('leads to an own error or to a document', () => {
    const text = bundles.tdx.tcb_info;
    fc.assert(
      fc.property(
        fc.nat(text.length - 1),
        fc.constantFrom(...'{}[]",:0-.eX \\'),
        fc.boolean(),
        (at, character, cut) => {
          const changed = cut ? text.slice(0, at) : text.slice(0, at) + character + text.slice(at + 1);
          expect(codeOf(() => parseTcbInfo(changed))).not.toBe('a raw error');
          expect(codeOf(() => parseQeIdentity(changed))).not.toBe('a raw error');
        },
      ),
      { numRuns: 400 },
    );
  });
});

describe('splitSignedDocument', () => {
  const signature = 'ab'.repeat(64);

  it('cuts the exact text, in either order of the members', () => {
    const body = '{ "a" : "}\\"" ,\n"tcbInfo":{"signature":"x"}}';
    for (const text of [
      `{"tcbInfo":${body},"signature":"${signature}"}`,
      ` {"signature":"${signature}","tcbInfo":${body}} `,
    ]) {
      expect(splitSignedDocument(text, 'tcbInfo')).toEqual({ body, signature });
    }
  });

  it.each([
    ['a third member', `{"tcbInfo":{},"signature":"${signature}","x":1}`],
    ['no signature', '{"tcbInfo":{},"x":1}'],
    ['a short signature', `{"tcbInfo":{},"signature":"${signature.slice(2)}"}`],
    ['a signature that is not hex', `{"tcbInfo":{},"signature":"${signature.slice(1)}g"}`],
    ['another document', `{"enclaveIdentity":{},"signature":"${signature}"}`],
    ['a document that is no object', `{"tcbInfo":[],"signature":"${signature}"}`],
    ['a document twice', `{"tcbInfo":{},"tcbInfo":{},"signature":"${signature}"}`],
    ['a list', '[]'],
  ])('refuses %s', (_name, text) => {
    expect(codeOf(() => splitSignedDocument(text, 'tcbInfo'))).toBe('TCB_INFO_INVALID');
  });
});

describe('strictHex', () => {
  it('takes one case and whole bytes only', () => {
    expect(strictHex('00aF'.toLowerCase(), 'CRL_INVALID', 'x')).toEqual(Buffer.from([0, 0xaf]));
    expect(strictHex('00AF', 'CRL_INVALID', 'x')).toEqual(Buffer.from([0, 0xaf]));
    for (const text of ['aF', '0', '0g', ' 00', '00\n', '0x00']) {
      expect(codeOf(() => strictHex(text, 'CRL_INVALID', 'x'))).toBe('CRL_INVALID');
    }
  });
});
