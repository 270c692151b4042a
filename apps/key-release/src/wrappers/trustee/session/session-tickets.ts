import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { PROTOCOL_VERSIONS, type ProtocolVersion, type Tee, TEES } from '../protocol/versions.js';

/** What a client is given at `/auth`, and what it says about the session when it comes back. */
export interface Ticket {
  /** Value of the cookie: 32 hexadecimal digits. */
  readonly id: string;
  readonly version: ProtocolVersion;
  readonly tee: Tee;
  /** 32 bytes. */
  readonly nonce: Buffer;
  readonly expiresAt: Date;
}

const ID_BYTES = 16;

/**
 * Sessions before their attestation, without memory: the id holds expiry, version, kind of evidence and ten random bytes, and the nonce
 * is a MAC over it. A flood of `/auth` costs no memory. Only whoever knows the nonce was here; the key lives in this process alone, so
 * that no other replica takes the same attestation a second time.
 */
export class SessionTickets {
  private readonly key = randomBytes(32);

  constructor(private readonly lifetimeSeconds: number) {}

  mint(tenant: string, version: ProtocolVersion, tee: Tee, now: Date): Ticket {
    const bytes = randomBytes(ID_BYTES);
    bytes.writeUInt32BE(Math.floor(now.getTime() / 1_000) + this.lifetimeSeconds, 0);
    bytes[4] = PROTOCOL_VERSIONS.indexOf(version);
    bytes[5] = TEES.indexOf(tee);
    return this.ticket(bytes, tenant, version, tee);
  }

  /** The ticket that an id stands for; undefined for what was never one. It may have expired. */
  open(id: string, tenant: string): Ticket | undefined {
    const bytes = Buffer.from(id, 'hex');
    if (bytes.length !== ID_BYTES) return undefined;
    const version = PROTOCOL_VERSIONS[bytes[4]!];
    const tee = TEES[bytes[5]!];
    return version === undefined || tee === undefined ? undefined : this.ticket(bytes, tenant, version, tee);
  }

  private ticket(bytes: Buffer, tenant: string, version: ProtocolVersion, tee: Tee): Ticket {
    return {
      id: bytes.toString('hex'),
      version,
      tee,
      nonce: createHmac('sha256', this.key).update(bytes).update(tenant).digest(),
      expiresAt: new Date(bytes.readUInt32BE(0) * 1_000),
    };
  }
}

/** Whether a client repeats the nonce of its session, as base64. */
export function repeatsNonce(ticket: Ticket, nonce: string): boolean {
  const given = Buffer.from(nonce, 'base64');
  return given.length === ticket.nonce.length && timingSafeEqual(given, ticket.nonce);
}
