import { ChallengeMinter, LocalSigner, type MeshCa, ReplayCache, SigningKeys } from '#pki';
import { ConfigurationError, TRUST, type Trust } from '#platform';
import { type DynamicModule, Global, Module } from '@nestjs/common';
import { readFileSync } from 'node:fs';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../environment.js';
import { ManifestRecords } from '../manifests/manifest-records.js';
import { MESH_CA } from '../pipeline/certificate-issuance.js';
import { CHALLENGES } from '../pipeline/release-pipeline.js';
import { TOKEN_KEYS } from '../session/session-token.js';

const CHALLENGE_TTL_SECONDS = 120;
const MAX_OPEN_CHALLENGES = 200_000;

/** Everything that signs or authenticates; each behind the interface that a Key Vault key will stand behind as well. */
@Global()
@Module({})
export class SigningModule {
  static with(ca: MeshCa): DynamicModule {
    return {
      module: SigningModule,
      providers: [
        { provide: MESH_CA, useValue: ca },
        {
          provide: TOKEN_KEYS,
          inject: [KEY_RELEASE_ENVIRONMENT],
          useFactory: (environment: KeyReleaseEnvironment) =>
            SigningKeys.open({ dir: environment.SIEGEL_TOKEN_KEY_DIR, alg: 'ES256', now: new Date() }),
        },
        {
          provide: CHALLENGES,
          inject: [KEY_RELEASE_ENVIRONMENT],
          useFactory: (environment: KeyReleaseEnvironment) =>
            new ChallengeMinter({
              keys: challengeKeys(environment.SIEGEL_CHALLENGE_KEY_FILE),
              ttlSeconds: CHALLENGE_TTL_SECONDS,
              replay: new ReplayCache({ maxEntries: MAX_OPEN_CHALLENGES }),
            }),
        },
        {
          provide: ManifestRecords,
          inject: [KEY_RELEASE_ENVIRONMENT, TRUST],
          useFactory: async (environment: KeyReleaseEnvironment, trust: Trust) =>
            new ManifestRecords(
              await LocalSigner.fromFile(environment.SIEGEL_MANIFEST_KEY_FILE),
              trust.manifestSigners,
            ),
        },
      ],
      exports: [MESH_CA, TOKEN_KEYS, CHALLENGES, ManifestRecords],
    };
  }
}

/** One base64 key per line: the first mints, all verify, so that a key can be replaced without refusing anyone. */
function challengeKeys(path: string): Buffer[] {
  const keys = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => Buffer.from(line.trim(), 'base64'));
  if (keys.length === 0 || keys.some((key) => key.length < 32)) {
    throw new ConfigurationError([
      {
        variable: 'SIEGEL_CHALLENGE_KEY_FILE',
        message: 'must hold base64 keys of at least 32 bytes, one per line',
      },
    ]);
  }
  return keys;
}
