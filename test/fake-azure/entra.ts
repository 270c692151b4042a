import { constants, createHash, randomUUID, timingSafeEqual, verify, X509Certificate } from 'node:crypto';
import { TokenAuthority, type TokenClaims } from './token-authority.js';
import type { JsonObject, WireResponse } from './wire.js';

export const FEDERATION_AUDIENCE = 'api://AzureADTokenExchange';

/** An application or managed identity, and what it may do in every vault of the fake. */
export interface FakePrincipal {
  readonly clientId: string;
  readonly objectId?: string;
  readonly clientSecret?: string;
  /** PEM, registered for assertions that the application signs itself. */
  readonly certificate?: string;
  /** Service account of the cluster that is federated: `system:serviceaccount:<namespace>:<name>`. */
  readonly federatedSubject?: string;
  /** The metadata service gives out its tokens; the one without a requested client id is the first. */
  readonly managedIdentity?: boolean;
  /** `secrets/get`, `keys/*`, `*`. */
  readonly permissions: readonly string[];
}

export interface AccessToken {
  readonly token: string;
  readonly expiresIn: number;
  readonly resource: string;
}

const LIFETIME_SECONDS = 3_600;

/** Entra: tokens for applications, by secret or by federation. Refusals carry the real AADSTS codes. */
export class FakeEntra {
  readonly clusterIssuer: string;
  private readonly authority = new TokenAuthority();
  private readonly cluster = new TokenAuthority();
  private lifetimeSeconds = LIFETIME_SECONDS;

  constructor(
    readonly tenantId: string,
    private readonly principals: readonly FakePrincipal[],
  ) {
    this.clusterIssuer = `https://oidc.fake-cluster.example/${tenantId}/`;
  }

  /** A projected service account token, as the kubelet writes it into the pod. */
  projectToken(subject: string, options: { audience?: string; expiresInSeconds?: number } = {}): string {
    const iat = Math.floor(Date.now() / 1000);
    const aud = options.audience ?? FEDERATION_AUDIENCE;
    return this.cluster.sign({
      iss: this.clusterIssuer,
      sub: subject,
      aud,
      iat,
      exp: iat + (options.expiresInSeconds ?? 3_600),
    });
  }

  setTokenLifetime(seconds: number): void {
    this.lifetimeSeconds = seconds;
  }

  /** OpenID metadata of a tenant; MSAL asks for it before the first token. */
  metadata(tenant: string, origin: string): WireResponse {
    if (tenant !== this.tenantId) return tenantNotFound(tenant);
    const base = `${origin}/${tenant}`;
    return {
      status: 200,
      body: {
        issuer: `${base}/v2.0`,
        authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
        token_endpoint: `${base}/oauth2/v2.0/token`,
        device_authorization_endpoint: `${base}/oauth2/v2.0/devicecode`,
        end_session_endpoint: `${base}/oauth2/v2.0/logout`,
        jwks_uri: `${base}/discovery/v2.0/keys`,
        response_types_supported: ['code', 'id_token', 'token'],
        subject_types_supported: ['pairwise'],
        id_token_signing_alg_values_supported: ['RS256'],
        token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt'],
      },
    };
  }

  keys(): WireResponse {
    return { status: 200, body: this.authority.jwks() };
  }

  /** `POST /{tenant}/oauth2/v2.0/token` with `grant_type=client_credentials`. */
  token(tenant: string, form: URLSearchParams): WireResponse {
    if (tenant !== this.tenantId) return tenantNotFound(tenant);
    if (form.get('grant_type') !== 'client_credentials') {
      return refusal('unsupported_grant_type', 70003, 'The app requested an unsupported grant type.');
    }
    const clientId = form.get('client_id') ?? '';
    const principal = this.principals.find((candidate) => candidate.clientId === clientId);
    if (principal === undefined) {
      return refusal(
        'unauthorized_client',
        700016,
        `Application with identifier '${clientId}' was not found in the directory '${tenant}'.`,
      );
    }
    const resource = /^(https:\/\/[^/]+)\/\.default$/.exec(form.get('scope') ?? '')?.[1];
    if (resource === undefined)
      return refusal('invalid_scope', 1002012, 'The provided value for scope is not valid.');
    const denied = this.authenticate(principal, form);
    if (denied !== undefined) return denied;
    const { token, expiresIn } = this.issue(principal, resource, answersChallenge(form.get('claims')));
    return {
      status: 200,
      body: { token_type: 'Bearer', expires_in: expiresIn, ext_expires_in: expiresIn, access_token: token },
    };
  }

  /** The token that the metadata service hands out; undefined if no managed identity fits. */
  managedToken(clientId: string | undefined, resource: string): AccessToken | undefined {
    const principal = this.principals.find(
      (candidate) =>
        candidate.managedIdentity === true && (clientId === undefined || candidate.clientId === clientId),
    );
    return principal === undefined ? undefined : this.issue(principal, resource, false);
  }

  /** The principal of a vault request, with the claims of its token; undefined for a token that is not of this Entra. */
  authenticated(token: string): { principal: FakePrincipal; claims: TokenClaims } | undefined {
    const claims = this.authority.verify(token);
    const principal = claims && this.principals.find((candidate) => candidate.clientId === claims['appid']);
    return claims === undefined || principal === undefined ? undefined : { principal, claims };
  }

  private issue(principal: FakePrincipal, resource: string, withClaims: boolean): AccessToken {
    const iat = Math.floor(Date.now() / 1000);
    const expiresIn = this.lifetimeSeconds;
    const oid = principal.objectId ?? principal.clientId;
    const token = this.authority.sign({
      aud: resource,
      iss: `https://sts.windows.net/${this.tenantId}/`,
      iat,
      nbf: iat,
      exp: iat + expiresIn,
      appid: principal.clientId,
      oid,
      sub: oid,
      tid: this.tenantId,
      uti: randomUUID(),
      ver: '1.0',
      ...(withClaims ? { claims_challenge_answered: true } : {}),
    });
    return { token, expiresIn, resource };
  }

  private authenticate(principal: FakePrincipal, form: URLSearchParams): WireResponse | undefined {
    const secret = form.get('client_secret');
    if (secret !== null) {
      if (principal.clientSecret !== undefined && sameText(secret, principal.clientSecret)) return undefined;
      return refusal('invalid_client', 7000215, 'Invalid client secret provided.');
    }
    const assertion = form.get('client_assertion') ?? '';
    if (principal.certificate !== undefined) {
      const tokenPath = `/${this.tenantId}/oauth2/v2.0/token`;
      if (signedByCertificate(assertion, principal.clientId, principal.certificate, tokenPath))
        return undefined;
    }
    const claims = this.cluster.verify(assertion);
    if (claims === undefined) {
      return refusal(
        'invalid_client',
        700024,
        'Client assertion is not within its valid time range, or its signature is invalid.',
      );
    }
    if (claims.aud !== FEDERATION_AUDIENCE) {
      return refusal(
        'invalid_request',
        700212,
        `No matching federated identity record found for presented assertion audience '${claims.aud}'.`,
      );
    }
    if (claims.sub === principal.federatedSubject) return undefined;
    return refusal(
      'invalid_request',
      700213,
      `No matching federated identity record found for presented assertion subject '${claims.sub}'.`,
    );
  }
}

/** https://learn.microsoft.com/entra/identity-platform/certificate-credentials: `x5t` with RS256, `x5t#S256` with PS256. */
function signedByCertificate(assertion: string, clientId: string, pem: string, tokenPath: string): boolean {
  const [header = '', payload = '', signature = '', ...more] = assertion.split('.');
  const decode = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as JsonObject;
  try {
    const { raw, publicKey } = new X509Certificate(pem);
    const { alg, x5t, 'x5t#S256': x5tSha256 } = decode(header);
    const digest = (name: string): string => createHash(name).update(raw).digest('base64url');
    const pss = alg === 'PS256' && x5tSha256 === digest('sha256');
    if (more.length > 0 || (!pss && !(alg === 'RS256' && x5t === digest('sha1')))) return false;
    const padding = pss ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
    const key = { key: publicKey, padding, ...(pss ? { saltLength: 32 } : {}) };
    const { iss, sub, aud, exp } = decode(payload);
    return (
      verify('sha256', Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, 'base64url')) &&
      iss === clientId &&
      sub === clientId &&
      new URL(aud as string).pathname === tokenPath &&
      (exp as number) > Date.now() / 1_000
    );
  } catch {
    return false;
  }
}

/** MSAL always sends capabilities as claims; only an access token's `nbf` there answers a challenge. */
function answersChallenge(claims: string | null): boolean {
  try {
    return (
      (JSON.parse(claims ?? '{}') as { access_token?: { nbf?: unknown } }).access_token?.nbf !== undefined
    );
  } catch {
    return false;
  }
}

const tenantNotFound = (tenant: string): WireResponse =>
  refusal(
    'invalid_request',
    90002,
    `Tenant '${tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud.`,
  );

function refusal(error: string, code: number, description: string): WireResponse {
  const trace = randomUUID();
  const body: JsonObject = {
    error,
    error_description: `AADSTS${code}: ${description} Trace ID: ${trace} Timestamp: ${new Date().toISOString()}`,
    error_codes: [code],
    trace_id: trace,
    correlation_id: randomUUID(),
  };
  return { status: error === 'invalid_client' ? 401 : 400, body };
}

const sameText = (a: string, b: string): boolean => {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
};
