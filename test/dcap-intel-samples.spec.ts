import { describe, expect, it } from '@jest/globals';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { splitSignedDocument, trustAnchorFromPem, verifyQuote } from '#dcap';
import type { CollateralBundle, TrustAnchor, VerificationReport } from '#dcap';

const SAMPLES = join(process.cwd(), '..', 'shared', 'vectors', 'intel-samples');
const present = existsSync(SAMPLES);
if (!present) console.warn(`no vectors at ${SAMPLES}: Intel's synthetic samples are not tested here`);
const whenPresent = present ? it : it.skip;

const file = (...path: string[]): Buffer => readFileSync(join(SAMPLES, ...path));
const text = (...path: string[]): string => file(...path).toString('utf8');

interface SampleInput {
  readonly tcbInfo: string;
  readonly qeIdentity: string;
  readonly tcbChain: string;
  readonly pckIssuers: string;
  readonly rootCrl: string;
  readonly pckCrl: string;
}

function bundleOf(input: SampleInput): CollateralBundle {
  const info = splitSignedDocument(input.tcbInfo, 'tcbInfo');
  const identity = splitSignedDocument(input.qeIdentity, 'enclaveIdentity');
  return {
    tcb_info: info.body,
    tcb_info_signature: info.signature,
    tcb_info_issuer_chain: input.tcbChain,
    qe_identity: identity.body,
    qe_identity_signature: identity.signature,
    qe_identity_issuer_chain: input.tcbChain,
    root_ca_crl: input.rootCrl,
    pck_crl: input.pckCrl,
    pck_crl_issuer_chain: input.pckIssuers,
  };
}

function sampleBundle(folder: string): CollateralBundle {
  return bundleOf({
    tcbInfo: text(folder, 'tcbInfo.json'),
    qeIdentity: text(folder, 'qeIdentity.json'),
    tcbChain: text(folder, 'tcbSignChain.pem'),
    pckIssuers: text(folder, 'pckSignChain.pem'),
    rootCrl: file(folder, 'rootCaCrl.der').toString('hex'),
    pckCrl: file(folder, 'intermediateCaCrl.der').toString('hex'),
  });
}

function anchorOf(pem: string): TrustAnchor {
  return trustAnchorFromPem(pem, { id: 'intel-sample', simulated: true });
}

function verifySample(
  folder: string,
  at: string,
  changes: { chain?: string | undefined } = {},
): VerificationReport {
  const chain =
    'chain' in changes ? changes.chain : text(folder, 'pckCert.pem') + text(folder, 'pckSignChain.pem');
  return verifyQuote(file(folder, 'quote.dat'), sampleBundle(folder), {
    at: new Date(at),
    trustAnchors: [anchorOf(text(folder, 'trustedRootCaCert.pem'))],
    ...(chain !== undefined && { pckCertificateChain: chain }),
  });
}

describe("Intel's synthetic samples", () => {
  whenPresent('SGX version 3 with PPID in clear needs the PCK chain to be looked up', () => {
    expect(verifySample('sgx-v3-type1', '2020-06-01T00:00:00Z', { chain: undefined }).error?.code).toBe(
      'PCK_LOOKUP_REQUIRED',
    );
  });

  whenPresent('SGX version 3 with the chain that was looked up is UpToDate', () => {
    const report = verifySample('sgx-v3-type1', '2020-06-01T00:00:00Z');
    expect(report.error).toBeUndefined();
    expect(report).toMatchObject({
      verified: true,
      tcbStatus: 'UpToDate',
      simulated: true,
      trustRoot: 'intel-sample',
      fmspc: '00707f000000',
    });
  });

  whenPresent('SGX version 3 after its PCK certificate expired', () => {
    expect(verifySample('sgx-v3-type1', '2026-10-01T00:00:00Z').error?.code).toBe('CERT_EXPIRED');
  });

  whenPresent("a sample is not trusted beneath Intel's production root", () => {
    const folder = 'sgx-v3-type1';
    const report = verifyQuote(file(folder, 'quote.dat'), sampleBundle(folder), {
      at: new Date('2020-06-01T00:00:00Z'),
      pckCertificateChain: text(folder, 'pckCert.pem') + text(folder, 'pckSignChain.pem'),
    });
    expect(report).toMatchObject({ verified: false, trustRoot: '', error: { code: 'ROOT_NOT_TRUSTED' } });
  });

  whenPresent('TDX version 4: TCB info with SVNs above 255, which Intel truncates, is refused', () => {
    const report = verifySample('tdx-v4', '2022-06-01T00:00:00Z');
    expect(report.error?.code).toBe('TCB_INFO_INVALID');
    expect(report.steps.filter(({ ok }) => !ok).map(({ name }) => name)).toEqual(['tcb-info']);
  });

  whenPresent('SGX in a version 4 quote is UpToDate', () => {
    const context = JSON.parse(text('sgx-v4-qvs', 'qvltest-context.json')) as Record<string, string>;
    const member = (name: string): string => context[name] ?? '';
    const report = verifyQuote(
      Buffer.from(member('quote'), 'base64'),
      bundleOf({
        tcbInfo: member('tcbInfo'),
        qeIdentity: member('qeIdentity'),
        tcbChain: member('tcbSigningCertChain'),
        pckIssuers: member('pckCertIssuerCertChain'),
        rootCrl: member('rootCrl'),
        pckCrl: member('intermediateCrl'),
      }),
      {
        at: new Date('2022-08-01T00:00:00Z'),
        trustAnchors: [anchorOf(member('rootCaCert'))],
        pckCertificateChain: `${member('standardPckCertificate')}${member('pckCertIssuerCertChain')}`,
      },
    );
    expect(report.error).toBeUndefined();
    expect(report).toMatchObject({ verified: true, tcbStatus: 'UpToDate', quoteVersion: 4, tee: 'sgx' });
  });
});
