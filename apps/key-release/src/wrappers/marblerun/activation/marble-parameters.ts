import { marblerun } from '#policy';
import type { DeploymentSnapshot, Marble, MarbleTemplates } from '../interface.js';
import type { MarbleIdentity } from './marble-certificate.js';
import type { MarbleParameters } from './messages.js';
import type { PreparedSecrets } from './prepared-secrets.js';
import { activationFailed } from './refusal.js';
import { ttlsConfig } from './ttls-config.js';

const { pemText, secretDictionary, templateData, TemplateError } = marblerun;
const CUSTOMIZING = 'customizing marble parameters';

/**
 * What the marble receives: its files and environment from their templates, the reserved variables, its arguments. Reserved variables win
 * over those of the manifest. Source: reference marblerun.md §1.3.
 *
 * @throws ActivationRefusal
 */
export function marbleParameters(
  snapshot: DeploymentSnapshot,
  marble: Marble,
  templates: MarbleTemplates,
  identity: MarbleIdentity,
  secrets: PreparedSecrets,
): MarbleParameters {
  const { authority, current, previous, manifest } = snapshot;
  const data = templateData({
    secrets: secretDictionary(current.definitions, secrets.current),
    previous: secretDictionary(previous?.definitions ?? new Map(), secrets.previous),
    marbleRoot: authority.marbleRoot.certificate,
    coordinatorRoot: authority.root.certificate,
    coordinatorIntermediate: authority.intermediate.certificate,
    marble: identity.material,
  });
  const files = rendered(templates.files, data, (name) => `file "${name}"`);
  const env = new Map(rendered(templates.env, data, (name) => `env variable "${name}"`));
  const { certificate, private: key } = identity.material;
  const chain = pemText('CERTIFICATE', certificate) + authority.intermediate.pem;
  const reserved = {
    MARBLE_PREDEFINED_ROOT_CA: authority.marbleRoot.pem,
    MARBLE_PREDEFINED_MARBLE_CERTIFICATE_CHAIN: chain,
    MARBLE_PREDEFINED_PRIVATE_KEY: pemText('PRIVATE KEY', key),
    MARBLE_PREDEFINED_COORDINATOR_ROOT_CA: authority.root.pem,
    MARBLE_TTLS_CONFIG: ttlsConfig({
      marble,
      manifest,
      identity: identity.material,
      marbleRoot: authority.marbleRoot.certificate,
      secrets: secrets.current,
    }),
  };
  for (const [name, value] of Object.entries(reserved))
    if (value !== undefined) env.set(name, Buffer.from(value));
  return { files, env: [...env], argv: marble.parameters.argv };
}

function rendered(
  values: MarbleTemplates['files'],
  data: marblerun.Value,
  where: (name: string) => string,
): (readonly [string, Buffer])[] {
  return values.map(([name, value]) => [
    name,
    Buffer.isBuffer(value) ? value : render(value, data, where(name)),
  ]);
}

function render(template: marblerun.Template, data: marblerun.Value, where: string): Buffer {
  try {
    return template.render(data);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw activationFailed(
      'TEMPLATE_FAILED',
      `${CUSTOMIZING}: parsing secrets for ${where}: ${error.message}`,
      error,
    );
  }
}
