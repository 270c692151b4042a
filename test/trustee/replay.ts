import { hash } from 'node:crypto';
import { type KbsAnswer, type KbsTransport } from './kbs-connection.js';
import { canonical } from './tee-key-pair.js';

/** One exchange of a recording. */
export interface Exchange {
  readonly req: {
    readonly method: string;
    readonly url: string;
    readonly headers: Record<string, string>;
    readonly body: string;
  };
  readonly res: { readonly status: number; readonly headers: Record<string, string>; readonly body: string };
}

/** What cannot be as it was recorded, since it depends on what this service answered before. */
export interface Replacements {
  /** Evidence over 48 bytes, in place of the recorded. */
  evidence(tee: string, reportData: Buffer): unknown;
  readonly adminToken: string;
}

/**
 * Sends a recording again, exchange by exchange, with the nonce, cookie and token that this service gave in place of the recorded ones, and
 * evidence made anew over them. Gives every difference between its answers and the recorded ones; values that are random by nature (nonce,
 * id, key material, signature) are compared by their form.
 */
export async function replay(
  transport: KbsTransport,
  recording: readonly Exchange[],
  replacements: Replacements,
): Promise<string[]> {
  const differences: string[] = [];
  let tee = '';
  let nonce = '';
  let cookie = '';
  let token = '';
  for (const { req, res } of recording) {
    const { host: _host, 'content-length': _length, ...headers } = req.headers;
    if (headers['cookie'] !== undefined) headers['cookie'] = cookie;
    if (headers['authorization'] !== undefined)
      headers['authorization'] =
        `Bearer ${headers['authorization'] === 'Bearer admintok' ? replacements.adminToken : token}`;
    let { body } = req;
    if (req.url.endsWith('/auth')) ({ tee } = JSON.parse(body) as { tee: string });
    if (req.url.endsWith('/attest')) body = attestAgain(body, tee, nonce, replacements);
    const answer = await transport.send(
      req.method,
      req.url,
      headers,
      req.method === 'POST' ? body : undefined,
    );
    const [setCookie] = answer.headers['set-cookie'] ?? [];
    if (setCookie !== undefined) cookie = setCookie.split(';')[0]!;
    if (req.url.endsWith('/auth')) ({ nonce } = JSON.parse(answer.text) as { nonce: string });
    if (req.url.endsWith('/attest') && answer.status === 200)
      ({ token } = JSON.parse(answer.text) as { token: string });
    for (const difference of compared(res, answer))
      differences.push(`${req.method} ${req.url.replace('/kbs/v0/', '')}: ${difference}`);
  }
  return differences;
}

function attestAgain(text: string, tee: string, nonce: string, { evidence }: Replacements): string {
  const body = JSON.parse(text) as {
    'init-data': unknown;
    'runtime-data': { nonce: string; 'tee-pubkey': object };
    'tee-evidence': { primary_evidence: unknown; additional_evidence: string };
  };
  const { 'tee-pubkey': key } = body['runtime-data'];
  let additional = body['tee-evidence'].additional_evidence;
  if (additional !== '') {
    const devices = JSON.parse(additional) as { sampledevice: { report_data: string } };
    devices.sampledevice.report_data = digest({ nonce, 'tee-pubkey': key }).toString('base64');
    additional = JSON.stringify(devices);
  }
  const reportData = digest({ 'additional-evidence': additional, nonce, 'tee-pubkey': key });
  return JSON.stringify({
    'init-data': body['init-data'],
    'runtime-data': { nonce, 'tee-pubkey': key },
    'tee-evidence': { primary_evidence: evidence(tee, reportData), additional_evidence: additional },
  });
}

const digest = (value: object): Buffer => hash('sha384', canonical(value), 'buffer');

function compared(recorded: Exchange['res'], answer: KbsAnswer): string[] {
  const found: string[] = [];
  const note = (what: string, theirs: unknown, ours: unknown): void => {
    if (theirs !== ours) found.push(`${what}: recorded ${String(theirs)}, here ${String(ours)}`);
  };
  note('status', recorded.status, answer.status);
  if (recorded.status !== answer.status) return found;
  note('content-type', recorded.headers['content-type'], answer.headers['content-type']);
  const [setCookie] = answer.headers['set-cookie'] ?? [];
  note('cookie', cookieForm(recorded.headers['set-cookie']), cookieForm(setCookie));
  note('body', form(recorded.body), form(answer.text));
  return found;
}

const cookieForm = (cookie: string | undefined): string | undefined =>
  cookie
    ?.replace(/=[0-9a-f]{32};/, '=<id>;')
    .replace(/Expires=\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT/, 'Expires=<date>');

/** The text with every random value replaced by its form, its members in their order. */
function form(text: string): string {
  if (text === '') return '';
  return JSON.stringify(formOf(JSON.parse(text)));
}

function formOf(value: unknown): unknown {
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([name, member]) => [
        name,
        name === 'protected' ? header(member as string) : formOf(member),
      ]),
    );
  if (typeof value !== 'string') return typeof value;
  if (/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/.test(value)) return '<token>';
  if (value.startsWith('https://') || value.includes(' ') || value === '') return value;
  if (/^[A-Za-z0-9+/]{43}=$/.test(value)) return '<32 bytes>';
  return /^[A-Za-z0-9_-]+$/.test(value) ? `<${Buffer.from(value, 'base64url').length} bytes>` : value;
}

/** A protected header as it stands there, but for the ephemeral key's coordinates. */
const header = (text: string): string =>
  Buffer.from(text, 'base64url')
    .toString('utf8')
    .replace(/"([xy])":"([\w-]+)"/g, (_all, name: string, value: string) => `"${name}":<${value.length}>`);
