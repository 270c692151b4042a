import { hash } from 'node:crypto';

export const KEY_BYTES = 32;
const ID_BYTES = 8;
const MAX_KEYS = 16;

export interface EvidenceKey {
  /** 8 bytes of a digest of the key, in hex: says which key it was without saying anything of it. */
  id: string;
  key: Buffer;
}

/** The keys of kept evidence: the first one encrypts, all of them decrypt. */
export interface EvidenceKeys {
  current: EvidenceKey;
  all: ReadonlyMap<string, EvidenceKey>;
}

/** @throws RangeError unless there are 1 to 16 different keys of 32 bytes */
export function evidenceKeys(keys: readonly Uint8Array[]): EvidenceKeys {
  if (keys.some(({ length }) => length !== KEY_BYTES))
    throw new RangeError(`a key does not have ${KEY_BYTES} bytes`);
  const named = keys.map((key): [string, EvidenceKey] => {
    const id = idOf(key);
    return [id, { id, key: Buffer.from(key) }];
  });
  const all = new Map(named);
  const [first] = all.values();
  if (!first || all.size !== keys.length || keys.length > MAX_KEYS)
    throw new RangeError(`there are not 1 to ${MAX_KEYS} different keys`);
  return { current: first, all };
}

const idOf = (key: Uint8Array): string =>
  hash('sha256', Buffer.concat([Buffer.from('siegel evidence key v1\0'), key]), 'hex').slice(0, ID_BYTES * 2);
