import { createHmac, createSecretKey, hash, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';
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

/** Expiry in seconds (4), version and kind of evidence (1), mark of the process (2), random (9). */
const ID_BYTES = 16;
const KIND = 4;
const MARK = 5;
const MARK_BYTES = 2;

/**
 * Sessions before their attestation, without memory: the id says what the session is for, and the nonce is a MAC over it, so that a flood
 * of `/auth` costs no memory. The key lives in this process alone, so that no other replica takes the same attestation a second time; a
 * mark in the id tells which process it was, and a client that comes to another one is sent to begin again.
 */
export class SessionTickets {
  /** A KeyObject: Node probes plain bytes for being one, which costs more than the MAC. */
  private readonly key: KeyObject;
  private readonly mark: Buffer;

  constructor(private readonly lifetimeSeconds: number) {
    const key = randomBytes(32);
    this.mark = hash('sha256', key, 'buffer').subarray(0, MARK_BYTES);
    this.key = createSecretKey(key);
    key.fill(0);
  }

  mint(tenant: string, version: ProtocolVersion, tee: Tee, now: Date): Ticket {
    const bytes = randomBytes(ID_BYTES);
    bytes.writeUInt32BE(Math.floor(now.getTime() / 1_000) + this.lifetimeSeconds, 0);
    bytes[KIND] = (PROTOCOL_VERSIONS.indexOf(version) << 4) | TEES.indexOf(tee);
    this.mark.copy(bytes, MARK);
    return this.ticket(bytes, tenant, version, tee);
  }

  /** The ticket that an id stands for; undefined for what was never one of this process. It may have expired. */
  open(id: string, tenant: string): Ticket | undefined {
    const bytes = Buffer.from(id, 'hex');
    if (bytes.length !== ID_BYTES || !this.mark.equals(bytes.subarray(MARK, MARK + MARK_BYTES)))
      return undefined;
    const version = PROTOCOL_VERSIONS[bytes[KIND]! >> 4];
    const tee = TEES[bytes[KIND]! & 15];
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
