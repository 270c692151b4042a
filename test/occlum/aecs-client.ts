import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import {
  constants,
  createDecipheriv,
  createPublicKey,
  hash,
  privateDecrypt,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto';
import { type Keys, rsaKeys } from '../ra-tls/certificate-builder.js';
import type { Quoting } from '../ra-tls/dialect-identities.js';
import { Refused } from './unary-http2.js';

const GET_ENCLAVE_SECRET = '/kubetee.Aecs/GetEnclaveSecret';
const TA_REMOTE_CALL = '/kubetee.Aecs/TaRemoteCall';
/** AecsClient::kTimeoutMs. */
const DEADLINE_MS = 4_000;

/** A message of length-delimited fields. */
export function message(...fields: readonly (readonly [number, Uint8Array | string])[]): Buffer {
  const writer = new BinaryWriter();
  for (const [number, value] of fields)
    writer
      .tag(number, WireType.LengthDelimited)
      .bytes(typeof value === 'string' ? Buffer.from(value) : value);
  return Buffer.from(writer.finish());
}

function fieldsOf(bytes: Uint8Array): Map<number, Buffer> {
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, Buffer>();
  while (reader.pos < reader.len) {
    const [number] = reader.tag();
    fields.set(number, Buffer.from(reader.bytes()));
  }
  return fields;
}

/** Sends a message to a method as any gRPC client would; the channel is in clear text. */
export function callAecs(port: number, path: string, request: Buffer): Promise<Buffer> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const same = (bytes: Buffer): Buffer => bytes;
  return new Promise((resolve, reject) => {
    const done = (error: ServiceError | null, reply?: Buffer): void => {
      client.close();
      if (error) reject(new Refused(error.code, error.details));
      else resolve(reply!);
    };
    client.makeUnaryRequest(path, same, same, request, { deadline: Date.now() + DEADLINE_MS }, done);
  });
}

/** Carries one call; the real client makes a channel for each. */
export type Transport = (path: string, request: Buffer) => Promise<Buffer>;

export interface AecsChanges {
  /** Members of the report that differ from an honest client's. */
  readonly report?: Partial<Record<'version' | 'type' | 'platform' | 'json' | 'nested', string>>;
  /** Sent in place of the text that the quote binds. */
  readonly pem?: string;
  /** First half of the report data. */
  readonly userData?: Buffer;
}

interface SymmetricKeyEncrypted {
  readonly cipher: Buffer;
  readonly mac: Buffer;
  readonly aad: Buffer;
  readonly iv: Buffer;
}
interface DigitalEnvelope extends SymmetricKeyEncrypted {
  readonly encryptedKey: Buffer;
  readonly plainHash: Buffer;
  readonly plainHashSig: Buffer;
}

/** libaecs_client in one enclave: one RSA key for the process, one quote for each request. */
export class AecsClient {
  readonly keys: Keys = rsaKeys(2048);
  /** As text, in PKCS #1: what the quote binds. */
  readonly pem = this.keys.publicKey.export({ type: 'pkcs1', format: 'pem' }) as string;

  constructor(
    private readonly transport: Transport,
    private readonly quoting: Quoting,
    private readonly changes: AecsChanges = {},
    /** What the client fetches from its PCCS and sends along. */
    private readonly collateral: object = {},
  ) {}

  /** aecs_client_get_secret_by_buffer() of the client that Occlum builds: gives what is in the buffer afterwards. */
  async getSecret(service: string, name: string, nonce = '', bufferBytes = 10_240): Promise<Buffer> {
    const request = this.getEnclaveSecretRequest(service, name, nonce);
    const reply = fieldsOf(await this.transport(GET_ENCLAVE_SECRET, request));
    const envelope = envelopeOf(reply.get(2)!);
    const plain = this.opened(envelope, serverKeyOf(reply.get(1)!));
    if (nonce !== '' && envelope.aad.toString() !== nonce) throw new Error('nonce mismatch');
    if (bufferBytes <= plain.length) throw new Error('small buffer');
    return plain;
  }

  getEnclaveSecretRequest(service: string, name: string, nonce = ''): Buffer {
    return message([1, this.authReport()], [2, service], [3, name], [4, nonce]);
  }

  /** aecs_client_get_secret() of AECS 2. */
  async taGetSecret(service: string, name: string, nonce = ''): Promise<string> {
    const json = JSON.stringify({ service_name: service, secret_name: name, nonce });
    const reply = fieldsOf(await this.transport(TA_REMOTE_CALL, this.taRequest('TaGetSecret', json)));
    const pem = serverKeyOf(reply.get(1)!);
    const text = reply.get(2)!;
    const signature = Buffer.from(reply.get(3)!.toString(), 'base64');
    if (!verify('sha256', text, createPublicKey(pem), signature)) throw new Error('response signature');
    const body = JSON.parse(text.toString()) as {
      nonce?: string;
      secret_enc: {
        aes_cipher: Record<'cipher' | 'mac' | 'aad' | 'iv', string>;
        encrypted_key: string;
        plain_hash: string;
        plain_hash_sig: string;
      };
    };
    if (nonce !== '' && body.nonce !== nonce) throw new Error('nonce mismatch');
    const bytes = (base64: string): Buffer => Buffer.from(base64, 'base64');
    const { aes_cipher: aes, encrypted_key, plain_hash, plain_hash_sig } = body.secret_enc;
    const plain = this.opened(
      {
        cipher: bytes(aes.cipher),
        mac: bytes(aes.mac),
        aad: bytes(aes.aad),
        iv: bytes(aes.iv),
        encryptedKey: bytes(encrypted_key),
        plainHash: bytes(plain_hash),
        plainHashSig: bytes(plain_hash_sig),
      },
      pem,
    );
    return (JSON.parse(plain.toString()) as { data: string }).data;
  }

  taRequest(called: string, json: string, signer: Keys = this.keys): Buffer {
    const signature = sign('sha256', Buffer.from(json), signer.privateKey).toString('base64');
    return message([1, this.authReport()], [2, called], [3, json], [4, signature]);
  }

  /** UaGenerateAuthReport(): the report data is the user data (zeros in Occlum's init) and the hash of the key's text. */
  private authReport(): Buffer {
    const { report = {}, pem = this.pem, userData = Buffer.alloc(32) } = this.changes;
    const quote = this.quoting(Buffer.concat([userData, hash('sha256', this.pem, 'buffer')]));
    const json =
      report.json ??
      JSON.stringify({
        b64_quote: quote.toString('base64'),
        json_collateral: JSON.stringify(this.collateral),
      });
    const inner = message(
      [1, report.version ?? '1.0'],
      [2, report.type ?? 'Passport'],
      [3, report.platform ?? 'SGX_DCAP'],
      [4, json],
      ...(report.nested === undefined ? [] : [[9, report.nested] as const]),
    );
    return message([1, inner], [2, pem]);
  }

  /** DigitalEnvelope: Decrypt(), then Verify(). */
  private opened(envelope: DigitalEnvelope, serverPem: string): Buffer {
    const key = privateDecrypt(
      { key: this.keys.privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' },
      envelope.encryptedKey,
    );
    const aes = createDecipheriv('aes-256-gcm', key, envelope.iv);
    aes.setAAD(envelope.aad);
    aes.setAuthTag(envelope.mac);
    const plain = Buffer.concat([aes.update(envelope.cipher), aes.final()]);
    const digest = Buffer.from(hash('sha256', plain, 'hex').toUpperCase());
    if (digest.length !== envelope.plainHash.length || !timingSafeEqual(digest, envelope.plainHash))
      throw new Error('plain hash');
    if (!verify('sha256', digest, createPublicKey(serverPem), envelope.plainHashSig))
      throw new Error('plain hash signature');
    return plain;
  }
}

function envelopeOf(bytes: Buffer): DigitalEnvelope {
  const outer = fieldsOf(bytes);
  const aes = fieldsOf(outer.get(1)!);
  const [cipher, mac, aad, iv] = [1, 2, 3, 4].map((number) => aes.get(number)!) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ];
  return {
    cipher,
    mac,
    aad,
    iv,
    encryptedKey: outer.get(2)!,
    plainHash: outer.get(3)!,
    plainHashSig: outer.get(4)!,
  };
}

/** The key in the server's report; a text of another kind is taken for one of SM2. */
function serverKeyOf(authReport: Buffer): string {
  const pem = fieldsOf(authReport).get(2)?.toString() ?? '';
  if (!pem.includes('BEGIN RSA PUBLIC KEY')) throw new Error('SM2 is not spoken here');
  return pem;
}

/** What init does with an image key: no line end, sixteen numbers between hyphens. */
export function parseImageKey(text: string): Buffer {
  const parts = text.replace(/[\r\n]+$/, '').split('-');
  if (parts.length !== 16) throw new Error('the length or format of the key is invalid');
  return Buffer.from(
    parts.map((part) => {
      if (!/^[0-9a-fA-F]{1,2}$/.test(part)) throw new Error('invalid digit');
      return parseInt(part, 16);
    }),
  );
}
