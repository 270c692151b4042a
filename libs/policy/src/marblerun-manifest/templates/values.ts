/** Values of a template at run time, each named as Go would name its type in a message. */
export type Value =
  | string
  | bigint
  | number
  | boolean
  | null
  | Buffer
  | SecretValue
  | SecretPart
  | Structure
  | Dictionary
  | typeof NO_VALUE;

/** What a missing key of a map gives. */
export const NO_VALUE = Symbol('no value');

/** Members by name; a name that is not there is an error. */
export class Structure {
  constructor(
    readonly typeName: string,
    readonly members: ReadonlyMap<string, Value>,
  ) {}
}

/** A map; a name that is not there gives NO_VALUE. Values may be made when they are asked for. */
export interface Dictionary {
  readonly kind: 'map';
  readonly typeName: string;
  /** Octets. */
  names(): readonly string[];
  get(name: string): Value;
}

/** Of a secret, by name. */
export const SECRET_MEMBERS = [
  'Cert',
  'Private',
  'Public',
  'Type',
  'Size',
  'ValidFor',
  'Shared',
  'UserDefined',
] as const;

/** One secret as templates see it. */
export class SecretValue {
  constructor(
    /** As the manifest has it: `symmetric-key`, `plain` ... */
    readonly type: string,
    readonly certificate: Buffer,
    readonly privateKey: Buffer,
    readonly publicKey: Buffer,
    readonly details: {
      readonly size: number;
      readonly shared: boolean;
      readonly userDefined: boolean;
      readonly validFor: number;
    },
  ) {}

  member(name: string): Value | undefined {
    switch (name) {
      case 'Cert':
        return new SecretPart('CERTIFICATE', this.certificate);
      case 'Private':
        return new SecretPart('PRIVATE KEY', this.privateKey);
      case 'Public':
        return new SecretPart('PUBLIC KEY', this.publicKey);
      case 'Type':
        return this.type;
      case 'Size':
        return BigInt(this.details.size);
      case 'ValidFor':
        return BigInt(this.details.validFor);
      case 'Shared':
        return this.details.shared;
      case 'UserDefined':
        return this.details.userDefined;
      default:
        return undefined;
    }
  }
}

/** A certificate (DER), a private key (PKCS#8 DER) or a public key (SPKI DER), or the bytes of a symmetric key. */
export class SecretPart {
  constructor(
    readonly label: 'CERTIFICATE' | 'PRIVATE KEY' | 'PUBLIC KEY',
    readonly bytes: Buffer,
  ) {}
}

export const isDictionary = (value: Value): value is Dictionary =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'map';

export function typeName(value: Value): string {
  if (value === null || value === NO_VALUE) return 'interface {}';
  if (typeof value === 'string') return 'string';
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'number') return 'float64';
  if (typeof value === 'boolean') return 'bool';
  if (Buffer.isBuffer(value)) return '[]uint8';
  if (value instanceof SecretValue) return 'manifest.Secret';
  if (value instanceof SecretPart)
    return {
      CERTIFICATE: 'manifest.Certificate',
      'PRIVATE KEY': 'manifest.PrivateKey',
      'PUBLIC KEY': 'manifest.PublicKey',
    }[value.label];
  return value.typeName;
}

/** Go's truth: zero, empty and nil are false, structures are true. */
export function isTrue(value: Value): boolean {
  if (value === null || value === NO_VALUE) return false;
  if (typeof value === 'string' || Buffer.isBuffer(value)) return value.length > 0;
  if (typeof value === 'bigint' || typeof value === 'number') return Number(value) !== 0;
  if (typeof value === 'boolean') return value;
  if (value instanceof SecretPart) return value.label === 'CERTIFICATE' || value.bytes.length > 0;
  if (isDictionary(value)) return value.names().length > 0;
  return true;
}

/** Text and parts of secrets as their bytes, which is how functions of Go see them; any other value as it is. */
export function asBytes(value: Value): Value {
  if (typeof value === 'string') return Buffer.from(value, 'latin1');
  return value instanceof SecretPart ? value.bytes : value;
}
