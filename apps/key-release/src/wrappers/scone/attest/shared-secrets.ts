import { scone } from '#policy';
import { Injectable } from '@nestjs/common';
import { X509Certificate } from 'node:crypto';
import type { z } from 'zod';
import type { GrantRecord } from '#contracts';
import { type MadeSecret, SecretProblem } from '../secrets/made-secret.js';
import { type OpenSession, SessionService } from '../session/session.service.js';
import { signToken } from './session-token.js';
import { type SecretContext, VaultSecrets } from './vault-secrets.js';

const MAX_IMPORTS = 8;

/** Values for a service that has been attested, and what came from vaults, for its event. */
export interface CollectedSecrets {
  readonly values: Map<string, MadeSecret>;
  readonly grants: z.infer<typeof GrantRecord>[];
}

/** Gathers the secrets of a service: made ones, those of other sessions that export them, of vaults, and tokens that are signed now. */
@Injectable()
export class SharedSecrets {
  constructor(
    private readonly sessions: SessionService,
    private readonly vaults: VaultSecrets,
  ) {}

  /** @throws SecretProblem, SiegelError */
  async collect(
    opened: OpenSession,
    names: ReadonlySet<string>,
    mrenclave: string | undefined,
    now: Date,
  ): Promise<CollectedSecrets> {
    const values = new Map<string, MadeSecret>();
    const grants: z.infer<typeof GrantRecord>[] = [];
    for (const name of names) {
      const value = await this.value(opened, name, grants, now, 0);
      if (value) values.set(name, value);
    }
    for (const secret of opened.session.secrets)
      if (secret.kind === 'jwt' && names.has(secret.name))
        values.set(secret.name, await this.token(opened, secret, grants, mrenclave, now));
    return { values, grants };
  }

  private async value(
    opened: OpenSession,
    name: string,
    grants: z.infer<typeof GrantRecord>[],
    now: Date,
    depth: number,
  ): Promise<MadeSecret | undefined> {
    const secret = opened.session.secrets.find((one) => one.name === name);
    if (secret?.import) return this.imported(opened, secret, secret.import, grants, now, depth);
    if (secret?.importAkv)
      return this.vaults.read(secret, secret.importAkv, this.context(opened, grants, now, depth));
    if (secret?.kind === 'aad-token')
      return this.vaults.token(secret, this.context(opened, grants, now, depth));
    const made = Object.hasOwn(opened.record.secrets, name) ? opened.record.secrets[name] : undefined;
    if (
      made &&
      'certificate' in made &&
      Date.parse(new X509Certificate(made.certificate).validTo) <= now.getTime()
    )
      throw new SecretProblem(
        'SCONE_SECRET_INVALID',
        `the certificate "${name}" has ended; update the session`,
      );
    return made;
  }

  /** From a session of the same tenant that exports it to this one. */
  private async imported(
    opened: OpenSession,
    { name }: scone.SconeSecret,
    from: scone.SconeImport,
    grants: z.infer<typeof GrantRecord>[],
    now: Date,
    depth: number,
  ): Promise<MadeSecret | undefined> {
    const refused = new SecretProblem('SCONE_SECRET_UNKNOWN', `"${name}" is not exported to this session`);
    if (depth >= MAX_IMPORTS || from.foreign) throw refused;
    const own = opened.session.name;
    const source = await this.sessions.open(opened.record.tenant, absolute(own, from.session));
    const exported = source?.session.secrets.find((one) => one.name === from.secret);
    if (!source || !exported) throw refused;
    if (from.sessionHash !== undefined && from.sessionHash !== source.record.hash) throw refused;
    const allowed = exported.exports.some(
      ({ session, sessionHash, namespace, foreign }) =>
        !foreign &&
        (session === undefined || absolute(source.session.name, session) === own) &&
        (namespace === undefined || own.startsWith(`${absolute(source.session.name, namespace)}/`)) &&
        (sessionHash === undefined || sessionHash === opened.record.hash),
    );
    if (!allowed) throw refused;
    return this.value(source, from.secret, grants, now, depth + 1);
  }

  private context(
    opened: OpenSession,
    grants: z.infer<typeof GrantRecord>[],
    now: Date,
    depth: number,
  ): SecretContext {
    const { tenant } = opened.record;
    return {
      tenant,
      settings: this.sessions.settings(tenant),
      secrets: opened.session.secrets,
      grants,
      find: async (name) => {
        if (depth < MAX_IMPORTS) return this.value(opened, name, grants, now, depth + 1);
        throw new SecretProblem('SCONE_SECRET_INVALID', `"${name}" refers to itself, or too far`);
      },
    };
  }

  private async token(
    opened: OpenSession,
    secret: scone.SconeSecret,
    grants: z.infer<typeof GrantRecord>[],
    mrenclave: string | undefined,
    now: Date,
  ): Promise<MadeSecret> {
    const signer =
      secret.signer === undefined ? undefined : await this.value(opened, secret.signer, grants, now, 0);
    const values = new Map<string, MadeSecret>();
    for (const text of secret.payload?.values() ?? []) {
      const name = scone.wholePlaceholder(text)?.name;
      const value = name === undefined ? undefined : await this.value(opened, name, grants, now, 0);
      if (name !== undefined && value) values.set(name, value);
    }
    return { kind: 'ascii', text: await signToken(secret, signer, values, mrenclave, now) };
  }
}

/** `../x` and `./x` are seen from the namespace that a session lies in; a leading slash is the root. */
export function absolute(from: string, path: string): string {
  if (!/^\.{1,2}\//.test(path)) return path.replace(/^\//, '');
  const parts = from.split('/').slice(0, -1);
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}
