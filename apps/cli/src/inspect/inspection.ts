/** What `siegel inspect` can recognise. */
export type Kind =
  | 'quote'
  | 'open-enclave-evidence'
  | 'certificates'
  | 'ra-tls-certificate'
  | 'crl'
  | 'tcb-info'
  | 'qe-identity'
  | 'collateral-bundle'
  | 'sigstruct';

export type FieldValue = string | number | boolean | readonly string[];

/** One field. `offset` and `size` are in bytes of the decoded file (for PEM: of its DER). */
export interface Field {
  readonly name: string;
  readonly value: FieldValue;
  readonly offset?: number;
  readonly size?: number;
  /** What the value says, where that is not obvious. */
  readonly note?: string;
}

export interface Section {
  readonly title: string;
  readonly fields: readonly Field[];
}

/** Something in the file that calls for an explanation: a status, an advisory, debug mode, a weakness. */
export interface Remark {
  readonly subject: string;
  readonly meaning: string;
  readonly action?: string;
  readonly url?: string;
}

/** A file taken apart. Nothing in it is verified unless a field says so. */
export interface Inspection {
  readonly kind: Kind;
  readonly title: string;
  readonly sections: readonly Section[];
  readonly remarks: readonly Remark[];
}

export const field = (name: string, value: FieldValue, note?: string): Field => ({
  name,
  value,
  ...(note === undefined ? {} : { note }),
});

/** Fields whose value may be absent: those that are present. */
export const present = (...fields: readonly (Field | undefined)[]): Field[] =>
  fields.filter((each): each is Field => each !== undefined);
