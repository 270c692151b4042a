import { marblerun } from '#policy';
import { hash } from 'node:crypto';
import { z } from 'zod';
import type {
  CoordinatorAuthority,
  Manifest,
  PackageProperties,
  SecretDefinition,
  SecretMaterial,
} from '../interface.js';
import { certifiedFrom } from './authority.js';

/** A manifest with everything that is told about it. */
export interface SetManifest {
  /** Exactly the bytes that were uploaded. */
  readonly raw: Buffer;
  readonly parsed: Manifest;
  /** Hex SHA-256 of `raw`. */
  readonly fingerprint: string;
  /** ASN.1 ECDSA of the root over the SHA-256 of `raw`. */
  readonly signature: Buffer;
}

export interface PendingUpdate {
  readonly raw: Buffer;
  readonly parsed: Manifest;
  readonly fingerprint: string;
  /** Users who agreed, the initiator first. */
  readonly acknowledged: readonly string[];
}

export interface PreviousCycle {
  readonly rootSecret: Buffer;
  readonly definitions: ReadonlyMap<string, SecretDefinition>;
  readonly stored: ReadonlyMap<string, SecretMaterial>;
  /** The bytes that the definitions are read from again. */
  readonly manifest: Buffer;
}

/** All state of a coordinator that has its keys. Immutable: a change makes a new one. */
export interface CoordinatorData {
  /** Counts changes, from 1. */
  readonly revision: number;
  readonly authority: CoordinatorAuthority;
  readonly rootSecret: Buffer;
  /** Absent in the state AcceptingManifest. */
  readonly manifest: SetManifest | undefined;
  /** Versions that package updates have raised, over those of the manifest. */
  readonly securityVersions: ReadonlyMap<string, number>;
  readonly stored: ReadonlyMap<string, SecretMaterial>;
  readonly previous: PreviousCycle | undefined;
  readonly pending: PendingUpdate | undefined;
  /** JSON lines. */
  readonly log: readonly string[];
  readonly activations: ReadonlyMap<string, number>;
  readonly counters: ReadonlyMap<string, bigint>;
}

/** The manifest in force: with the versions that package updates have raised. */
export function effectiveManifest({ parsed }: SetManifest, versions: ReadonlyMap<string, number>): Manifest {
  if (versions.size === 0) return parsed;
  const packages = new Map<string, PackageProperties>(parsed.packages);
  for (const [name, securityVersion] of versions) {
    const properties = packages.get(name);
    if (properties) packages.set(name, { ...properties, securityVersion });
  }
  return { ...parsed, packages };
}

const Bytes = z.base64().transform((text) => Buffer.from(text, 'base64'));
const Material = z.strictObject({ private: Bytes, public: Bytes, certificate: Bytes });
const Key = z.strictObject({ certificate: Bytes, key: Bytes });
const SealedData = z.strictObject({
  v: z.literal(1),
  revision: z.number().int().min(1),
  authority: z.strictObject({ root: Key, intermediate: Key, marbleRoot: Bytes }),
  rootSecret: Bytes,
  manifest: z.strictObject({ raw: Bytes, signature: Bytes }).exactOptional(),
  securityVersions: z.array(z.tuple([z.string(), z.number().int()])),
  stored: z.array(z.tuple([z.string(), Material])),
  previous: z
    .strictObject({ rootSecret: Bytes, manifest: Bytes, stored: z.array(z.tuple([z.string(), Material])) })
    .exactOptional(),
  pending: z.strictObject({ raw: Bytes, acknowledged: z.array(z.string()) }).exactOptional(),
  log: z.array(z.string()),
  activations: z.array(z.tuple([z.string(), z.number().int()])),
  counters: z.array(z.tuple([z.string(), z.string().regex(/^\d{1,20}$/)])),
});

const read = (raw: Buffer): Manifest => marblerun.readManifest(raw).manifest;
export const fingerprintOf = (raw: Uint8Array): string => hash('sha256', raw, 'hex');

/** JSON of the whole state, to be sealed. */
export function serializeData(data: CoordinatorData): Buffer {
  const { authority, manifest, previous, pending } = data;
  const key = ({ certificate, privateKey }: CoordinatorAuthority['root']) => ({
    certificate: base64(certificate),
    key: base64(privateKey.export({ format: 'der', type: 'pkcs8' })),
  });
  const sealed: z.input<typeof SealedData> = {
    v: 1,
    revision: data.revision,
    authority: {
      root: key(authority.root),
      intermediate: key(authority.intermediate),
      marbleRoot: base64(authority.marbleRoot.certificate),
    },
    rootSecret: base64(data.rootSecret),
    ...(manifest ? { manifest: { raw: base64(manifest.raw), signature: base64(manifest.signature) } } : {}),
    securityVersions: [...data.securityVersions],
    stored: materials(data.stored),
    ...(previous
      ? {
          previous: {
            rootSecret: base64(previous.rootSecret),
            manifest: base64(previous.manifest),
            stored: materials(previous.stored),
          },
        }
      : {}),
    ...(pending ? { pending: { raw: base64(pending.raw), acknowledged: [...pending.acknowledged] } } : {}),
    log: [...data.log],
    activations: [...data.activations],
    counters: [...data.counters].map(([name, value]) => [name, value.toString()]),
  };
  return Buffer.from(JSON.stringify(sealed), 'utf8');
}

/** @throws Error for what this version did not write */
export function parseData(bytes: Buffer): CoordinatorData {
  const sealed = SealedData.parse(JSON.parse(bytes.toString('utf8')));
  const { authority, manifest, previous, pending } = sealed;
  const intermediate = certifiedFrom(authority.intermediate.key, authority.intermediate.certificate);
  return {
    revision: sealed.revision,
    authority: {
      root: certifiedFrom(authority.root.key, authority.root.certificate),
      intermediate,
      marbleRoot: certifiedFrom(authority.intermediate.key, authority.marbleRoot),
    },
    rootSecret: sealed.rootSecret,
    manifest: manifest && {
      ...manifest,
      parsed: read(manifest.raw),
      fingerprint: fingerprintOf(manifest.raw),
    },
    securityVersions: new Map(sealed.securityVersions),
    stored: new Map(sealed.stored),
    previous: previous && {
      rootSecret: previous.rootSecret,
      definitions: read(previous.manifest).secrets,
      stored: new Map(previous.stored),
      manifest: previous.manifest,
    },
    pending: pending && {
      ...pending,
      parsed: read(pending.raw),
      fingerprint: fingerprintOf(pending.raw),
    },
    log: sealed.log,
    activations: new Map(sealed.activations),
    counters: new Map(sealed.counters.map(([name, value]) => [name, BigInt(value)])),
  };
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const materials = (stored: ReadonlyMap<string, SecretMaterial>) =>
  [...stored].map(([name, material]): [string, { private: string; public: string; certificate: string }] => [
    name,
    {
      private: base64(material.private),
      public: base64(material.public),
      certificate: base64(material.certificate),
    },
  ]);
