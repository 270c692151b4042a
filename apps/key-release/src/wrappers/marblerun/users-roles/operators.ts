import { marblerun } from '#policy';
import { ConfigurationError } from '#platform';
import { hash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { DeploymentOptions } from '../state/deployments-file.js';

const MIN_TOKEN_CHARACTERS = 32;

/** What a client shows of itself. */
export interface Credentials {
  /** DER of the client certificate, its key proven by the TLS handshake. */
  readonly certificate: Buffer | undefined;
  /** The Authorization header. */
  readonly authorization: string | undefined;
}

/** Who may act before there is a manifest with users: holders of a pinned client certificate or of the admin token. */
export class Operators {
  private constructor(
    private readonly token: Buffer | undefined,
    private readonly certificates: ReadonlyMap<string, string>,
  ) {}

  /** @param token of the service's admin API; undefined where there is none. @throws ConfigurationError */
  static of(
    { name, operators }: Pick<DeploymentOptions, 'name' | 'operators'>,
    token: string | undefined,
  ): Operators {
    if (token !== undefined && token.length < MIN_TOKEN_CHARACTERS)
      throw new ConfigurationError([
        {
          variable: 'SIEGEL_ADMIN_TOKEN_FILE',
          message: `holds fewer than ${MIN_TOKEN_CHARACTERS} characters`,
        },
      ]);
    const certificates = operators.map((path) => {
      const der = marblerun.userCertificate(readFileSync(path, 'utf8'));
      if (der === undefined)
        throw new ConfigurationError([
          { variable: 'SIEGEL_MARBLERUN_FILE', message: `${name}: ${path} holds no PEM certificate` },
        ]);
      return [der.toString('base64'), hash('sha256', der, 'hex').slice(0, 16)] as const;
    });
    return new Operators(
      token === undefined ? undefined : hash('sha256', token, 'buffer'),
      new Map(certificates),
    );
  }

  /** Who it is, for events; undefined where the credentials are nobody's. */
  identify({ certificate, authorization }: Credentials): string | undefined {
    const pinned = certificate && this.certificates.get(certificate.toString('base64'));
    if (pinned !== undefined) return `operator:certificate ${pinned}`;
    const token = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(authorization ?? '')?.[1];
    if (token === undefined || this.token === undefined) return undefined;
    return timingSafeEqual(hash('sha256', token, 'buffer'), this.token) ? 'operator:admin-token' : undefined;
  }
}
