import type { marblerun } from '#policy';

/** The manifest's model and its templates, as `libs/policy` has them. */
export type Manifest = marblerun.Manifest;
export type PackageProperties = marblerun.PackageProperties;
export type InfrastructureProperties = marblerun.InfrastructureProperties;
export type Marble = marblerun.Marble;
export type Parameters = marblerun.Parameters;
export type ParameterValue = marblerun.ParameterValue;
export type SecretType = marblerun.SecretType;
export type SecretDefinition = marblerun.SecretDefinition;
export type SecretSource = marblerun.SecretSource;
export type CertificateTemplate = marblerun.CertificateTemplate;
export type SubjectTemplate = marblerun.SubjectTemplate;
export type UserDefinition = marblerun.UserDefinition;
export type RoleDefinition = marblerun.RoleDefinition;
export type RoleAction = marblerun.RoleAction;
export type TlsTag = marblerun.TlsTag;
export type TlsIncoming = marblerun.TlsIncoming;
export type FeatureGate = marblerun.FeatureGate;
export type ManifestConfig = marblerun.ManifestConfig;
export type MarbleTemplates = marblerun.MarbleTemplates;
export type SecretMaterial = marblerun.SecretMaterial;
