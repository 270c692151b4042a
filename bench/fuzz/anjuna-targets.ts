import { SiegelError } from '#contracts';
import { generateKeyPairSync } from 'node:crypto';
import { CliError } from '../../apps/cli/src/failure/cli-error.js';
import { ANJUNA_AUTHORIZE } from '../../apps/cli/src/manifest/import/anjuna-authorize.js';
import { ANJUNA_MANIFEST } from '../../apps/cli/src/manifest/import/anjuna-manifest.js';
import type { ImportChoices } from '../../apps/cli/src/manifest/import/importer.js';
import { provisioningKeyOf } from '../../apps/key-release/src/wrappers/anjuna/provisioning/provisioning-files.js';
import { VAULT_PREFIX, vaultCallOf } from '../../apps/key-release/src/wrappers/anjuna/vault/vault-call.js';
import type { Mutation } from './byte-mutations.js';
import type { Target } from './targets.js';

/** The YAML parser takes milliseconds for a few KiB, which is no hang. */
const YAML_BYTES = 4 * 1024;
const CHOICES: ImportChoices = { by: 'enclave', values: new Map() };
const SCRIPT = `#!/bin/sh
set -e; SIGNER="${'cd'.repeat(32)}" # comment
export E='${'ab'.repeat(32)}'
anjuna-policy-manager authorize enclave --enclave=$E \\
  --signer "\${SIGNER}" --engine-path shop key > /dev/null 2>&1 || exit 1
if true; then anjuna-policy-manager authorize signer --signer $SIGNER "$(cat name)"; fi
anjuna-policy-manager secret create key --value 'x' && echo done | cat
`;
const MANIFEST = `keys:
- {id: a, source: hardware, bindings: [VENDOR_IDENTITY]}
- {id: b, source: key_server, uri: anjuna://keys/b_c}
- id: c
  source: RSA
  value: |
    text
policy_manager: {url: "https://apm.test:8201"}
`;

/** What users of Anjuna hand in: scripts, manifests, keys, and paths of Vault. */
export function anjunaTargets(lines: readonly Mutation[], bytes: readonly Mutation[]): Target[] {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = (type: 'pkcs1' | 'spki', format: 'der' | 'pem'): Buffer =>
    Buffer.from(publicKey.export({ type, format: format as 'der' }));
  return [
    {
      name: 'anjuna-authorize',
      seeds: [Buffer.from(SCRIPT)],
      mutations: [...lines],
      run: (input) => importing(() => ANJUNA_AUTHORIZE.read(input, CHOICES)),
      share: 1,
    },
    {
      name: 'anjuna-manifest',
      seeds: [Buffer.from(MANIFEST)],
      mutations: [...lines],
      run: (input) => importing(() => ANJUNA_MANIFEST.read(input.subarray(0, YAML_BYTES), CHOICES)),
      share: 1,
    },
    {
      name: 'anjuna-provisioning-key',
      seeds: [key('pkcs1', 'der'), key('spki', 'der'), key('pkcs1', 'pem'), key('spki', 'pem')],
      mutations: [...bytes],
      run: (input) => {
        const text = input.toString('latin1');
        try {
          provisioningKeyOf(text.startsWith('-----') ? text : input.toString('base64'));
          return undefined;
        } catch (error) {
          if (error instanceof SiegelError) return error.reason?.code ?? error.code;
          throw error;
        }
      },
      share: 1,
    },
    {
      name: 'vault-path',
      seeds: [
        'prod/db',
        'prod/data/db?version=0',
        'sys/internal/ui/mounts/prod/x',
        'auth/token/lookup-self',
      ].map((path) => Buffer.from(path)),
      mutations: [...bytes],
      run: (input) => {
        const call = vaultCallOf('GET', `${VAULT_PREFIX}${input.toString('latin1')}`);
        if (call.kind === 'refused') return call.code;
        // A read is what the others are judged against; they are outcomes of their own.
        return call.kind === 'read' ? undefined : call.kind;
      },
      share: 1,
    },
  ];
}

function importing(read: () => unknown): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (error instanceof CliError) return error.message.slice(0, 60);
    throw error;
  }
}
