import { DcapError, DerReader, TAG } from '#dcap';
import { derOid } from '#pki';
import { X509Certificate } from 'node:crypto';
import { CoordinatorError } from '../coordinator-error.js';
import type { Coordinator } from '../state/coordinator.js';

/** A marble, as its certificate of an activation says it. */
export interface MarbleIdentity {
  readonly type: string;
  readonly uuid: string;
}

/** Holds the marble type as raw UTF-8, without DER of its own (reference §2.5). */
const MARBLE_TYPE = derOid('1.3.9903.2.1');
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A marble that this deployment has activated under the certificates in force. @throws CoordinatorError UNAUTHORIZED */
export function requireMarble(coordinator: Coordinator, certificate: Buffer | undefined): MarbleIdentity {
  if (certificate === undefined) throw refused('client certificate did not match any Marble');
  const leaf = new X509Certificate(certificate);
  const root = new X509Certificate(coordinator.authority.marbleRoot.certificate);
  if (!leaf.checkIssued(root) || !leaf.verify(root.publicKey))
    throw refused('x509: certificate signed by unknown authority');
  const now = coordinator.ports.clock();
  if (now < leaf.validFromDate || now > leaf.validToDate)
    throw refused('x509: certificate has expired or is not yet valid');
  const uuid = /(?:^|\n)CN=([^\n]*)/.exec(leaf.subject)?.[1] ?? '';
  const type = marbleType(certificate);
  if (!UUID.test(uuid) || type === undefined) throw refused('client certificate did not match any Marble');
  return { type, uuid };
}

function marbleType(certificate: Buffer): string | undefined {
  try {
    const tbs = DerReader.inside(
      DerReader.inside(DerReader.exactly(certificate, TAG.sequence)).next(TAG.sequence),
    );
    tbs.optional(TAG.context(0));
    for (const tag of [TAG.integer, TAG.sequence, TAG.sequence, TAG.sequence, TAG.sequence, TAG.sequence])
      tbs.next(tag);
    const extensions = DerReader.inside(tbs.next(TAG.context(3))).sequence();
    while (!extensions.atEnd) {
      const extension = extensions.sequence();
      const oid = extension.next(TAG.oid);
      extension.optional(TAG.boolean);
      const value = extension.next(TAG.octetString).value;
      if (oid.raw.equals(MARBLE_TYPE)) return new TextDecoder('utf-8', { fatal: true }).decode(value);
    }
    return undefined;
  } catch (error) {
    if (error instanceof DcapError || error instanceof TypeError) return undefined;
    throw error;
  }
}

const refused = (why: string): CoordinatorError =>
  new CoordinatorError('UNAUTHORIZED', `unauthorized marble: ${why}`);
