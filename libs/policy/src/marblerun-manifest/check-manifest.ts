import { roleFaults, userFaults } from './check-access.js';
import type { Manifest, PackageProperties, SecretDefinition } from './model.js';

/** A reason to refuse a manifest. */
export interface Fault {
  /** As upstream says it, where upstream refuses it too. */
  readonly message: string;
  /** Names from the top: `Packages`, `app`. */
  readonly path: readonly string[];
}

/**
 * What makes a manifest inconsistent, in upstream's order and words; the first is what a client is told. Never throws.
 * Source: reference marblerun.md §1.2 and the recorded exchanges.
 */
export function checkManifest(manifest: Manifest): Fault[] {
  if (manifest.packages.size === 0) return [{ message: 'no allowed packages defined', path: ['Packages'] }];
  if (manifest.marbles.size === 0) return [{ message: 'no allowed marbles defined', path: ['Marbles'] }];
  return [
    ...marbleFaults(manifest),
    ...tlsFaults(manifest),
    ...userFaults(manifest),
    ...roleFaults(manifest),
    ...secretFaults(manifest),
    ...configFaults(manifest),
  ];
}

function* marbleFaults({ packages, marbles, tls }: Manifest): Generator<Fault> {
  const checked = new Set<string>();
  for (const [name, marble] of marbles) {
    const path = ['Marbles', name];
    const properties = packages.get(marble.package);
    if (!properties) {
      yield {
        message: `manifest does not contain marble package ${marble.package}`,
        path: [...path, 'Package'],
      };
      continue;
    }
    if (!checked.has(marble.package)) yield* packageFaults(marble.package, properties);
    checked.add(marble.package);
    for (const tag of marble.tls) {
      if (!tls.has(tag)) yield { message: `manifest misses TLS entry for ${tag}`, path: [...path, 'TLS'] };
    }
    for (const [variable, value] of marble.parameters.env) {
      if (value.data.includes(0))
        yield {
          message: `in Marble ${name}: env variable: ${variable}: content contains null bytes`,
          path: [...path, 'Parameters', 'Env', variable],
        };
    }
  }
}

/** Whether exactly one way of naming the enclave is used, and wholly. A debug package may be vague. */
function* packageFaults(name: string, properties: PackageProperties): Generator<Fault> {
  const { debug, uniqueId, signerId, productId, securityVersion } = properties;
  const path = ['Packages', name];
  if (debug) return;
  if (uniqueId !== undefined) {
    if (signerId !== undefined || productId !== undefined || securityVersion !== undefined)
      yield {
        message: `manifest specifies both UniqueID *and* SignerID/ProductID/SecurityVersion in package ${name}`,
        path,
      };
    return;
  }
  const parts = { SignerID: signerId, ProductID: productId, SecurityVersion: securityVersion };
  for (const [part, value] of Object.entries(parts)) {
    if (value === undefined) yield { message: `manifest misses value for ${part} in package ${name}`, path };
  }
}

function* tlsFaults({ tls, secrets }: Manifest): Generator<Fault> {
  for (const [tag, { incoming, outgoing }] of tls) {
    const path = ['TLS', tag];
    for (const { port, cert, disableClientAuth } of incoming) {
      const where = `TLS.Incoming.${tag}`;
      if (port === '') yield { message: `manifest misses Port in ${where}`, path };
      if (cert === '') {
        if (disableClientAuth) yield { message: `${where} disables client authentication`, path };
        continue;
      }
      if (!secrets.has(cert)) yield { message: `${where} references undefined secret ${cert}`, path };
      if (!disableClientAuth)
        yield { message: `${where} defines Cert but does not disable client authentication`, path };
    }
    for (const { addr, port } of outgoing) {
      if (addr === '') yield { message: `manifest misses Addr in TLS.Outgoing.${tag}`, path };
      if (port === '') yield { message: `manifest misses Port in TLS.Outgoing.${tag}`, path };
    }
  }
}

function* secretFaults({ secrets }: Manifest): Generator<Fault> {
  for (const [name, secret] of secrets) {
    const path = ['Secrets', name];
    const { type, cert, validFor, source } = secret;
    if (!SIZES.has(type)) yield { message: `unknown type: ${type} for secret: ${name}`, path };
    else {
      if (type.startsWith('cert-') && cert?.notAfter !== undefined && validFor !== 0)
        yield {
          message: `ambiguous certificate validity duration for secret: ${name}, both NotAfter and ValidFor are specified`,
          path,
        };
      if (!SIZES.get(type)?.(secret)) yield { message: `invalid secret size: ${name}`, path };
    }
    if (source === undefined) continue;
    if (source.vault === '' || source.objectName === '')
      yield { message: `secret ${name}: Source needs vault and objectName`, path: [...path, 'Source'] };
    if (secret.shared || secret.userDefined)
      yield { message: `secret ${name}: Source excludes Shared and UserDefined`, path: [...path, 'Source'] };
  }
}

/** Which sizes a type allows; those of values that come from outside are theirs. */
const SIZES: ReadonlyMap<string, (secret: SecretDefinition) => boolean> = new Map<
  string,
  (secret: SecretDefinition) => boolean
>([
  ['plain', () => true],
  [
    'symmetric-key',
    ({ size, source }) => (size === 0 ? source !== undefined : size % 8 === 0 && size <= 65_536),
  ],
  [
    'cert-rsa',
    ({ size, userDefined, source }) =>
      (size === 0 && (userDefined || source !== undefined)) || (size >= 2_048 && size <= 16_384),
  ],
  [
    'cert-ecdsa',
    ({ size, userDefined, source }) =>
      (size === 0 && (userDefined || source !== undefined)) || [224, 256, 384, 521].includes(size),
  ],
  ['cert-ed25519', ({ size }) => size === 0],
]);

function* configFaults({ config, users, roles, recoveryKeys }: Manifest): Generator<Fault> {
  const { updateThreshold, recoveryThreshold, sealMode, featureGates } = config;
  const updaters = [...users.values()].filter((user) =>
    user.roles.some((name) => roles.get(name)?.actions.includes('UpdateManifest')),
  ).length;
  if (updaters < updateThreshold)
    yield {
      message: `not enough users with manifest update permissions (${updaters}) to meet the threshold of ${updateThreshold}`,
      path: ['Config', 'UpdateThreshold'],
    };
  if (!['', 'ProductKey', 'UniqueKey', 'Disabled'].includes(sealMode))
    yield { message: `unknown seal mode: ${sealMode}`, path: ['Config', 'SealMode'] };
  for (const gate of featureGates) {
    const path = ['Config', 'FeatureGates'];
    if (gate === 'AzureHSMSealing')
      yield {
        message: 'feature gate AzureHSMSealing: the sealing key is a matter of the deployment here',
        path,
      };
    else if (gate !== 'SignQuoteEndpoint' && gate !== 'MonotonicCounter')
      yield { message: `unknown feature gate: ${String(gate)}`, path };
  }
  if (recoveryThreshold !== 0 && (recoveryThreshold < 2 || recoveryThreshold > recoveryKeys.size))
    yield {
      message: `invalid recovery threshold: ${recoveryThreshold} of ${recoveryKeys.size} recovery keys`,
      path: ['Config', 'RecoveryThreshold'],
    };
}
