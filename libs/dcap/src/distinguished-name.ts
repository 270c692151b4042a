import { DerReader, oid, TAG } from './der.js';
import { DcapError } from './error.js';

const ATTRIBUTES: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.5': 'serialNumber',
};

/** The attributes of a name by their short names (or OIDs); a name that repeats an attribute is refused. */
export function readName(raw: Buffer): ReadonlyMap<string, string> {
  const name = new Map<string, string>();
  const rdns = DerReader.inside(DerReader.exactly(raw, TAG.sequence));
  while (!rdns.atEnd) {
    const set = DerReader.inside(rdns.next(TAG.set));
    const pair = set.sequence();
    set.end();
    const type = oid(pair.next(TAG.oid));
    const value = pair.next(pair.peek() === TAG.printableString ? TAG.printableString : TAG.utf8String);
    pair.end();
    const key = ATTRIBUTES[type] ?? type;
    if (name.has(key)) throw new DcapError('CERT_INVALID', `a name has ${key} twice`);
    name.set(key, value.value.toString('utf8'));
  }
  return name;
}

/** `CN=…, O=…`, for people. */
export function formatName(raw: Buffer): string {
  return [...readName(raw)].map(([key, value]) => `${key}=${value}`).join(', ');
}
