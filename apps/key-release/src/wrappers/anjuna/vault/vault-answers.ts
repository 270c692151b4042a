import { randomUUID } from 'node:crypto';
import type { SessionClaims } from '../../../session/session-token.js';

/** Vault's envelope around every answer (api-docs of Vault). */
interface Envelope {
  readonly auth?: object;
  readonly mountType?: string;
  /** JSON text of `data`. */
  readonly data?: string;
}

function envelope({ auth, data = 'null', mountType = '' }: Envelope): string {
  const before = { request_id: randomUUID(), lease_id: '', renewable: false, lease_duration: 0 };
  const after = { wrap_info: null, warnings: null, auth: auth ?? null, mount_type: mountType };
  return `${JSON.stringify(before).slice(0, -1)},"data":${data},${JSON.stringify(after).slice(1)}`;
}

/** A token of Vault's kind, as it is given out and as it is looked up. */
export interface VaultToken {
  readonly token: string;
  readonly session: SessionClaims;
}

const metadataOf = ({ tenant, workload, session, simulated }: SessionClaims): Record<string, string> => ({
  tenant,
  workload,
  session,
  simulated: String(simulated),
});

const secondsUntil = (end: Date, now: Date): number =>
  Math.max(0, Math.floor((end.getTime() - now.getTime()) / 1_000));

export function loginAnswer({ token, session }: VaultToken, now: Date): string {
  const policies = [session.workload];
  return envelope({
    auth: {
      client_token: token,
      accessor: session.tokenId,
      policies,
      token_policies: policies,
      metadata: metadataOf(session),
      lease_duration: secondsUntil(session.expiresAt, now),
      renewable: false,
      entity_id: '',
      token_type: 'batch',
      orphan: true,
      mfa_requirement: null,
      num_uses: 0,
    },
  });
}

export function lookupAnswer({ token, session }: VaultToken, now: Date): string {
  const ttl = secondsUntil(session.expiresAt, now);
  const data = {
    accessor: session.tokenId,
    display_name: `siegel-${session.workload}`,
    entity_id: '',
    expire_time: session.expiresAt.toISOString(),
    explicit_max_ttl: 0,
    id: token,
    meta: metadataOf(session),
    num_uses: 0,
    orphan: true,
    path: 'auth/siegel/login',
    policies: [session.workload],
    renewable: false,
    ttl,
    type: 'batch',
  };
  return envelope({ data: JSON.stringify(data), mountType: 'token' });
}

/** What the command line of Vault asks before it reads: which engine a path belongs to. */
export function mountAnswer(vault: string): string {
  const data = {
    accessor: `siegel_${vault}`,
    config: { default_lease_ttl: 0, force_no_cache: true, max_lease_ttl: 0 },
    description: '',
    external_entropy_access: false,
    local: false,
    options: { version: '2' },
    path: `${vault}/`,
    seal_wrap: false,
    type: 'kv',
    uuid: '',
  };
  return envelope({ data: JSON.stringify(data), mountType: 'system' });
}

/**
 * A secret as engine 1 or 2 has it. A text that is a JSON object is the data, to the byte: parsed and written again, large numbers would be
 * others. Every other text is the member `value`.
 */
export function secretAnswer(engine: 1 | 2, text: string, version: string, now: Date): string {
  const data = isJsonObject(text) ? text : JSON.stringify({ value: text });
  if (engine === 1) return envelope({ data, mountType: 'kv' });
  const metadata = {
    // Of all versions this API shows the granted one, so it is the first; the vault's own name for it stands beside.
    created_time: now.toISOString(),
    custom_metadata: { siegel_version: version },
    deletion_time: '',
    destroyed: false,
    version: 1,
  };
  return envelope({ data: `{"data":${data},"metadata":${JSON.stringify(metadata)}}`, mountType: 'kv' });
}

function isJsonObject(text: string): boolean {
  if (!/^[ \t\r\n]*\{/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const VERSION = '0.1.0+siegel';

export function healthAnswer(ready: boolean, now: Date): string {
  return JSON.stringify({
    initialized: true,
    sealed: !ready,
    standby: false,
    performance_standby: false,
    replication_performance_mode: 'disabled',
    replication_dr_mode: 'disabled',
    server_time_utc: Math.floor(now.getTime() / 1_000),
    version: VERSION,
    cluster_name: 'siegel',
    cluster_id: '',
  });
}

export function sealStatusAnswer(ready: boolean): string {
  return JSON.stringify({
    type: 'siegel',
    initialized: true,
    sealed: !ready,
    t: 0,
    n: 0,
    progress: 0,
    nonce: '',
    version: VERSION,
    build_date: '',
    migration: false,
    recovery_seal: false,
    storage_type: 'siegel',
    cluster_name: 'siegel',
    cluster_id: '',
  });
}
