import {
  type ApplicationIdentity,
  AzureKeyVault,
  CachingReader,
  makeApplicationCredential,
  makeTransport,
  type SecretSource,
  toVaultError,
  type Transport,
  VaultError,
} from '#vault';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { hash } from 'node:crypto';
import { authorityOfSettings, type SessionAzureSettings, vaultScope } from './azure-settings.js';

type Credential = Awaited<ReturnType<typeof makeApplicationCredential>>;
type Token = NonNullable<Awaited<ReturnType<Credential['getToken']>>>;
type TokenOptions = Parameters<Credential['getToken']>[1];

const MAX_TOKENS = 1_024;
const MAX_VAULTS = 64;
/** A token is asked for anew so long before its end, or when half of its time is over. */
const BEFORE_END_MS = 300_000;
/** A refusal of Entra is repeated for this long: who asks again and again does not ask Entra each time. */
const REFUSAL_MS = 5_000;

/** One of the applications that sessions name, and what it may do by the settings of its tenant here. */
export interface SessionIdentity {
  readonly tenant: string;
  readonly settings: SessionAzureSettings;
  readonly application: ApplicationIdentity;
}

/** Tokens and vaults by the identities that sessions bring. Tokens are kept in memory alone, each for its credential. */
@Injectable()
export class SessionIdentities implements OnApplicationShutdown {
  private readonly tokens = new LRUCache<string, { token: Token; until: number }>({ max: MAX_TOKENS });
  private readonly refusals = new LRUCache<string, VaultError>({ max: MAX_TOKENS, ttl: REFUSAL_MS });
  private readonly asking = new Map<string, Promise<Token>>();
  private readonly vaults = new LRUCache<string, CachingReader>({
    max: MAX_VAULTS,
    dispose: (vault) => void vault.close(),
  });
  private readonly transports = new Map<string, Transport>();

  /** A token for vaults, as Entra gave it. @throws VaultError */
  async token(identity: SessionIdentity): Promise<string> {
    const { token } = await this.cached(identity, vaultScope(identity.settings), undefined);
    return token;
  }

  /** A vault that the settings name, read as this identity. @throws VaultError VAULT_UNKNOWN for any other host */
  vault(identity: SessionIdentity, host: string): SecretSource {
    const { settings } = identity;
    const allowed = Object.hasOwn(settings.vaultHosts, host) ? settings.vaultHosts[host] : undefined;
    if (!allowed) throw new VaultError('VAULT_UNKNOWN', `no session may read the vault "${host}"`);
    const key = JSON.stringify([keyOf(identity), host]);
    const known = this.vaults.get(key);
    if (known) return known;
    const { connectAddress } = allowed;
    const source = new AzureKeyVault({
      name: host,
      vaultUrl: `https://${host}`,
      credential: {
        getToken: (scopes, options) => this.cached(identity, [scopes].flat().join(' '), options),
      },
      transport: makeTransport({
        ...(settings.caFile === undefined ? {} : { caFile: settings.caFile }),
        ...(connectAddress === undefined ? {} : { connectAddress }),
      }),
      timeoutMs: settings.timeoutSeconds * 1_000,
    });
    const reader = new CachingReader(source, allowed.reader);
    this.vaults.set(key, reader);
    return reader;
  }

  onApplicationShutdown(): void {
    this.vaults.clear();
    this.tokens.clear();
    for (const transport of this.transports.values()) transport.close();
    this.transports.clear();
  }

  private async cached(identity: SessionIdentity, scope: string, options: TokenOptions): Promise<Token> {
    const key = JSON.stringify([keyOf(identity), scope, options?.tenantId ?? '', options?.claims ?? '']);
    const known = this.tokens.get(key);
    if (known && Date.now() < known.until) return known.token;
    const refusal = this.refusals.get(key);
    if (refusal) throw refusal;
    const underWay = this.asking.get(key);
    if (underWay) return underWay;
    const asked = this.ask(identity, scope, options)
      .then((token) => {
        const left = token.expiresOnTimestamp - Date.now();
        const until = token.expiresOnTimestamp - Math.min(BEFORE_END_MS, left / 2);
        this.tokens.set(key, { token, until });
        return token;
      })
      .catch((error: unknown) => {
        if (error instanceof VaultError && !error.outage) this.refusals.set(key, error);
        throw error;
      })
      .finally(() => this.asking.delete(key));
    this.asking.set(key, asked);
    return asked;
  }

  /** One request, with its own deadline: several callers may wait for it. */
  private async ask(
    { settings, application }: SessionIdentity,
    scope: string,
    options: TokenOptions,
  ): Promise<Token> {
    const what = `token of the application ${application.clientId.slice(0, 64)}`;
    const deadline = AbortSignal.timeout(settings.timeoutSeconds * 1_000);
    const { disableInstanceDiscovery } = settings;
    try {
      const credential = await makeApplicationCredential(
        application,
        {
          authorityHost: authorityOfSettings(settings),
          ...(disableInstanceDiscovery === undefined ? {} : { disableInstanceDiscovery }),
        },
        this.transport(settings),
      );
      const given = await Promise.race([
        credential.getToken(scope.split(' '), { ...options, abortSignal: deadline }),
        new Promise<never>((_resolve, reject) =>
          deadline.addEventListener('abort', () => reject(new DOMException('no answer', 'AbortError')), {
            once: true,
          }),
        ),
      ]);
      if (given) return given;
    } catch (error) {
      throw toVaultError(error, what, {}, deadline.aborted);
    }
    throw new VaultError('VAULT_IDENTITY_UNAVAILABLE', `${what}: there is none`);
  }

  /** To the authority. */
  private transport({ caFile }: SessionAzureSettings): Transport {
    const known = this.transports.get(caFile ?? '');
    if (known) return known;
    const made = makeTransport(caFile === undefined ? {} : { caFile });
    this.transports.set(caFile ?? '', made);
    return made;
  }
}

/** Whoever has another credential, or another authority, has other tokens. */
const keyOf = ({ tenant, settings, application }: SessionIdentity): string =>
  hash('sha256', JSON.stringify([tenant, authorityOfSettings(settings), application]), 'base64url');
