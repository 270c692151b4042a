import type { Identity } from '../../manifest/identity-schema.js';
import { publicSigner } from '../../lint/public-signers.js';
import type { PathStep } from '../../problem.js';
import type { SconeService } from '../model.js';
import type { ImportReport } from './report.js';

const QE_ID = /^INTEL_QE_ID:([0-9a-f]{32})$/i;

/** The variants of a service: one entry of an identity each, of which one must hold. Undefined where none is left. */
export function importIdentity(
  service: SconeService,
  at: readonly PathStep[],
  report: ImportReport,
): Identity | Identity[] | undefined {
  for (const key of ['attestation', 'mrenclaves'])
    report.mapped([...at, key], 'identity: one entry for each variant, of which one must hold');
  for (const name of service.variantReferences)
    report.unsupported([...at, 'attestation', name], `"${name}" stands in another session; copy its text`);
  const entries = service.variants.flatMap(({ mrenclave, signer }): Identity[] => {
    if (!signer) return mrenclave ? [{ mrenclave: [...mrenclave] }] : [];
    const reason = publicSigner(signer.mrsigner);
    if (reason !== undefined && mrenclave === undefined) {
      report.unsupported([...at, 'attestation', 'mrsigner'], `${reason}: anybody can sign with it`);
      return [];
    }
    const { isvprodid, least, most } = signer;
    return [
      {
        ...(mrenclave ? { mrenclave: [...mrenclave] } : {}),
        mrsigner: [signer.mrsigner],
        ...(isvprodid === undefined ? {} : { isvprodid }),
        ...(least === undefined ? {} : { isvsvn: least }),
        ...(most === undefined ? {} : { isvsvnMax: most }),
      },
    ];
  });
  const [first, ...more] = entries;
  return more.length === 0 ? first : entries;
}

/** `platforms`: identifiers of quoting enclaves. Undefined where every machine may do; `false` where no entry could be taken over. */
export function importPlatforms(
  service: SconeService,
  at: readonly PathStep[],
  report: ImportReport,
): { readonly qeIds: string[] } | undefined | false {
  if (service.platforms.length === 0) return undefined;
  const qeIds: string[] = [];
  for (const [index, platform] of service.platforms.entries()) {
    const id = QE_ID.exec(platform)?.[1];
    const path = [...at, 'platforms', index];
    if (id === undefined) {
      report.unsupported(path, "neither INTEL_QE_ID and 32 hexadecimal digits: SCONE's own quoting enclave?");
      continue;
    }
    qeIds.push(id.toLowerCase());
    report.mapped(path, 'platform.qeIds');
  }
  return qeIds.length === 0 ? false : { qeIds };
}
