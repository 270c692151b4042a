import type { AuditEmitter } from '#emitter';
import { ChallengeMinter, LocalSigner, ReplayCache } from '#pki';
import { ConfigurationError, TRUST, type Trust } from '#platform';
import {
  type DynamicModule,
  Global,
  Inject,
  Logger,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { readFileSync } from 'node:fs';
import { AUDIT_EMITTER } from '../audit/audit.module.js';
import { KEY_RELEASE_ENVIRONMENT, type KeyReleaseEnvironment } from '../environment.js';
import { ManifestRecords } from '../manifests/manifest-records.js';
import { MESH_CA } from '../pipeline/certificate-issuance.js';
import { CHALLENGES } from '../pipeline/challenges.token.js';
import { TOKEN_KEYS } from '../session/session-token.js';
import { Signers } from './signers.js';

const CHALLENGE_TTL_SECONDS = 120;
const MAX_OPEN_CHALLENGES = 200_000;

/** Everything that signs or authenticates; keys of a vault stand behind the same interface as local ones. */
@Global()
@Module({})
export class SigningModule implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger('signing');

  constructor(
    private readonly signers: Signers,
    @Inject(AUDIT_EMITTER) private readonly audit: AuditEmitter,
    @Inject(KEY_RELEASE_ENVIRONMENT) private readonly environment: KeyReleaseEnvironment,
  ) {}

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
    const tenant = this.environment.SIEGEL_DEFAULT_TENANT ?? 'default';
    this.signers.watch({
      changed: (signer, key) => {
        const versions = key.versions.map(({ version, signer: { kid } }) => ({ version, kid }));
        const data = { service: 'key-release', signer, vault: key.azureName, keyName: key.keyName, versions };
        this.log.log({ msg: 'the versions of a vault key changed', ...data });
        this.audit
          .record({ tenant, type: 'service.signer', outcome: versions.length === 0 ? 'alert' : 'ok', data })
          .catch((error: unknown) => this.log.error(`not logged yet: ${(error as Error).message}`));
      },
      failed: (signer, error) =>
        this.log.error({ msg: `${signer}: no look at its versions; what there is goes on`, err: error }),
    });
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
