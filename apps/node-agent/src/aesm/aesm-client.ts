import { TARGET_INFO_BYTES } from '#evidence';
import {
  type AesmCall,
  type AesmField,
  bytesOf,
  decodeResponse,
  encodeRequest,
  numberOf,
} from './aesm-messages.js';
import { transact } from './aesm-transport.js';
import { ecdsaKeyId, KEY_ID_BYTES } from './attestation-key.js';

const MAX_KEYS = 16;
const MAX_PUBLIC_KEY_ID = 4_096;
const MAX_QUOTE = 128 * 1024;
/** `sgx_ql_qe_report_info_t`: nonce, TARGETINFO, REPORT. */
export const QE_REPORT_INFO_BYTES = 960;

export interface QuotingEnclaveTarget {
  /** Names the attestation key in later calls. */
  readonly keyId: Buffer;
  /** TARGETINFO of QE3. */
  readonly targetInfo: Buffer;
}

export interface QuoteAnswer {
  /** The whole buffer; the quote in it may be shorter. */
  readonly buffer: Buffer;
  /** Nonce, TARGETINFO of the application and the REPORT of QE3 for it. */
  readonly qeReportInfo: Buffer;
}

/** Intel's quoting interface (sgx_uae_quote_ex.h) over the socket of aesmd. @throws SiegelError QUOTING_…, from every method */
export class AesmClient {
  constructor(
    private readonly socketPath: string,
    private readonly timeoutMs: number,
  ) {}

  /** How many attestation keys the daemon offers; the cheapest call there is. */
  async keyCount(): Promise<number> {
    return numberOf(await this.call('getSupportedAttKeyIDNum', []), 2, MAX_KEYS);
  }

  /** Makes QE3 ready (it certifies its key the first time) and says for whom REPORTs are to be made. */
  async init(): Promise<QuotingEnclaveTarget> {
    const count = await this.keyCount();
    const ids = await this.call('getSupportedAttKeyIDs', [[1, count * KEY_ID_BYTES]]);
    const keyId = ecdsaKeyId(bytesOf(ids, 2, count * KEY_ID_BYTES));
    // Twice, as Intel's clients do: the first call says how much room the public key's id needs.
    const sized = await this.call('initQuoteEx', [
      [1, keyId],
      [3, false],
      [4, 0],
    ]);
    const filled = await this.call('initQuoteEx', [
      [1, keyId],
      [3, true],
      [4, numberOf(sized, 3, MAX_PUBLIC_KEY_ID)],
    ]);
    return { keyId, targetInfo: bytesOf(filled, 2, TARGET_INFO_BYTES) };
  }

  async quote(keyId: Buffer, report: Buffer, nonce: Buffer, target: Buffer): Promise<QuoteAnswer> {
    const size = numberOf(await this.call('getQuoteSizeEx', [[1, keyId]]), 2, MAX_QUOTE);
    const info = Buffer.alloc(QE_REPORT_INFO_BYTES);
    nonce.copy(info, 0);
    target.copy(info, nonce.length);
    const fields = await this.call('getQuoteEx', [
      [1, report],
      [2, keyId],
      [3, info],
      [4, size],
    ]);
    return { buffer: bytesOf(fields, 2), qeReportInfo: bytesOf(fields, 3, QE_REPORT_INFO_BYTES) };
  }

  private async call(call: AesmCall, fields: readonly (readonly [number, AesmField])[]) {
    const message = await transact(this.socketPath, encodeRequest(call, fields), this.timeoutMs);
    return decodeResponse(call, message);
  }
}
