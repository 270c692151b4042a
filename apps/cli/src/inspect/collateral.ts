import { parseCollateralBundle, parseQeIdentity, parseTcbInfo, splitSignedDocument } from '#dcap';
import { certificateSections } from './certificates.js';
import { crlSection } from './crl.js';
import type { Inspection, Remark, Section } from './inspection.js';
import { levelRemarks, qeIdentitySections, tcbInfoSections } from './levels.js';

const UNVERIFIED: Remark = {
  subject: 'not verified',
  meaning: 'Signatures and dates are checked only together with a quote.',
  action: 'siegel verify QUOTE --collateral BUNDLE --at TIME',
};

/** TCB info, as PCS answers or bare. @throws DcapError */
export function inspectTcbInfo(text: string, enveloped: boolean): Inspection {
  const signed = enveloped ? splitSignedDocument(text, 'tcbInfo') : undefined;
  const info = parseTcbInfo(signed?.body ?? text);
  const levels = [...info.levels, ...info.tdxModuleIdentities.flatMap((module) => module.levels)];
  return {
    kind: 'tcb-info',
    title: `TCB info for ${info.id}, FMSPC ${info.fmspc}`,
    sections: [...tcbInfoSections(info), ...signatureSection(signed?.signature)],
    remarks: [...levelRemarks(levels), UNVERIFIED],
  };
}

/** QE identity, as PCS answers or bare. @throws DcapError */
export function inspectQeIdentity(text: string, enveloped: boolean): Inspection {
  const signed = enveloped ? splitSignedDocument(text, 'enclaveIdentity') : undefined;
  const identity = parseQeIdentity(signed?.body ?? text);
  return {
    kind: 'qe-identity',
    title: `Identity of the enclave ${identity.id}`,
    sections: [...qeIdentitySections(identity), ...signatureSection(signed?.signature)],
    remarks: [...levelRemarks(identity.levels), UNVERIFIED],
  };
}

/** A collateral bundle, part by part. @throws DcapError */
export function inspectBundle(text: string): Inspection {
  const bundle = parseCollateralBundle(text);
  const info = parseTcbInfo(bundle.tcb_info);
  const identity = parseQeIdentity(bundle.qe_identity);
  const sections: Section[] = [...tcbInfoSections(info), ...qeIdentitySections(identity)];
  for (const [title, hex] of [
    ['CRL of the root CA', bundle.root_ca_crl],
    ['CRL of the PCK CA', bundle.pck_crl],
  ] as const) {
    sections.push(
      hex === ''
        ? {
            title,
            fields: [{ name: 'missing', value: true, note: 'a verification with this bundle refuses' }],
          }
        : crlSection(Buffer.from(hex, 'hex'), title),
    );
  }
  for (const [title, pem] of [
    ['TCB info issuer', bundle.tcb_info_issuer_chain],
    ['QE identity issuer', bundle.qe_identity_issuer_chain],
    ['PCK CRL issuer', bundle.pck_crl_issuer_chain],
  ] as const) {
    for (const section of certificateSections(pem).sections) {
      sections.push({ title: `${title}: ${section.title.toLowerCase()}`, fields: section.fields });
    }
  }
  const levels = [
    ...info.levels,
    ...info.tdxModuleIdentities.flatMap((module) => module.levels),
    ...identity.levels,
  ];
  return {
    kind: 'collateral-bundle',
    title: `Collateral for ${info.id}, FMSPC ${info.fmspc}`,
    sections,
    remarks: [...levelRemarks(levels), UNVERIFIED],
  };
}

function signatureSection(signature: string | undefined): Section[] {
  return signature === undefined
    ? []
    : [{ title: 'Signature', fields: [{ name: 'r and s', value: signature }] }];
}
