import type { DcapErrorCode } from '#dcap';

/** One thing that is wrong with the text of a PEM chain of valid certificates. */
export interface PemFault {
  what: string;
  code: DcapErrorCode;
  edit(text: string): string;
}

const END = '-----END CERTIFICATE-----';
const bad = (
  what: string,
  edit: (text: string) => string,
  code: DcapErrorCode = 'PEM_INVALID',
): PemFault => ({ what, code, edit });

/** Replaces one line of the first certificate's base64. */
const editLine = (text: string, index: number, edit: (line: string) => string): string =>
  text
    .split('\n')
    .map((line, at) => (at === index ? edit(line) : line))
    .join('\n');

const base64Of = (text: string): string => text.replace(/-----[A-Z ]+-----|\s|\0/g, '');

export const PEM_FAULTS: PemFault[] = [
  bad('no text', () => ''),
  bad('text that is no PEM', () => 'not a certificate'),
  bad('base64 without armour', base64Of),
  bad('text before the first certificate', (text) => `Bag Attributes\n${text}`),
  bad('a byte order mark', (text) => `\ufeff${text}`),
  bad('text between the certificates', (text) => text.replace(`${END}\n`, `${END}\nsubject=x\n`)),
  bad('a blank line between the certificates', (text) => text.replace(`${END}\n`, `${END}\n\n`)),
  bad('text after the last certificate', (text) => `${text.replace('\0', '')}trailing`),
  bad('two NULs at the end', (text) => `${text.replace('\0', '')}\0\0`),
  bad('spaces at the end', (text) => `${text.replace('\0', '')}  \n`),
  bad('no END line at the end', (text) => text.replace(/-----END CERTIFICATE-----\n?\0?$/, '')),
  // What stands between the first BEGIN and the next END then counts as one certificate.
  bad('no END line after the first certificate', (text) => text.replace(END, ''), 'CERT_CHAIN_LENGTH'),
  bad('a broken BEGIN line', (text) => text.replace('-----BEGIN', '----BEGIN')),
  bad('the label TRUSTED CERTIFICATE', (text) =>
    text.replaceAll('CERTIFICATE-----', 'TRUSTED CERTIFICATE-----'),
  ),
  bad('the label X509 CERTIFICATE', (text) => text.replaceAll(' CERTIFICATE-----', ' X509 CERTIFICATE-----')),
  bad('lower-case armour', (text) => text.replace('BEGIN CERTIFICATE', 'begin certificate')),
  bad('a header inside of the armour', (text) =>
    editLine(text, 0, (line) => `${line}\nProc-Type: 4,ENCRYPTED`),
  ),
  bad('a line of 63 characters', (text) =>
    editLine(text, 1, (line) => `${line.slice(0, 63)}\n${line.slice(63)}`),
  ),
  bad('a space inside of the base64', (text) =>
    editLine(text, 1, (line) => `${line.slice(0, 10)} ${line.slice(10)}`),
  ),
  bad('a space at the end of a line', (text) => editLine(text, 1, (line) => `${line} `)),
  bad('a foreign character in the base64', (text) => editLine(text, 2, (line) => `!${line.slice(1)}`)),
  bad('base64url', (text) => editLine(text, 2, (line) => `-_${line.slice(2)}`)),
  bad('mixed line ends', (text) => editLine(text, 3, (line) => `${line}\r`)),
  bad('line ends of old Macintoshes', (text) => text.replaceAll('\n', '\r')),
];
