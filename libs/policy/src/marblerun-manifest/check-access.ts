import { X509Certificate } from 'node:crypto';
import type { Fault } from './check-manifest.js';
import type { Manifest, RoleDefinition } from './model.js';

const PEM_BLOCK =
  /-----BEGIN ([A-Z0-9 ]+)-----\r?\n(?:[A-Za-z-]+: [^\n]*\r?\n)*([A-Za-z0-9+/=\s]*)-----END \1-----/;

/** The first PEM block of a text. */
export function firstPemBlock(text: string): { label: string; der: Buffer } | undefined {
  const [, label, body] = PEM_BLOCK.exec(text) ?? [];
  if (label === undefined || body === undefined) return undefined;
  return { label, der: Buffer.from(body.replace(/\s/g, ''), 'base64') };
}

/** DER of a user's certificate, by whose exact bytes the user is known; undefined where the text holds none. */
export function userCertificate(pem: string): Buffer | undefined {
  const block = firstPemBlock(pem);
  if (block === undefined) return undefined;
  try {
    return new X509Certificate(block.der).raw;
  } catch {
    return undefined;
  }
}

export function* userFaults({ users, roles }: Manifest): Generator<Fault> {
  const owners = new Map<string, string>();
  for (const [name, user] of users) {
    const path = ['Users', name];
    if (user.certificate === '') {
      yield { message: `manifest does not contain a certificate for user ${name}`, path };
      continue;
    }
    for (const role of user.roles) {
      if (!roles.has(role))
        yield {
          message: `manifest specifies role ${role} for user ${name}, but role does not exist`,
          path: [...path, 'Roles'],
        };
    }
    const der = userCertificate(user.certificate);
    if (der === undefined) {
      yield { message: `received invalid certificate for user ${name}`, path: [...path, 'Certificate'] };
      continue;
    }
    // By the certificate itself: upstream compares the texts, so that a space makes two users of one certificate.
    const owner = owners.get(der.toString('base64'));
    if (owner !== undefined)
      yield { message: `manifest contains the same certificate for users ${name} and ${owner}`, path };
    owners.set(der.toString('base64'), name);
  }
}

export function* roleFaults(manifest: Manifest): Generator<Fault> {
  for (const [name, role] of manifest.roles) {
    const path = ['Roles', name];
    const known = ACTIONS[role.resourceType] as readonly string[] | undefined;
    if (known === undefined) {
      yield { message: `unrecognized resource type: ${role.resourceType} for role: ${name}`, path };
      continue;
    }
    for (const action of role.actions) {
      if (!known.includes(action))
        yield {
          message: `unknown action: ${action} for type ${role.resourceType} in role: ${name}`,
          path: [...path, 'Actions'],
        };
    }
    for (const message of resourceFaults(name, role, manifest))
      yield { message, path: [...path, 'ResourceNames'] };
  }
}

const ACTIONS: Readonly<Record<RoleDefinition['resourceType'], readonly string[]>> = {
  Packages: ['UpdateSecurityVersion'],
  Secrets: ['WriteSecret', 'ReadSecret'],
  Manifest: ['UpdateManifest'],
};

function* resourceFaults(
  name: string,
  { resourceType, resourceNames, actions }: RoleDefinition,
  { packages, secrets }: Manifest,
): Generator<string> {
  if (resourceType === 'Manifest') {
    if (resourceNames.length > 0) yield `role ${name}: resource names are not allowed for type Manifest`;
    return;
  }
  for (const resource of resourceNames) {
    if (resourceType === 'Packages') {
      if (!packages.has(resource))
        yield `role ${name}: resource ${resource} of type Packages is not defined in manifest`;
      continue;
    }
    const secret = secrets.get(resource);
    if (!secret) yield `role ${name}: resource ${resource} of type Secrets is not defined in manifest`;
    else if (!secret.userDefined && actions.includes('WriteSecret'))
      yield `manifest specifies write permission for role ${name} and secret ${resource}, but secret is not user-defined`;
    else if (!secret.shared && !secret.userDefined && actions.includes('ReadSecret'))
      yield `manifest specifies read permission for role ${name} and per-marble-unique secret ${resource}`;
  }
}
