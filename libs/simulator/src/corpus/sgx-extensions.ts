import { EXTENSION_OIDS, reissue, type Extension, type IssuedCertificate } from '../certificate.js';
import { boolean, enumerated, integer, octetString, oid, sequence, utf8String } from '../der-writer.js';
import {
  encodeSgxEntries,
  sgxEntries,
  sgxExtension,
  tcbEntries,
  type PlatformDescription,
  type SgxEntry,
} from '../sgx-extension.js';
import { replaced } from './certificate-faults.js';
import { chainCase, type BrokenCase } from './evidence.js';

/** The PCK certificate with another SGX extension, signed by its CA. */
function leafWith(leaf: IssuedCertificate, extension: Extension | undefined): IssuedCertificate {
  const { extensions } = leaf.profile;
  return reissue(leaf, {
    extensions:
      extension === undefined
        ? extensions.filter((each) => each.oid !== EXTENSION_OIDS.sgx)
        : replaced(extensions, extension),
  });
}

function extensionCase(
  name: string,
  build: (description: PlatformDescription) => Buffer | undefined,
): BrokenCase {
  return chainCase(`sgx-extension/${name}`, 'SGX_EXTENSION_INVALID', (chain, made) => {
    const value = build(made.platform.description);
    const leaf = leafWith(chain.leaf, value === undefined ? undefined : { oid: EXTENSION_OIDS.sgx, value });
    return [leaf, chain.intermediate, chain.root];
  });
}

const entriesCase = (
  name: string,
  edit: (entries: SgxEntry[], description: PlatformDescription) => SgxEntry[],
): BrokenCase =>
  extensionCase(name, (description) => sgxExtension(edit(sgxEntries(description), description)).value);

const NAMES: Record<string, string> = {
  '1': 'PPID',
  '2': 'TCB',
  '3': 'PCE id',
  '4': 'FMSPC',
  '5': 'SGX type',
  '6': 'platform instance id',
  '7': 'configuration',
};
const withValue =
  (suffix: string, value: Buffer) =>
  (entries: SgxEntry[]): SgxEntry[] =>
    entries.map((entry) => (entry.suffix === suffix ? { suffix, value } : entry));

const members: BrokenCase[] = Object.entries(NAMES).flatMap(([suffix, name]) => [
  entriesCase(`without ${name}`, (entries) => entries.filter((entry) => entry.suffix !== suffix)),
  entriesCase(`${name} twice`, (entries) => [
    ...entries,
    ...entries.filter((entry) => entry.suffix === suffix),
  ]),
  entriesCase(`${name} twice, another missing`, (entries) =>
    entries.map((entry, index) =>
      index === (suffix === '1' ? 1 : 0) ? (entries[Number(suffix) - 1] as SgxEntry) : entry,
    ),
  ),
  entriesCase(`${name} of a wrong type`, withValue(suffix, utf8String('0000000000000000'))),
]);

/** Octet strings one byte too short and one too long. */
const lengths: BrokenCase[] = (
  [
    ['1', 16],
    ['3', 2],
    ['4', 6],
    ['6', 16],
  ] as const
).flatMap(([suffix, size]) =>
  [0, size - 1, size + 1].map((length) =>
    entriesCase(`${NAMES[suffix]} of ${length} bytes`, withValue(suffix, octetString(Buffer.alloc(length)))),
  ),
);

const tcbCase = (name: string, edit: (entries: SgxEntry[]) => SgxEntry[]): BrokenCase =>
  entriesCase(`TCB ${name}`, (entries, description) =>
    withValue('2', encodeSgxEntries(edit(tcbEntries(description))))(entries),
  );

const tcb: BrokenCase[] = [
  ...Array.from({ length: 18 }, (_, index) => index + 1).flatMap((number) => [
    tcbCase(`without member ${number}`, (entries) =>
      entries.filter((entry) => entry.suffix !== `2.${number}`),
    ),
    tcbCase(`member ${number} twice in place of another`, (entries) =>
      entries.map((entry, index) => (index === number % 18 ? (entries[number - 1] as SgxEntry) : entry)),
    ),
  ]),
  tcbCase('with a 19th member', (entries) => [...entries, { suffix: '2.19', value: integer(0) }]),
  tcbCase('empty', () => []),
  tcbCase('component of 256', withValue('2.1', integer(256))),
  tcbCase('component that is negative', withValue('2.2', Buffer.from([0x02, 0x01, 0xff]))),
  tcbCase('component that is not minimal', withValue('2.3', Buffer.from([0x02, 0x02, 0x00, 0x03]))),
  tcbCase('component without contents', withValue('2.4', Buffer.from([0x02, 0x00]))),
  tcbCase('component as octets', withValue('2.5', octetString(Buffer.from([5])))),
  tcbCase('PCE SVN of 65,536', withValue('2.17', integer(65_536))),
  tcbCase('PCE SVN of eight bytes', withValue('2.17', integer(Buffer.alloc(8, 0x7f)))),
  tcbCase('CPUSVN of 15 bytes', withValue('2.18', octetString(Buffer.alloc(15)))),
  tcbCase('CPUSVN of 17 bytes', withValue('2.18', octetString(Buffer.alloc(17)))),
];

const others: BrokenCase[] = [
  extensionCase('absent', () => undefined),
  extensionCase('empty', () => Buffer.alloc(0)),
  extensionCase('an empty sequence', () => sequence()),
  extensionCase('an octet string', () => octetString(Buffer.alloc(32))),
  extensionCase('bytes after it', (description) =>
    Buffer.concat([sgxExtension(sgxEntries(description)).value, Buffer.alloc(1)]),
  ),
  entriesCase('an eighth member', (entries) => [...entries, { suffix: '8', value: integer(0) }]),
  entriesCase('an unknown member in place of the configuration', (entries) => [
    ...entries.slice(0, 6),
    { suffix: '9', value: integer(0) },
  ]),
  entriesCase('SGX type 3', withValue('5', enumerated(3))),
  entriesCase('SGX type as an integer', withValue('5', integer(1))),
  entriesCase(
    'configuration without a boolean',
    withValue('7', encodeSgxEntries([{ suffix: '7.1', value: integer(1) }])),
  ),
  entriesCase(
    'configuration with a boolean of 01',
    withValue('7', encodeSgxEntries([{ suffix: '7.1', value: Buffer.from([1, 1, 1]) }])),
  ),
  entriesCase(
    'configuration with a flag twice',
    withValue('7', encodeSgxEntries([1, 2].map(() => ({ suffix: '7.1', value: boolean(true) })))),
  ),
  extensionCase('a member outside of Intel’s arc', (description) => {
    const [first, ...rest] = sgxEntries(description);
    const foreign = sequence(oid('1.2.3.4'), first?.value ?? Buffer.alloc(0));
    return sequence(
      foreign,
      ...rest.map((entry) => sequence(oid(`${EXTENSION_OIDS.sgx}.${entry.suffix}`), entry.value)),
    );
  }),
  extensionCase('a member of three elements', (description) =>
    sequence(
      ...sgxEntries(description).map((entry) =>
        sequence(
          oid(`${EXTENSION_OIDS.sgx}.${entry.suffix}`),
          entry.value,
          ...(entry.suffix === '4' ? [entry.value] : []),
        ),
      ),
    ),
  ),
  extensionCase('a member of one element', (description) =>
    sequence(
      ...sgxEntries(description).map((entry) =>
        sequence(
          oid(`${EXTENSION_OIDS.sgx}.${entry.suffix}`),
          ...(entry.suffix === '4' ? [] : [entry.value]),
        ),
      ),
    ),
  ),
];

export const SGX_EXTENSION_CASES: BrokenCase[] = [...members, ...lengths, ...tcb, ...others];
