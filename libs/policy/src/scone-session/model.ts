import { DOCUMENT_LIMITS } from '../document/limits.js';
import type { Placeholder } from './text/placeholder.js';

/** Bounds of a session. */
export const SCONE_SESSION_LIMITS = {
  /** Size of the text in UTF-8, the bound of every policy document. */
  bytes: DOCUMENT_LIMITS.bytes,
  /** Pieces of syntax; tighter than for other documents, because the enclave's clients upload sessions themselves. */
  lexemes: 12_000,
} as const;

/** A session of SCONE's language 0.3, read and checked; names as in the language. Source: reference/commercial.md §2.1. */
export interface SconeSession {
  readonly name: string;
  readonly version: string;
  /** 64 hex digits: the version that this one replaces. */
  readonly predecessor?: string;
  readonly namespaceHash?: string;
  readonly salt?: string;
  readonly access: AccessPolicy;
  readonly services: readonly SconeService[];
  readonly secrets: readonly SconeSecret[];
  readonly images: readonly SconeImage[];
  readonly security: SconeSecurity;
}

/** Who may do something. `reference`: what a secret, evaluated then, says. */
export type Principal =
  | { readonly kind: 'creator' | 'any' | 'none' }
  | { readonly kind: 'certificate' | 'key-hash' | 'signer'; readonly value: string }
  | { readonly kind: 'reference'; readonly secret: string }
  | { readonly kind: 'threshold'; readonly least: number; readonly of: readonly Principal[] };

export type AccessRight = 'read' | 'update' | 'create_sessions' | 'list_sessions';
/** A right that is absent has the language's default. */
export type AccessPolicy = Partial<Record<AccessRight, readonly Principal[]>> & {
  readonly reference?: Placeholder;
};

export interface AttestationVariant {
  readonly mrenclave?: readonly string[];
  readonly signer?: {
    readonly mrsigner: string;
    readonly isvprodid?: number;
    readonly least?: number;
    readonly most?: number;
  };
}

export interface SconeService {
  readonly name: string;
  readonly imageName?: string;
  readonly command?: readonly string[];
  /** `undefined` where the host gives the value (`\@\@NAME`). */
  readonly environment: ReadonlyMap<string, string | undefined>;
  readonly pwd?: string;
  readonly variants: readonly AttestationVariant[];
  /** Fragments that stand where variants do; they could be anything. */
  readonly variantReferences: readonly string[];
  readonly platforms: readonly string[];
  readonly otpSharedSecret?: string;
}

export const SECRET_KINDS = [
  'ascii',
  'binary',
  'private-key',
  'public-key',
  'x509',
  'x509-ca',
  'aad-token',
  'config-fragment',
  'pgp-key',
  'jwt',
] as const;
export type SecretKind = (typeof SECRET_KINDS)[number];
export const KEY_TYPES = ['P-256', 'P-384', 'Ed25519', 'RSA-2048', 'RSA-3072'] as const;
export type KeyType = (typeof KEY_TYPES)[number];

export interface SconeSecret {
  readonly name: string;
  /** Absent for some imports. */
  readonly kind?: SecretKind;
  /** Characters of `ascii`, bytes of `binary`. */
  readonly size?: number;
  /** Explicit value: text, or any data of a `config-fragment`. */
  readonly value?: unknown;
  readonly keyType?: KeyType;
  readonly migrate: boolean;
  /** Names of secrets. */
  readonly privateKey?: string;
  readonly issuer?: string;
  readonly signer?: string;
  readonly commonName?: string;
  readonly endpoint?: 'server' | 'client';
  /** `dns:…` and `ip:…`. */
  readonly san: readonly string[];
  readonly validForSeconds?: number;
  /** Of a `jwt`. */
  readonly payload?: ReadonlyMap<string, string>;
  readonly exportPublic: boolean;
  readonly exports: readonly SconeExport[];
  readonly import?: SconeImport;
  readonly importAkv?: {
    readonly vault: string;
    readonly secretName: string;
    /** Name of the `aad-token` by which the vault is read; absent: the only one of the session. */
    readonly token?: string;
    /** Name of the `binary` secret of 32 bytes that the value in the vault is encrypted with. */
    readonly decryptionKey?: string;
  };
  /** Of an `aad-token`. */
  readonly aadToken?: AadCredential;
}

/** An application of Entra. Its texts may have placeholders. */
export interface AadCredential {
  readonly tenantId: string;
  readonly clientId: string;
  readonly applicationSecret?: string;
  readonly certificate?: {
    /** An RSA key in PKCS #8 PEM, or the name of a `private-key` secret. */
    readonly privateKey: string;
    /** Hex: SHA-1 (40 digits), as Entra shows it, or SHA-256 (64). */
    readonly thumbprint: string;
  };
}

export interface SconeExport {
  readonly session?: string;
  readonly sessionHash?: string;
  readonly namespace?: string;
  /** To a session of another CAS. */
  readonly foreign: boolean;
}

export interface SconeImport {
  readonly session: string;
  readonly secret: string;
  readonly sessionHash?: string;
  readonly foreign: boolean;
}

export interface SconeImage {
  readonly name: string;
  readonly files: readonly InjectionFile[];
  readonly provideSecrets?: readonly string[];
}

export interface InjectionFile {
  readonly path: string;
  /** Absent: a template that lies on the image's disk. */
  readonly content?: string;
  /** Bits of a file mode; default 0o700. */
  readonly permission: number;
}

export interface SconeSecurity {
  readonly mode: 'hardware' | 'maa' | 'none';
  readonly tolerate: readonly string[];
  readonly ignoreAdvisories: readonly string[] | '*';
  readonly singletonEnclaves: boolean;
  readonly serviceAccessToken?: string;
  readonly otpSharedSecret?: string;
  /** The whole section is a fragment that another session has. */
  readonly reference?: Placeholder;
}

/** Something that the language does not allow, or that is not understood. `path` as people write it: `services[0].command`. */
export interface SessionFault {
  readonly path: string;
  readonly message: string;
}
