/**
 * A MarbleRun manifest as read: keys in whatever case they were written, absent and null members alike, encodings already decoded.
 * Source: reference marblerun.md §1.2. User-chosen names are keys of maps, never of objects.
 */
export interface Manifest {
  readonly packages: ReadonlyMap<string, PackageProperties>;
  readonly infrastructures: ReadonlyMap<string, InfrastructureProperties>;
  readonly marbles: ReadonlyMap<string, Marble>;
  readonly secrets: ReadonlyMap<string, SecretDefinition>;
  readonly users: ReadonlyMap<string, UserDefinition>;
  readonly roles: ReadonlyMap<string, RoleDefinition>;
  /** PEM `PUBLIC KEY` blocks (RSA) by name. */
  readonly recoveryKeys: ReadonlyMap<string, string>;
  readonly tls: ReadonlyMap<string, TlsTag>;
  readonly config: ManifestConfig;
}

export type TcbStatusName =
  | 'UpToDate'
  | 'OutOfDate'
  | 'Revoked'
  | 'ConfigurationNeeded'
  | 'OutOfDateConfigurationNeeded'
  | 'SWHardeningNeeded'
  | 'ConfigurationAndSWHardeningNeeded';

export interface PackageProperties {
  /** Must equal the report's debug flag. */
  readonly debug: boolean;
  /** MRENCLAVE, lower-case hex; empty text of the manifest is undefined here. */
  readonly uniqueId: string | undefined;
  /** MRSIGNER, lower-case hex. */
  readonly signerId: string | undefined;
  readonly productId: bigint | undefined;
  /** Minimum. A package update raises it. */
  readonly securityVersion: number | undefined;
  /** As written; empty means the default `["SWHardeningNeeded"]`. `UpToDate` is always accepted. */
  readonly acceptedTcbStatuses: readonly string[];
  /** Applied at SWHardeningNeeded only; empty accepts all. */
  readonly acceptedAdvisories: readonly string[];
}

/** A platform; where the manifest names any, a marble must run on one of them. */
export interface InfrastructureProperties {
  /** Up to 16 component SVNs, each a minimum; undefined: not stated. */
  readonly cpuSvn: Buffer | undefined;
  readonly qeSvn: number | undefined;
  readonly pceSvn: number | undefined;
  /** As written: DER or PEM of the root of the PCK chain, or any bytes. */
  readonly rootCa: Buffer | undefined;
}

export interface Marble {
  readonly package: string;
  /** 0: any number. */
  readonly maxActivations: number;
  readonly parameters: Parameters;
  /** Names of TLS tags. */
  readonly tls: readonly string[];
  readonly disableSecretBinding: boolean;
}

export interface Parameters {
  /** By path. */
  readonly files: ReadonlyMap<string, ParameterValue>;
  /** By name; no value has a NUL. */
  readonly env: ReadonlyMap<string, ParameterValue>;
  /** Empty: the marble gets `["./marble"]`. */
  readonly argv: readonly string[];
}

export interface ParameterValue {
  /** Decoded from its encoding. */
  readonly data: Buffer;
  /** Whether `data` is a template (UTF-8 text); false for `NoTemplates`. */
  readonly template: boolean;
}

export type SecretType = 'symmetric-key' | 'cert-rsa' | 'cert-ecdsa' | 'cert-ed25519' | 'plain';

export interface SecretDefinition {
  readonly type: SecretType;
  /** In bits; 0 for ed25519 and plain. */
  readonly size: number;
  readonly shared: boolean;
  readonly userDefined: boolean;
  /** Template of the certificate; every member optional. */
  readonly cert: CertificateTemplate | undefined;
  /** Days; 0: not stated, which is 365 unless `cert.notAfter` is given. */
  readonly validFor: number;
  /** Our extension: the value is an object of a vault (VaultRegistry). Neither shared, user-defined nor generated. */
  readonly source: SecretSource | undefined;
}

export interface SecretSource {
  readonly vault: string;
  readonly objectName: string;
  readonly objectVersion: string | undefined;
}

/** What is used of Go's JSON form of an x509.Certificate. */
export interface CertificateTemplate {
  readonly subject: SubjectTemplate;
  readonly serialNumber: bigint | undefined;
  readonly notBefore: Date | undefined;
  readonly notAfter: Date | undefined;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly emailAddresses: readonly string[];
  /** Go's bits: 1 digitalSignature, 2 contentCommitment, 4 keyEncipherment, ... 32 certSign; 0: not stated. */
  readonly keyUsage: number;
  /** Go's numbers: 0 any, 1 serverAuth, 2 clientAuth, 3 codeSigning, 4 emailProtection, 8 timeStamping, 9 OCSPSigning. */
  readonly extKeyUsage: readonly number[];
  readonly isCa: boolean;
  readonly maxPathLen: number | undefined;
}

export interface SubjectTemplate {
  readonly commonName: string;
  readonly serialNumber: string;
  readonly country: readonly string[];
  readonly organization: readonly string[];
  readonly organizationalUnit: readonly string[];
  readonly locality: readonly string[];
  readonly province: readonly string[];
  readonly streetAddress: readonly string[];
  readonly postalCode: readonly string[];
}

export interface UserDefinition {
  /** PEM as written; users are matched by the exact bytes of its first block, see `userCertificate`. */
  readonly certificate: string;
  readonly roles: readonly string[];
}

export interface RoleDefinition {
  readonly resourceType: 'Packages' | 'Secrets' | 'Manifest';
  readonly resourceNames: readonly string[];
  readonly actions: readonly RoleAction[];
}

export type RoleAction = 'UpdateSecurityVersion' | 'ReadSecret' | 'WriteSecret' | 'UpdateManifest';

export interface TlsTag {
  readonly outgoing: readonly { readonly addr: string; readonly port: string }[];
  readonly incoming: readonly TlsIncoming[];
}

export interface TlsIncoming {
  readonly port: string;
  /** Name of a secret of a certificate type; empty: the marble's own certificate. */
  readonly cert: string;
  readonly disableClientAuth: boolean;
}

export type FeatureGate = 'SignQuoteEndpoint' | 'MonotonicCounter' | 'AzureHSMSealing';

export interface ManifestConfig {
  readonly sealMode: '' | 'ProductKey' | 'UniqueKey' | 'Disabled';
  readonly featureGates: ReadonlySet<FeatureGate>;
  /** Acknowledgements that a full update needs, the initiator's included; 0: those of all users who may update. */
  readonly updateThreshold: number;
  /** 0: all. */
  readonly recoveryThreshold: number;
  readonly rotateRootSecret: boolean;
}
