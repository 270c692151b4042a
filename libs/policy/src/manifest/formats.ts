/** A kind of text that the manifest uses: its pattern is also the JSON Schema's. */
export interface TextFormat {
  /** Code of the problem when a text does not have this format. */
  readonly code: string;
  readonly pattern: RegExp;
  /** Completes the sentence "… must be". */
  readonly what: string;
  /** The right spelling of a wrong text, where it can be derived. */
  readonly repair?: (text: string) => string | undefined;
}

function hex(bytes: number, name: string): TextFormat {
  const pattern = new RegExp(`^[0-9a-f]{${bytes * 2}}$`);
  return {
    code: 'HEX_INVALID',
    pattern,
    what: `${name}: ${bytes * 2} lower-case hexadecimal digits (${bytes} bytes)`,
    repair: (text) => {
      const plain = text.toLowerCase().replace(/^0x/, '').replace(/[\s:]/g, '');
      return pattern.test(plain) ? plain : undefined;
    },
  };
}

const UNITS: Readonly<Record<string, string>> = {
  sec: 's',
  second: 's',
  min: 'm',
  minute: 'm',
  hr: 'h',
  hour: 'h',
  day: 'd',
};

export const FORMATS = {
  mrenclave: hex(32, 'an MRENCLAVE'),
  mrsigner: hex(32, 'an MRSIGNER'),
  bytes64: hex(64, 'a CONFIGID'),
  bytes16: hex(16, 'an identifier'),
  bytes48: hex(48, 'a TDX measurement'),
  sha256: hex(32, 'a SHA-256'),
  fmspc: hex(6, 'an FMSPC'),
  claimName: {
    code: 'CLAIM_NAME_INVALID',
    pattern: /^(?!pubkey-hash$|nonce$|__proto__$)[^\p{Cc}]{1,128}$/u,
    what: 'the name of a claim besides pubkey-hash and nonce, of 1 to 128 characters',
  },
  claimBytes: {
    code: 'HEX_INVALID',
    pattern: /^(?:[0-9a-f]{2}){1,2048}$/,
    what: 'the bytes of the claim as lower-case hexadecimal digits',
    repair: (text) => (text === '' ? undefined : Buffer.from(text, 'utf8').toString('hex')),
  },
  advisory: {
    code: 'ADVISORY_ID_INVALID',
    pattern: /^INTEL-SA-[0-9]{5}$/,
    what: 'an advisory ID such as INTEL-SA-00615',
    repair: (text) => {
      const digits = /^(?:intel[-_ ]?)?sa[-_ ]?([0-9]{3,5})$/i.exec(text.trim())?.[1];
      return digits && `INTEL-SA-${digits.padStart(5, '0')}`;
    },
  },
  name: {
    code: 'NAME_INVALID',
    pattern: /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
    what: 'a name of 1 to 63 lower-case letters, digits and inner hyphens',
    repair: (text) => {
      const plain = text
        .toLowerCase()
        .replace(/[^a-z0-9]+/g, '-')
        .replace(/^-+|-+$/g, '')
        .slice(0, 63)
        .replace(/-+$/, '');
      return plain === '' ? undefined : plain;
    },
  },
  objectName: {
    code: 'OBJECT_NAME_INVALID',
    pattern: /^[0-9A-Za-z-]{1,127}$/,
    what: 'a vault object name: 1 to 127 letters, digits and hyphens',
    repair: (text) => (/^[0-9A-Za-z_. -]{1,127}$/.test(text) ? text.replace(/[_. ]/g, '-') : undefined),
  },
  objectVersion: {
    code: 'OBJECT_VERSION_INVALID',
    pattern: /^[0-9a-f]{32}$/,
    what: 'a vault object version: 32 lower-case hexadecimal digits (leave it out for the latest)',
    repair: (text) => (/^[0-9A-Fa-f]{32}$/.test(text) ? text.toLowerCase() : undefined),
  },
  objectAlias: {
    code: 'OBJECT_ALIAS_INVALID',
    pattern: /^[A-Za-z0-9_.-]{1,128}$/,
    what: 'an alias of 1 to 128 letters, digits, "_", "." and "-"',
  },
  envName: {
    code: 'ENV_NAME_INVALID',
    pattern: /^[A-Za-z_][A-Za-z0-9_]{0,127}$/,
    what: 'a name of an environment variable: letters, digits and "_", not beginning with a digit',
    repair: envNameFrom,
  },
  path: {
    code: 'PATH_INVALID',
    // Absolute, no empty, "." or ".." segment, no trailing slash, no control characters.
    pattern: /^(?:\/(?!\.{1,2}(?:\/|$))[^/\p{Cc}]+)+$/u,
    what: 'an absolute file path without empty, "." or ".." segments',
  },
  resourcePath: {
    code: 'RESOURCE_PATH_INVALID',
    // Names of Trustee's resources: each part begins with a letter, a digit, "_" or "-", and goes on with these or ".".
    pattern: /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,79}(?:\/[A-Za-z0-9_-][A-Za-z0-9_.-]{0,79}){2}$/,
    what: 'repository/type/tag, each of up to 80 letters, digits, "_", "-" and inner "."',
    repair: (text) => {
      const path = text.replace(/^kbs:\/\/[^/]*/, '').replace(/^\/+/, '');
      return FORMATS.resourcePath.pattern.test(path) ? path : undefined;
    },
  },
  occlumName: {
    code: 'OCCLUM_NAME_INVALID',
    pattern: /^[\x21-\x7e]{1,128}$/,
    what: 'a name of 1 to 128 printable ASCII characters without spaces',
  },
  mode: {
    code: 'MODE_INVALID',
    pattern: /^0?[0-7]{3}$/,
    what: 'file permissions in octal, as text, such as "0400"',
    repair: (text) => {
      const digits = /^(?:0o)?0*([0-7]{3})$/.exec(text)?.[1];
      return digits && `0${digits}`;
    },
  },
  duration: {
    code: 'DURATION_INVALID',
    pattern: /^[1-9][0-9]{0,8}[smhd]$/,
    what: 'a duration such as 90s, 15m, 24h or 7d',
    repair: (text) => {
      const [, number, unit] = /^([1-9][0-9]{0,8})\s*([a-z]+?)s?$/i.exec(text.trim()) ?? [];
      const short = unit && UNITS[unit.toLowerCase()];
      return short && `${number}${short}`;
    },
  },
  dnsName: {
    code: 'DNS_NAME_INVALID',
    // A leading "*." passes here, so that the lint can say what is wrong with wildcards.
    pattern:
      /^(?=.{1,253}$)(?:\*\.)?[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/,
    what: 'a DNS name in lower case',
    repair: (text) => {
      const plain = text
        .toLowerCase()
        .replace(/^[a-z]+:\/\//, '')
        .replace(/[:/].*$/, '')
        .replace(/\.$/, '');
      return FORMATS.dnsName.pattern.test(plain) ? plain : undefined;
    },
  },
  spiffePath: {
    code: 'SPIFFE_PATH_INVALID',
    // SPIFFE-ID §2.2: segments of letters, digits, ".", "-", "_"; no empty, "." or ".." segment.
    pattern: /^(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+){1,16}$/,
    what: 'a path such as /ns/shop/payments, which is put behind spiffe://<trust domain>/<tenant>',
    repair: (text) => {
      const path = /^spiffe:\/\/[^/]+(\/.+)$/.exec(text)?.[1] ?? `/${text}`;
      return FORMATS.spiffePath.pattern.test(path) ? path : undefined;
    },
  },
  instant: {
    code: 'TIME_INVALID',
    pattern:
      /^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]Z$/,
    what: 'a time in UTC such as 2026-01-31T00:00:00Z',
    repair: (text) => {
      const time = /^[0-9]{4}-[0-9]{2}-[0-9]{2}/.test(text) ? Date.parse(text) : NaN;
      return Number.isNaN(time) ? undefined : new Date(time).toISOString().replace(/\.[0-9]{3}Z$/, 'Z');
    },
  },
} satisfies Record<string, TextFormat> as Readonly<Record<FormatName, TextFormat>>;

export type FormatName =
  | 'mrenclave'
  | 'mrsigner'
  | 'bytes64'
  | 'bytes16'
  | 'bytes48'
  | 'sha256'
  | 'fmspc'
  | 'claimName'
  | 'claimBytes'
  | 'advisory'
  | 'name'
  | 'objectName'
  | 'objectVersion'
  | 'objectAlias'
  | 'envName'
  | 'path'
  | 'resourcePath'
  | 'occlumName'
  | 'mode'
  | 'duration'
  | 'dnsName'
  | 'spiffePath'
  | 'instant';

/** The name of an environment variable that a vault object's name suggests: `db-password` gives `DB_PASSWORD`. */
export function envNameFrom(text: string): string | undefined {
  const name = text
    .toUpperCase()
    .replace(/[^A-Z0-9_]+/g, '_')
    .replace(/^([0-9])/, '_$1')
    .slice(0, 128);
  return /^_*$/.test(name) ? undefined : name;
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Seconds of a duration in the manifest's notation; the schema has checked the notation. */
export function durationSeconds(duration: string): number {
  return Number(duration.slice(0, -1)) * (SECONDS[duration.slice(-1)] ?? NaN);
}
