import { readCertificateTemplate } from './certificate-template.js';
import { FieldError, FieldReader, type UnknownMember } from './field-reader.js';
import { decodeGoBase64, GoBase64Error } from './go-base64.js';
import { GoJsonError, type JsonNode, parseGoJson } from './go-json.js';
import type {
  FeatureGate,
  InfrastructureProperties,
  Manifest,
  ManifestConfig,
  Marble,
  PackageProperties,
  ParameterValue,
  RoleAction,
  RoleDefinition,
  SecretDefinition,
  TlsTag,
  UserDefinition,
} from './model.js';

/** Bytes of a manifest; upstream has no bound. */
export const MAX_MANIFEST_BYTES = 2 * 1024 * 1024;
const ROOT = 'Manifest';

/** Something about the text itself is wrong; `message` is Go's. */
export class ManifestSyntaxError extends Error {
  override readonly name = 'ManifestSyntaxError';
  constructor(
    message: string,
    /** In UTF-16 units of the text. */
    readonly offset: number,
  ) {
    super(message);
  }
}

export interface ReadManifest {
  readonly manifest: Manifest;
  /** Members that Go would pass over in silence. */
  readonly unknown: readonly UnknownMember[];
}

const SECTIONS = [
  'Packages',
  'Infrastructures',
  'Marbles',
  'Secrets',
  'Users',
  'Roles',
  'RecoveryKeys',
  'TLS',
  'Config',
] as const;

/**
 * Reads a manifest as MarbleRun does: any case of keys, null as absent, base64 or number lists. Values are not judged here, see
 * {@link checkManifest}; what has no meaning is told apart from what is wrong. Source: reference marblerun.md §1.2.
 * @throws ManifestSyntaxError
 */
export function readManifest(bytes: Uint8Array): ReadManifest {
  if (bytes.length > MAX_MANIFEST_BYTES)
    throw new ManifestSyntaxError(`the manifest has more than ${MAX_MANIFEST_BYTES} bytes`, 0);
  const reader = new FieldReader();
  try {
    const f = reader.fields(parseGoJson(bytes), [ROOT], SECTIONS);
    const manifest: Manifest = {
      packages: reader.map(f.Packages, [ROOT, 'Packages'], (node, path) => readPackage(reader, node, path)),
      infrastructures: reader.map(f.Infrastructures, [ROOT, 'Infrastructures'], (node, path) =>
        readInfrastructure(reader, node, path),
      ),
      marbles: reader.map(f.Marbles, [ROOT, 'Marbles'], (node, path) => readMarble(reader, node, path)),
      secrets: reader.map(f.Secrets, [ROOT, 'Secrets'], (node, path) => readSecret(reader, node, path)),
      users: reader.map(f.Users, [ROOT, 'Users'], (node, path) => readUser(reader, node, path)),
      roles: reader.map(f.Roles, [ROOT, 'Roles'], (node, path) => readRole(reader, node, path)),
      recoveryKeys: reader.map(f.RecoveryKeys, [ROOT, 'RecoveryKeys'], (node, path) =>
        reader.string(node, path),
      ),
      tls: reader.map(f.TLS, [ROOT, 'TLS'], (node, path) => readTag(reader, node, path)),
      config: readConfig(reader, f.Config),
    };
    return { manifest, unknown: reader.unknown };
  } catch (error) {
    if (error instanceof GoJsonError || error instanceof FieldError)
      throw new ManifestSyntaxError(error.message, error.offset);
    throw error;
  }
}

function readPackage(reader: FieldReader, node: JsonNode, path: readonly string[]): PackageProperties {
  const f = reader.fields(node, path, [
    'Debug',
    'UniqueID',
    'SignerID',
    'ProductID',
    'SecurityVersion',
    'AcceptedTCBStatuses',
    'AcceptedAdvisories',
  ]);
  const hex = (name: 'UniqueID' | 'SignerID') =>
    reader.string(f[name], [...path, name]).toLowerCase() || undefined;
  return {
    debug: reader.bool(f.Debug, [...path, 'Debug']),
    uniqueId: hex('UniqueID'),
    signerId: hex('SignerID'),
    productId: reader.unsigned(f.ProductID, [...path, 'ProductID'], 'uint64'),
    securityVersion: reader.count(f.SecurityVersion, [...path, 'SecurityVersion']),
    acceptedTcbStatuses: reader.strings(f.AcceptedTCBStatuses, [...path, 'AcceptedTCBStatuses']),
    acceptedAdvisories: reader.strings(f.AcceptedAdvisories, [...path, 'AcceptedAdvisories']),
  };
}

function readInfrastructure(
  reader: FieldReader,
  node: JsonNode,
  path: readonly string[],
): InfrastructureProperties {
  const f = reader.fields(node, path, ['CPUSVN', 'QESVN', 'PCESVN', 'RootCA', 'UEID']);
  return {
    cpuSvn: reader.bytes(f.CPUSVN, [...path, 'CPUSVN']),
    qeSvn: reader.count(f.QESVN, [...path, 'QESVN'], 'uint16'),
    pceSvn: reader.count(f.PCESVN, [...path, 'PCESVN'], 'uint16'),
    rootCa: reader.bytes(f.RootCA, [...path, 'RootCA']),
  };
}

function readMarble(reader: FieldReader, node: JsonNode, path: readonly string[]): Marble {
  const f = reader.fields(node, path, [
    'Package',
    'MaxActivations',
    'Parameters',
    'TLS',
    'DisableSecretBinding',
  ]);
  const parameters = [...path, 'Parameters'];
  const p = reader.fields(f.Parameters, parameters, ['Files', 'Env', 'Argv']);
  const values = (name: 'Files' | 'Env') =>
    reader.map(p[name], [...parameters, name], (value, where) => readParameter(reader, value, where));
  return {
    package: reader.string(f.Package, [...path, 'Package']),
    maxActivations: reader.count(f.MaxActivations, [...path, 'MaxActivations']) ?? 0,
    parameters: {
      files: values('Files'),
      env: values('Env'),
      argv: reader.strings(p.Argv, [...parameters, 'Argv']),
    },
    tls: reader.strings(f.TLS, [...path, 'TLS']),
    disableSecretBinding: reader.bool(f.DisableSecretBinding, [...path, 'DisableSecretBinding']),
  };
}

/** A text, or `{Data, Encoding, NoTemplates}`. */
function readParameter(reader: FieldReader, node: JsonNode, path: readonly string[]): ParameterValue {
  if (node.kind === 'string') return { data: Buffer.from(node.value, 'utf8'), template: true };
  const f = reader.fields(node, path, ['Data', 'Encoding', 'NoTemplates']);
  const data = reader.string(f.Data, [...path, 'Data']);
  const encoding = reader.string(f.Encoding, [...path, 'Encoding']).toLowerCase();
  return {
    data: decoded(data, encoding, f.Data?.offset ?? node.offset),
    template: !reader.bool(f.NoTemplates, [...path, 'NoTemplates']),
  };
}

function decoded(data: string, encoding: string, offset: number): Buffer {
  if (encoding === '' || encoding === 'string') return Buffer.from(data, 'utf8');
  if (encoding === 'base64') {
    try {
      return decodeGoBase64(data);
    } catch (error) {
      if (error instanceof GoBase64Error) throw new FieldError(error.message, offset);
      throw error;
    }
  }
  if (encoding === 'hex') {
    const bad = /[^0-9a-fA-F]/.exec(data)?.[0];
    if (bad !== undefined) throw new FieldError(`encoding/hex: invalid byte: ${JSON.stringify(bad)}`, offset);
    if (data.length % 2 !== 0) throw new FieldError('encoding/hex: odd length hex string', offset);
    return Buffer.from(data, 'hex');
  }
  throw new FieldError(`unknown encoding type: ${encoding.slice(0, 80)}`, offset);
}

function readSecret(reader: FieldReader, node: JsonNode, path: readonly string[]): SecretDefinition {
  const f = reader.fields(
    node,
    path,
    ['Type', 'Size', 'Shared', 'UserDefined', 'Cert', 'ValidFor', 'Source'],
    // Filled in by the coordinator when it tells a secret; in a manifest they have no effect.
    ['Private', 'Public'],
  );
  const s = reader.fields(f.Source, [...path, 'Source'], ['vault', 'objectName', 'objectVersion']);
  const source = (name: 'vault' | 'objectName' | 'objectVersion') =>
    reader.string(s[name], [...path, 'Source', name]);
  return {
    // What is no type of ours is refused by the check, with upstream's words.
    type: reader.string(f.Type, [...path, 'Type']) as SecretDefinition['type'],
    size: reader.count(f.Size, [...path, 'Size']) ?? 0,
    shared: reader.bool(f.Shared, [...path, 'Shared']),
    userDefined: reader.bool(f.UserDefined, [...path, 'UserDefined']),
    cert: readCertificateTemplate(reader, f.Cert, [...path, 'Cert']),
    validFor: reader.count(f.ValidFor, [...path, 'ValidFor']) ?? 0,
    source:
      f.Source === undefined
        ? undefined
        : {
            vault: source('vault'),
            objectName: source('objectName'),
            objectVersion: source('objectVersion') || undefined,
          },
  };
}

function readUser(reader: FieldReader, node: JsonNode, path: readonly string[]): UserDefinition {
  const f = reader.fields(node, path, ['Certificate', 'Roles']);
  return {
    certificate: reader.string(f.Certificate, [...path, 'Certificate']),
    roles: reader.strings(f.Roles, [...path, 'Roles']),
  };
}

function readRole(reader: FieldReader, node: JsonNode, path: readonly string[]): RoleDefinition {
  const f = reader.fields(node, path, ['ResourceType', 'ResourceNames', 'Actions']);
  const actions = reader.strings(f.Actions, [...path, 'Actions']);
  return {
    resourceType: reader.string(f.ResourceType, [...path, 'ResourceType']) as RoleDefinition['resourceType'],
    resourceNames: reader.strings(f.ResourceNames, [...path, 'ResourceNames']),
    actions: actions.map((action) => ACTIONS.get(action.toLowerCase()) ?? (action as RoleAction)),
  };
}

const ACTIONS: ReadonlyMap<string, RoleAction> = new Map(
  (['UpdateSecurityVersion', 'ReadSecret', 'WriteSecret', 'UpdateManifest'] as const).map((action) => [
    action.toLowerCase(),
    action,
  ]),
);

function readTag(reader: FieldReader, node: JsonNode, path: readonly string[]): TlsTag {
  const f = reader.fields(node, path, ['Outgoing', 'Incoming']);
  const entry = ['Port', 'Addr', 'Cert', 'DisableClientAuth'] as const;
  return {
    outgoing: reader.list(f.Outgoing, [...path, 'Outgoing'], (item, where) => {
      const e = reader.fields(item, where, entry);
      return {
        addr: reader.string(e.Addr, [...where, 'Addr']),
        port: reader.string(e.Port, [...where, 'Port']),
      };
    }),
    incoming: reader.list(f.Incoming, [...path, 'Incoming'], (item, where) => {
      const e = reader.fields(item, where, entry);
      return {
        port: reader.string(e.Port, [...where, 'Port']),
        cert: reader.string(e.Cert, [...where, 'Cert']),
        disableClientAuth: reader.bool(e.DisableClientAuth, [...where, 'DisableClientAuth']),
      };
    }),
  };
}

const GATES: ReadonlyMap<string, FeatureGate> = new Map(
  (['SignQuoteEndpoint', 'MonotonicCounter', 'AzureHSMSealing'] as const).map((gate) => [
    gate.toLowerCase(),
    gate,
  ]),
);

function readConfig(reader: FieldReader, node: JsonNode | undefined): ManifestConfig {
  const path = [ROOT, 'Config'];
  const f = reader.fields(node, path, [
    'SealMode',
    'FeatureGates',
    'UpdateThreshold',
    'RecoveryThreshold',
    'RotateRootSecret',
  ]);
  const gates = reader.strings(f.FeatureGates, [...path, 'FeatureGates']);
  return {
    sealMode: reader.string(f.SealMode, [...path, 'SealMode']) as ManifestConfig['sealMode'],
    featureGates: new Set(gates.map((gate) => GATES.get(gate.toLowerCase()) ?? (gate as FeatureGate))),
    updateThreshold: reader.count(f.UpdateThreshold, [...path, 'UpdateThreshold']) ?? 0,
    recoveryThreshold: reader.count(f.RecoveryThreshold, [...path, 'RecoveryThreshold']) ?? 0,
    rotateRootSecret: reader.bool(f.RotateRootSecret, [...path, 'RotateRootSecret']),
  };
}
