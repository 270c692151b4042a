import { DcapError } from './error.js';
import type { DcapErrorCode } from './error-catalogue.js';
import { parseJsonWithSpans } from './strict-json.js';
import type { Json, JsonObject } from './strict-json.js';

/** Which signed document: its key in the envelope and the codes for what breaks in it. */
export type SignedDocument = 'tcbInfo' | 'enclaveIdentity';

/** The document exactly as it was signed, and the signature (r‖s, hex). */
export interface SignedText {
  readonly body: string;
  readonly signature: string;
}

/**
 * Cuts `{"tcbInfo":{…},"signature":"…"}` (or `enclaveIdentity`), as PCS answers, into the exact text that was signed
 * and the signature. The text is never serialised again. Throws DcapError TCB_INFO_INVALID or QE_IDENTITY_INVALID.
 */
export function splitSignedDocument(envelope: string, document: SignedDocument): SignedText {
  const code = document === 'tcbInfo' ? 'TCB_INFO_INVALID' : 'QE_IDENTITY_INVALID';
  const { value, spans } = parseJsonWithSpans(envelope, code);
  const span = spans.get(document);
  if (!(value instanceof Map) || span === undefined || value.size !== 2) {
    throw new DcapError(code, `the envelope is not {${document}, signature}`);
  }
  const signature: unknown = value.get('signature');
  if (typeof signature !== 'string' || !/^[0-9a-fA-F]{128}$/.test(signature)) {
    throw new DcapError(code, 'the envelope has no signature of 64 bytes in hex');
  }
  if (!(value.get(document) instanceof Map)) throw new DcapError(code, `${document} is not an object`);
  return { body: envelope.slice(span.start, span.end), signature };
}

const HEX = /^(?:[0-9a-f]*|[0-9A-F]*)$/;

/** Decodes hex of one case, so that no digit of it can change without changing the bytes. */
export function strictHex(text: string, code: DcapErrorCode, what: string): Buffer {
  if (text.length % 2 !== 0 || !HEX.test(text)) throw new DcapError(code, `${what} is not hexadecimal`);
  return Buffer.from(text, 'hex');
}

const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** Typed access to the members of a JSON object; each refusal names the member by its path. */
export class JsonFields {
  private constructor(
    private readonly members: JsonObject,
    private readonly code: DcapErrorCode,
    private readonly name: string,
    private readonly parent?: JsonFields,
    private readonly index?: number,
  ) {}

  /** The outermost object. */
  static of(value: Json, code: DcapErrorCode, name: string): JsonFields {
    if (!(value instanceof Map)) throw new DcapError(code, `${name} is not an object`);
    return new JsonFields(value as JsonObject, code, name);
  }

  fail(name: string, what: string): never {
    throw new DcapError(this.code, `${this.path()}.${name} ${what}`);
  }

  private path(): string {
    const own = this.index === undefined ? this.name : `${this.name}[${this.index}]`;
    return this.parent === undefined ? own : `${this.parent.path()}.${own}`;
  }

  has(name: string): boolean {
    return this.members.has(name);
  }

  string(name: string, maxLength = 64): string {
    const value = this.members.get(name);
    if (typeof value !== 'string' || value.length > maxLength) this.fail(name, 'is not a short string');
    return value;
  }

  integer(name: string, max: number): number {
    const value = this.members.get(name);
    if (
      typeof value !== 'number' ||
      !Number.isInteger(value) ||
      value < 0 ||
      value > max ||
      Object.is(value, -0)
    ) {
      this.fail(name, `is not an integer of 0 to ${max}`);
    }
    return value;
  }

  /** Hex of exactly `bytes` bytes; the case does not matter, since the text is signed. */
  hex(name: string, bytes: number): Buffer {
    const value = this.string(name, 2 * bytes);
    if (value.length !== 2 * bytes || !/^[0-9a-fA-F]*$/.test(value))
      this.fail(name, `is not ${bytes} bytes in hex`);
    return Buffer.from(value, 'hex');
  }

  /** `YYYY-MM-DDThh:mm:ssZ` and nothing else; refuses days that no calendar has. */
  dateTime(name: string): string {
    const text = this.string(name);
    const value = DATE_TIME.test(text) ? Date.parse(text) : NaN;
    if (Number.isNaN(value) || new Date(value).toISOString() !== `${text.slice(0, 19)}.000Z`) {
      this.fail(name, 'is not a UTC time');
    }
    return text;
  }

  object(name: string): JsonFields {
    const value = this.members.get(name);
    if (!(value instanceof Map)) this.fail(name, 'is not an object');
    return new JsonFields(value as JsonObject, this.code, name, this);
  }

  list(name: string, maxLength: number): JsonFields[] {
    return this.array(name, maxLength).map((item, i) => {
      if (!(item instanceof Map)) this.fail(name, 'has a member that is no object');
      return new JsonFields(item as JsonObject, this.code, name, this, i);
    });
  }

  /** Absent is empty. */
  strings(name: string, maxLength: number): string[] {
    if (!this.members.has(name)) return [];
    return this.array(name, maxLength).map((item) =>
      typeof item === 'string' && item.length <= 64
        ? item
        : this.fail(name, 'has a member that is no short string'),
    );
  }

  private array(name: string, maxLength: number): readonly Json[] {
    const value = this.members.get(name);
    if (!Array.isArray(value) || value.length > maxLength)
      this.fail(name, `is not a list of at most ${maxLength}`);
    return value as readonly Json[];
  }
}
