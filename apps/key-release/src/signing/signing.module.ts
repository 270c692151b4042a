import { ChallengeMinter, LocalSigner, ReplayCache } from '#pki';
import { ConfigurationError, TRUST, type Trust } from '#platform';
import {
  type DynamicModule,
  Global,
  Logger,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { readFileSync } from 'node:fs';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../environment.js';
import { ManifestRecords } from '../manifests/manifest-records.js';
import { MESH_CA } from '../pipeline/certificate-issuance.js';
import { CHALLENGES } from '../pipeline/release-pipeline.js';
import { TOKEN_KEYS } from '../session/session-token.js';
import { Signers } from './signers.js';

const CHALLENGE_TTL_SECONDS = 120;
const MAX_OPEN_CHALLENGES = 200_000;

/** Everything that signs or authenticates; keys of a vault stand behind the same interface as local ones. */
@Global()
@Module({})
export class SigningModule implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger('signing');

  constructor(private readonly signers: Signers) {}

  static with(signers: Signers): DynamicModule {
    return {
      module: SigningModule,
      providers: [
        { provide: Signers, useValue: signers },
        { provide: MESH_CA, useValue: signers.ca },
        { provide: TOKEN_KEYS, useValue: signers.tokenKeys },
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
      exports: [Signers, MESH_CA, TOKEN_KEYS, CHALLENGES, ManifestRecords],
    };
  }

  onApplicationBootstrap(): void {
    this.signers.watch((what, error) =>
      this.log.error({ msg: `${what}: no look at its versions; what there is goes on`, err: error }),
    );
  }

  onApplicationShutdown(): void {
    this.signers.close();
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
