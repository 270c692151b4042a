import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { SimulatorError } from '../simulator-error.js';
import { aesCmac } from './aes-cmac.js';

const BODY = 384;
const REPORT = 432;
const TARGET_INFO = 512;

/**
 * EREPORT and EGETKEY in software (Intel SDM vol. 3D, §38.16 and §38.9): a REPORT's MAC is AES-CMAC under a key that only the enclave it
 * is meant for can ask for, on the same machine. The derivation from the machine's secret is ours; the structures are the processor's.
 */
export class SoftwareProcessor {
  private readonly secret: Buffer;

  constructor(secret: Uint8Array = randomBytes(32)) {
    this.secret = Buffer.from(secret);
  }

  /** @param body of the reporting enclave, 384 bytes; its report data are what it wants to say. @param target TARGETINFO, 512 bytes */
  ereport(body: Uint8Array, target: Uint8Array): Buffer {
    if (body.length !== BODY || target.length !== TARGET_INFO)
      throw new SimulatorError('SIMULATOR_OPTION_INVALID', 'EREPORT takes 384 and 512 bytes.');
    const keyId = randomBytes(32);
    return Buffer.concat([body, keyId, aesCmac(this.reportKey(Buffer.from(target), keyId), body)]);
  }

  /** Whether `report` was made on this machine for the enclave with that body: what an enclave does with its REPORT key. */
  verifyReport(verifier: Uint8Array, report: Uint8Array): boolean {
    if (report.length !== REPORT) return false;
    const mine = targetInfoFor(Buffer.from(verifier));
    const mac = aesCmac(this.reportKey(mine, report.subarray(BODY, BODY + 32)), report.subarray(0, BODY));
    return timingSafeEqual(mac, report.subarray(BODY + 32));
  }

  private reportKey(target: Buffer, keyId: Uint8Array): Buffer {
    // MRENCLAVE, ATTRIBUTES, CET_ATTRIBUTES, CONFIGSVN, MISCSELECT, CONFIGID: all that a target is told apart by.
    return createHash('sha256')
      .update(this.secret)
      .update(target.subarray(0, 128))
      .update(keyId)
      .digest()
      .subarray(0, 16);
  }
}

/** The TARGETINFO that names the enclave with this report body. */
export function targetInfoFor(body: Buffer): Buffer {
  const info = Buffer.alloc(TARGET_INFO);
  body.subarray(64, 96).copy(info, 0);
  body.subarray(48, 64).copy(info, 32);
  info[48] = body[20]!;
  body.subarray(260, 262).copy(info, 50);
  body.subarray(16, 20).copy(info, 52);
  body.subarray(192, 256).copy(info, 64);
  return info;
}
