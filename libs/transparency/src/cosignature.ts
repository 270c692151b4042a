import { type KeyObject, sign, verify } from 'node:crypto';
import { NOTE_COSIGNATURE, type NoteVerifier, noteKeyId, rawEd25519, signatureLine } from './signed-note.js';

function cosignedMessage(text: Buffer, time: bigint): Buffer {
  return Buffer.concat([Buffer.from(`cosignature/v1\ntime ${time}\n`), text]);
}

/** A verifier of a witness's timestamped lines (type 0x04, C2SP tlog-cosignature, Ed25519). */
export function cosignatureVerifier(name: string, publicKey: KeyObject): NoteVerifier {
  return {
    name,
    keyId: noteKeyId(name, NOTE_COSIGNATURE, rawEd25519(publicKey)),
    type: NOTE_COSIGNATURE,
    verify(text, signature) {
      if (signature.length !== 72) return false;
      const time = signature.readBigUInt64BE(0);
      if (time >= 2n ** 63n) return false;
      return verify(null, cosignedMessage(text, time), publicKey, signature.subarray(8));
    },
  };
}

/** When a cosignature says it was made; undefined if it is not one. Call it on verified signatures only. */
export function cosignatureTime(signature: Buffer): Date | undefined {
  return signature.length === 72 ? new Date(Number(signature.readBigUInt64BE(0)) * 1000) : undefined;
}

/**
 * The line by which a witness cosigns a checkpoint's text. The witness must have checked consistency with the largest
 * tree that it ever cosigned for this origin (C2SP tlog-witness).
 */
export function cosign(name: string, privateKey: KeyObject, checkpointText: string, at: Date): string {
  const time = BigInt(Math.floor(at.getTime() / 1000));
  const stamp = Buffer.alloc(8);
  stamp.writeBigUInt64BE(time);
  const signature = sign(null, cosignedMessage(Buffer.from(checkpointText), time), privateKey);
  const keyId = noteKeyId(name, NOTE_COSIGNATURE, rawEd25519(privateKey));
  return signatureLine(name, keyId, Buffer.concat([stamp, signature]));
}
