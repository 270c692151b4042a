import { DcapError } from './error.js';
import { JsonFields } from './signed-json.js';
import { parseJson } from './strict-json.js';
import { readComponentLevels } from './tcb-info.js';
import type { ComponentLevel } from './tcb-info.js';

/** Intel's identity of a quoting enclave (PCS API v4, "Get Quoting Enclave Identity", version 2). */
export interface QeIdentity {
  readonly id: 'QE' | 'TD_QE' | 'QVE' | 'QAE';
  readonly version: 2;
  /** ISO-8601 in UTC. */
  readonly issueDate: string;
  readonly nextUpdate: string;
  readonly tcbEvaluationDataNumber: number;
  readonly miscSelect: number;
  readonly miscSelectMask: number;
  readonly attributes: Buffer;
  readonly attributesMask: Buffer;
  readonly mrSigner: Buffer;
  readonly isvProdId: number;
  /** Highest isvSvn first. */
  readonly levels: readonly ComponentLevel[];
}

const CODE = 'QE_IDENTITY_INVALID';
const IDS = ['QE', 'TD_QE', 'QVE', 'QAE'] as const;

/** Parses the signed text. Throws DcapError QE_IDENTITY_INVALID, QE_IDENTITY_VERSION_UNSUPPORTED or TCB_STATUS_UNKNOWN. */
export function parseQeIdentity(text: string): QeIdentity {
  const fields = JsonFields.of(parseJson(text, CODE), CODE, 'enclaveIdentity');
  const version = fields.integer('version', 0xffff);
  if (version !== 2) {
    throw new DcapError('QE_IDENTITY_VERSION_UNSUPPORTED', `QE identity version ${version} is not supported`);
  }
  const idText = fields.string('id');
  const id = IDS.find((known) => known === idText) ?? fields.fail('id', 'is unknown');
  return {
    id,
    version,
    issueDate: fields.dateTime('issueDate'),
    nextUpdate: fields.dateTime('nextUpdate'),
    tcbEvaluationDataNumber: fields.integer('tcbEvaluationDataNumber', 0x7fffffff),
    // Like the attributes printed in the order of the bytes of the report, not as a number.
    miscSelect: fields.hex('miscselect', 4).readUInt32LE(0),
    miscSelectMask: fields.hex('miscselectMask', 4).readUInt32LE(0),
    attributes: fields.hex('attributes', 16),
    attributesMask: fields.hex('attributesMask', 16),
    mrSigner: fields.hex('mrsigner', 32),
    isvProdId: fields.integer('isvprodid', 0xffff),
    levels: readComponentLevels(fields, 0xffff),
  };
}
