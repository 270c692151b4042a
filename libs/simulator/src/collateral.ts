import type { IssuedCertificate } from './certificate.js';
import { crlProfile, issueCrl, type CrlProfile, type RevokedSerial } from './crl.js';
import type { P256Key } from './p256-key.js';
import type { PckCa, SimulatedPki } from './pki.js';
import {
  defaultModuleIdentities,
  defaultQeLevels,
  defaultTcbLevels,
  qeIdentityDocument,
  tcbInfoDocument,
  type IsvLevel,
  type JsonObject,
  type TcbLevel,
  type TdxModuleIdentity,
  type Tee,
} from './tcb-documents.js';

/** Offline collateral in the bundle format: JSON documents as exact text, signatures and CRLs as hex, chains as PEM. */
export interface SimulatedBundle {
  tcb_info: string;
  tcb_info_signature: string;
  tcb_info_issuer_chain: string;
  qe_identity: string;
  qe_identity_signature: string;
  qe_identity_issuer_chain: string;
  root_ca_crl: string;
  pck_crl: string;
  pck_crl_issuer_chain: string;
}

/** Every part can be replaced alone; what is not named is valid and matches the rest. */
export interface CollateralOptions {
  tee?: Tee;
  /** 12 hex digits; written into the document as given. */
  fmspc?: string;
  /** 4 hex digits. */
  pceId?: string;
  ca?: PckCa;
  /** The moment at which the collateral is fetched: documents date from that day's midnight (UTC). */
  at?: Date;
  issueDate?: Date;
  nextUpdate?: Date;
  /** Version of the TCB info; 2 exists for SGX only. */
  tcbInfoVersion?: 2 | 3;
  tcbEvaluationDataNumber?: number;
  qeEvaluationDataNumber?: number;
  tcbLevels?: TcbLevel[];
  qeLevels?: IsvLevel[];
  moduleIdentities?: TdxModuleIdentity[];
  /** Changes the documents before they are serialised and signed. */
  editTcbInfo?: (document: JsonObject) => JsonObject;
  editQeIdentity?: (document: JsonObject) => JsonObject;
  /** Changes the serialised text before it is signed. */
  editTcbInfoText?: (text: string) => string;
  editQeIdentityText?: (text: string) => string;
  /** Serial numbers that the root's and the PCK CA's lists revoke. */
  revokedByRoot?: (Buffer | RevokedSerial)[];
  revokedPcks?: (Buffer | RevokedSerial)[];
  crlNumber?: number;
  rootCrl?: Partial<CrlProfile>;
  pckCrl?: Partial<CrlProfile>;
  /** Signs the documents in place of the TCB signer's key. */
  tcbInfoKey?: P256Key;
  qeIdentityKey?: P256Key;
  /** Certificates of the three chains, leaf first. */
  tcbInfoChain?: IssuedCertificate[];
  qeIdentityChain?: IssuedCertificate[];
  pckCrlChain?: IssuedCertificate[];
}

export const DEFAULT_FMSPC = '00606a000000';
export const DEFAULT_PCE_ID = '0000';
export const DEFAULT_EVALUATION_DATA_NUMBER = 20;

const DAY = 86_400_000;
const EPOCH_DAY_2018 = Math.floor(Date.UTC(2018, 0, 1) / DAY);

export const chainPem = (chain: IssuedCertificate[]): string => chain.map((each) => each.pem).join('');

const revokedEntries = (list: (Buffer | RevokedSerial)[] | undefined): RevokedSerial[] =>
  (list ?? []).map((each) => (Buffer.isBuffer(each) ? { serial: each } : each));

/** The validity of collateral that is fetched at `at`: Intel renews documents and PCK CRLs for 30 days, root CRLs for a year. */
export function collateralWindow(at: Date): {
  issueDate: Date;
  nextUpdate: Date;
  rootNextUpdate: Date;
  crlNumber: number;
} {
  const day = Math.floor(at.getTime() / DAY);
  return {
    issueDate: new Date(day * DAY),
    nextUpdate: new Date((day + 30) * DAY),
    rootNextUpdate: new Date((day + 365) * DAY),
    crlNumber: Math.max(1, day - EPOCH_DAY_2018),
  };
}

export function rootCrlProfile(pki: SimulatedPki, at: Date, options: CollateralOptions = {}): CrlProfile {
  const window = collateralWindow(at);
  return {
    ...crlProfile(pki.root, {
      thisUpdate: window.issueDate,
      nextUpdate: window.rootNextUpdate,
      number: options.crlNumber ?? window.crlNumber,
      revoked: revokedEntries(options.revokedByRoot),
    }),
    ...options.rootCrl,
  };
}

export function pckCrlProfile(
  pki: SimulatedPki,
  ca: PckCa,
  at: Date,
  options: CollateralOptions = {},
): CrlProfile {
  const window = collateralWindow(at);
  return {
    ...crlProfile(pki[ca], {
      thisUpdate: window.issueDate,
      nextUpdate: window.nextUpdate,
      number: options.crlNumber ?? window.crlNumber,
      revoked: revokedEntries(options.revokedPcks),
    }),
    ...options.pckCrl,
  };
}

/** The exact text of the TCB info that will be signed. */
export function tcbInfoText(at: Date, options: CollateralOptions): string {
  const window = collateralWindow(at);
  const tee = options.tee ?? 'sgx';
  const document = tcbInfoDocument({
    tee,
    version: options.tcbInfoVersion ?? 3,
    issueDate: options.issueDate ?? window.issueDate,
    nextUpdate: options.nextUpdate ?? window.nextUpdate,
    fmspc: options.fmspc ?? DEFAULT_FMSPC,
    pceId: options.pceId ?? DEFAULT_PCE_ID,
    evaluationDataNumber: options.tcbEvaluationDataNumber ?? DEFAULT_EVALUATION_DATA_NUMBER,
    levels: options.tcbLevels ?? defaultTcbLevels(tee),
    moduleIdentities: options.moduleIdentities ?? defaultModuleIdentities(),
  });
  const text = JSON.stringify(options.editTcbInfo?.(document) ?? document);
  return options.editTcbInfoText?.(text) ?? text;
}

/** The exact text of the QE identity that will be signed. */
export function qeIdentityText(at: Date, options: CollateralOptions): string {
  const window = collateralWindow(at);
  const tee = options.tee ?? 'sgx';
  const document = qeIdentityDocument({
    tee,
    issueDate: options.issueDate ?? window.issueDate,
    nextUpdate: options.nextUpdate ?? window.nextUpdate,
    evaluationDataNumber:
      options.qeEvaluationDataNumber ?? options.tcbEvaluationDataNumber ?? DEFAULT_EVALUATION_DATA_NUMBER,
    levels: options.qeLevels ?? defaultQeLevels(tee),
  });
  const text = JSON.stringify(options.editQeIdentity?.(document) ?? document);
  return options.editQeIdentityText?.(text) ?? text;
}

/** Signs everything; the same options at the same day give the same bytes. */
export function buildBundle(pki: SimulatedPki, at: Date, options: CollateralOptions): SimulatedBundle {
  const ca = options.ca ?? 'platform';
  const tcbInfo = tcbInfoText(at, options);
  const qeIdentity = qeIdentityText(at, options);
  const signed = (key: P256Key | undefined, text: string): string =>
    (key ?? pki.tcbSigner.key).signDeterministic(Buffer.from(text, 'utf8')).toString('hex');
  const tcbChain = [pki.tcbSigner, pki.root];
  return {
    tcb_info: tcbInfo,
    tcb_info_signature: signed(options.tcbInfoKey, tcbInfo),
    tcb_info_issuer_chain: chainPem(options.tcbInfoChain ?? tcbChain),
    qe_identity: qeIdentity,
    qe_identity_signature: signed(options.qeIdentityKey, qeIdentity),
    qe_identity_issuer_chain: chainPem(options.qeIdentityChain ?? tcbChain),
    root_ca_crl: issueCrl(rootCrlProfile(pki, at, options)).toString('hex'),
    pck_crl: issueCrl(pckCrlProfile(pki, ca, at, options)).toString('hex'),
    pck_crl_issuer_chain: chainPem(options.pckCrlChain ?? [pki[ca], pki.root]),
  };
}
