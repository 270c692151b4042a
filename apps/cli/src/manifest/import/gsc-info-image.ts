import { identityByNames, type SourceNames } from './enclave-identity.js';
import { type Importer, malformed, textOf } from './importer.js';

const NAMES: SourceNames = {
  mrenclave: 'mr_enclave',
  mrsigner: 'mr_signer',
  isvprodid: 'isv_prod_id',
  isvsvn: 'isv_svn',
  debug: 'debug',
};
const BESIDE = new Set(['date', 'flags', 'xfrms', 'misc_select']);

/** Output of `gsc info-image IMAGE`: flat TOML. */
export const GSC_INFO_IMAGE: Importer = {
  what: 'TOML of gsc info-image',
  maxBytes: 64 * 1024,
  read: (file, choices) => {
    const members = flatToml(textOf(file));
    return identityByNames(members, NAMES, BESIDE, choices);
  },
};

const LINE = /^([A-Za-z0-9_-]+)\s*=\s*(?:"([^"\\]*)"|'([^']*)'|(\d{1,9})|(true|false))\s*(?:#.*)?$/;

/** The part of TOML that this tool writes: bare keys with text, whole numbers, true and false. @throws CliError for any other */
function flatToml(text: string): Map<string, string | number | boolean> {
  const found = new Map<string, string | number | boolean>();
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const [, key, double, single, digits, word] = LINE.exec(line) ?? [];
    if (key === undefined) throw malformed(`line ${index + 1} is not "name = value"`);
    if (found.has(key)) throw malformed(`"${key}" stands there twice`);
    found.set(key, double ?? single ?? (digits === undefined ? word === 'true' : Number(digits)));
  }
  return found;
}
