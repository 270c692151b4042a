import {
  type Checkpoint,
  type HashSource,
  NOTE_COSIGNATURE,
  type NoteVerifier,
  cosignatureVerifier,
  formatAddCheckpoint,
  openNote,
  parseDecimal,
  parseVerifierKey,
  proveConsistency,
  signatureLine,
} from '#transparency';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';

/** Where a witness takes checkpoints (submission prefix), and its verifier key (cosignature/v1). */
export interface WitnessAddress {
  url: string;
  vkey: string;
}

const TIMEOUT_MS = 2_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
const MAX_ANSWER_BYTES = 65_536;

/** The witness did not cosign. */
class WitnessRefusal extends Error {
  override readonly name = 'WitnessRefusal';
}

/**
 * Reads a list like `http://127.0.0.1:8446 name+id+key, https://…`.
 * @throws Error that says which part is not an address and a verifier key
 */
export function parseWitnesses(text: string): WitnessAddress[] {
  const parts = text.split(',').map((part) => part.trim());
  return parts
    .filter((part) => part !== '')
    .map((part) => {
      const [url = '', vkey = '', ...rest] = part.split(/\s+/);
      const http = URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
      if (!http || rest.length > 0) throw new Error(`"${part}" is not an http or https address and a key`);
      if (parseVerifierKey(vkey).type !== NOTE_COSIGNATURE)
        throw new Error(`the key of ${url} is not one for cosignatures`);
      return { url: url.replace(/\/+$/, ''), vkey };
    });
}

/**
 * Brings one log's checkpoints to one witness. After a failure it leaves the witness alone for a while, longer each
 * time, so that an outage costs the log one short wait now and then and nothing else.
 */
export class WitnessClient {
  private readonly verifier: NoteVerifier;
  private cosignedSize = 0;
  private pauseMs = 0;
  private notBefore = 0;
  private introduced = false;

  constructor(
    private readonly address: WitnessAddress,
    private readonly onProblem: (message: string) => void,
    /** Successions of the log's key, which a witness of ours learns the next key by. */
    private readonly successions: readonly string[] = [],
  ) {
    const { name, publicKey } = parseVerifierKey(address.vkey);
    this.verifier = cosignatureVerifier(name, publicKey);
  }

  /** The cosignature line of a checkpoint, verified; undefined if there is none now. */
  async cosign(note: string, checkpoint: Checkpoint, tree: HashSource): Promise<string | undefined> {
    if (Date.now() < this.notBefore) return undefined;
    try {
      await this.introduce();
      const line = await this.submit(note, checkpoint.size, tree);
      this.pauseMs = 0;
      return line;
    } catch (error) {
      this.pauseMs = Math.min(Math.max(this.pauseMs * 2, FIRST_PAUSE_MS), LONGEST_PAUSE_MS);
      this.notBefore = Date.now() + this.pauseMs;
      this.onProblem(`${this.verifier.name} (${this.address.url}): ${(error as Error).message}`);
      return undefined;
    }
  }

  /** A witness that does not know of them answers 404; it is given the next key by whoever runs it. */
  private async introduce(): Promise<void> {
    if (this.introduced) return;
    for (const succession of this.successions) {
      const { status, text } = await post(`${this.address.url}/add-succession`, succession);
      if (status !== 200 && status !== 404 && status !== 405)
        this.onProblem(`${this.verifier.name}: refused the next key: ${status} ${text.trim().slice(0, 200)}`);
    }
    this.introduced = true;
  }

  private async submit(note: string, size: number, tree: HashSource): Promise<string> {
    // The witness may know another size than we do: after our restart, or when an answer was lost. It says which.
    for (let attempt = 0; attempt < 2; attempt++) {
      const proof = await proveConsistency(tree, this.cosignedSize, size);
      const body = formatAddCheckpoint({ oldSize: this.cosignedSize, proof, note });
      const { status, text } = await post(`${this.address.url}/add-checkpoint`, body);
      if (status === 200) {
        this.cosignedSize = size;
        return this.verified(note, text);
      }
      const known = status === 409 ? parseDecimal(text.trimEnd()) : undefined;
      if (known === undefined || known === this.cosignedSize)
        throw new WitnessRefusal(`refused the checkpoint of ${size}: ${status} ${text.trim().slice(0, 200)}`);
      if (known > size)
        throw new WitnessRefusal(
          `has cosigned a tree of ${known}, above our ${size}: this log went back, or another one has its key`,
        );
      this.cosignedSize = known;
    }
    throw new WitnessRefusal('gave two different sizes');
  }

  private verified(note: string, lines: string): string {
    const line = openNote(note + lines, [this.verifier]).verified[0]!;
    return signatureLine(line.name, line.keyId, line.signature);
  }
}

function post(url: string, body: string): Promise<{ status: number; text: string }> {
  const send = url.startsWith('https:') ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const request = send(url, {
      method: 'POST',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(body) },
    });
    request.on('error', reject);
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > MAX_ANSWER_BYTES) request.destroy(new WitnessRefusal('answered too much'));
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    request.end(body);
  });
}
