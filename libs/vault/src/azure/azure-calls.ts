import { VaultError, type VaultErrorDetails } from '../errors.js';
import { toVaultError } from './error-mapping.js';

/** The part of the SDK's operation options that every call of ours sets. */
export interface CallOptions {
  readonly abortSignal: AbortSignal;
  readonly onResponse: (response: { readonly headers: { get(name: string): string | undefined } }) => void;
}

export interface CallResult<T> {
  readonly value: T;
  /** `x-ms-request-id` of the answer. */
  readonly requestId?: string;
}

/** Runs calls of the SDK: with a deadline, with the request id of the answer, with errors mapped, and none after closing. */
export class AzureCalls {
  private readonly closing = new AbortController();

  constructor(private readonly timeoutMs: number) {}

  /** @throws VaultError */
  async run<T>(
    what: string,
    details: VaultErrorDetails,
    options: { readonly signal?: AbortSignal },
    call: (options: CallOptions) => Promise<T>,
  ): Promise<CallResult<T>> {
    this.requireOpen(details);
    const deadline = AbortSignal.timeout(this.timeoutMs);
    const signals = [
      deadline,
      this.closing.signal,
      ...(options.signal === undefined ? [] : [options.signal]),
    ];
    let requestId: string | undefined;
    try {
      const value = await call({
        abortSignal: AbortSignal.any(signals),
        onResponse: ({ headers }) => {
          requestId = headers.get('x-ms-request-id') ?? requestId;
        },
      });
      return { value, ...(requestId === undefined ? {} : { requestId }) };
    } catch (error) {
      const timedOut = deadline.aborted && options.signal?.aborted !== true;
      throw toVaultError(error, what, details, timedOut && (error as Error).name === 'AbortError');
    }
  }

  /** For pagers and pollers, which take many requests: errors mapped only. */
  async guard<T>(what: string, details: VaultErrorDetails, work: () => Promise<T>): Promise<T> {
    this.requireOpen(details);
    try {
      return await work();
    } catch (error) {
      throw toVaultError(error, what, details);
    }
  }

  close(): void {
    this.closing.abort();
  }

  private requireOpen(details: VaultErrorDetails): void {
    if (!this.closing.signal.aborted) return;
    throw new VaultError('VAULT_CLOSED', `vault "${details.vault ?? ''}" is closed`, details);
  }
}
