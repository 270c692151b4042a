import { DcapError, DerReader, TAG } from '#dcap';

/** An extension of a certificate: its object identifier as DER content (hex), and where its value is. */
export interface CertificateExtension {
  readonly oid: string;
  readonly value: Buffer;
  /** Of the value, in the DER of the certificate. */
  readonly offset: number;
}

/**
 * The extensions of any X.509 certificate, whatever its key and version (Occlum writes version 1 with extensions).
 * Object identifiers stay bytes: Gramine's is not a well-formed one. Empty for DER that is not strict.
 */
export function certificateExtensions(der: Buffer): CertificateExtension[] {
  try {
    const fields = DerReader.inside(DerReader.exactly(der, TAG.sequence)).sequence();
    const wrapper = find(fields, TAG.context(3));
    if (!wrapper) return [];
    const list = DerReader.inside(wrapper).sequence();
    const extensions: CertificateExtension[] = [];
    while (!list.atEnd) {
      const extension = list.sequence();
      const oid = extension.next(TAG.oid).value.toString('hex');
      extension.optional(TAG.boolean);
      const { value, valueStart } = extension.next(TAG.octetString);
      extensions.push({ oid, value, offset: valueStart });
    }
    return extensions;
  } catch (error) {
    if (error instanceof DcapError) return [];
    throw error;
  }
}

/** Skips elements until one with the tag. */
function find(reader: DerReader, tag: number): ReturnType<DerReader['next']> | undefined {
  while (!reader.atEnd) {
    const element = reader.next(reader.peek());
    if (element.tag === tag) return element;
  }
  return undefined;
}
