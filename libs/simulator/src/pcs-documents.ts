import {
  buildBundle,
  chainPem,
  pckCrlProfile,
  rootCrlProfile,
  type CollateralOptions,
  type SimulatedBundle,
} from './collateral.js';
import { issueCrl } from './crl.js';
import type { PckCa } from './pki.js';
import type { SimulatedSgx } from './simulated-sgx.js';
import type { Tee } from './tcb-documents.js';

/** A document as a provisioning service delivers it: the body, and the chain that its header carries. */
export interface PcsDocument {
  body: Buffer;
  /** PEM, not yet percent-encoded; absent for the root CRL. */
  issuerChainPem?: string;
}

/** An evaluation of a TCB recovery, as `/tcbevaluationdatanumbers` lists them. */
export interface EvaluationDataNumber {
  number: number;
  recoveryEventDate: string;
  tcbDate: string;
}

export const EVALUATION_DATA_NUMBERS: EvaluationDataNumber[] = [
  { number: 20, recoveryEventDate: '2025-08-12T00:00:00Z', tcbDate: '2025-08-13T00:00:00Z' },
  { number: 19, recoveryEventDate: '2025-05-13T00:00:00Z', tcbDate: '2025-05-14T00:00:00Z' },
  { number: 18, recoveryEventDate: '2024-11-12T00:00:00Z', tcbDate: '2024-11-13T00:00:00Z' },
];

/** `{"tcbInfo":…,"signature":"…"}` with the signed text unchanged inside (PCS API v4). */
export const tcbInfoEnvelope = (bundle: SimulatedBundle): string =>
  `{"tcbInfo":${bundle.tcb_info},"signature":"${bundle.tcb_info_signature}"}`;

/** `{"enclaveIdentity":…,"signature":"…"}` with the signed text unchanged inside (PCS API v4). */
export const qeIdentityEnvelope = (bundle: SimulatedBundle): string =>
  `{"enclaveIdentity":${bundle.qe_identity},"signature":"${bundle.qe_identity_signature}"}`;

/** The documents behind the HTTP paths of PCS, PCCS and THIM, without any HTTP. */
export class PcsDocuments {
  constructor(private readonly sgx: SimulatedSgx) {}

  tcbInfo(options: CollateralOptions): PcsDocument {
    const bundle = buildBundle(this.sgx.pki, options.at ?? this.sgx.now(), options);
    return { body: Buffer.from(tcbInfoEnvelope(bundle)), issuerChainPem: bundle.tcb_info_issuer_chain };
  }

  qeIdentity(options: CollateralOptions): PcsDocument {
    const bundle = buildBundle(this.sgx.pki, options.at ?? this.sgx.now(), options);
    return { body: Buffer.from(qeIdentityEnvelope(bundle)), issuerChainPem: bundle.qe_identity_issuer_chain };
  }

  /** DER; the transport encodes it as PEM or hex where it must. */
  pckCrl(ca: PckCa, options: CollateralOptions = {}): PcsDocument {
    const { pki } = this.sgx;
    return {
      body: issueCrl(pckCrlProfile(pki, ca, options.at ?? this.sgx.now(), options)),
      issuerChainPem: chainPem(options.pckCrlChain ?? [pki[ca], pki.root]),
    };
  }

  rootCrl(options: CollateralOptions = {}): PcsDocument {
    return { body: issueCrl(rootCrlProfile(this.sgx.pki, options.at ?? this.sgx.now(), options)) };
  }

  evaluationDataNumbers(
    tee: Tee,
    numbers: EvaluationDataNumber[],
    options: CollateralOptions = {},
  ): PcsDocument {
    const at = options.at ?? this.sgx.now();
    const iso = (date: Date): string => date.toISOString().replace(/\.\d{3}Z$/, 'Z');
    const text = JSON.stringify({
      id: tee === 'sgx' ? 'SGX' : 'TDX',
      version: 1,
      issueDate: iso(at),
      nextUpdate: iso(new Date(at.getTime() + 30 * 86_400_000)),
      tcbEvalNumbers: numbers.map((each) => ({
        tcbEvaluationDataNumber: each.number,
        tcbRecoveryEventDate: each.recoveryEventDate,
        tcbDate: each.tcbDate,
      })),
    });
    const { root, tcbSigner } = this.sgx.pki;
    const signature = tcbSigner.key.signDeterministic(Buffer.from(text)).toString('hex');
    return {
      body: Buffer.from(`{"tcbEvaluationDataNumbers":${text},"signature":"${signature}"}`),
      issuerChainPem: chainPem([tcbSigner, root]),
    };
  }
}
