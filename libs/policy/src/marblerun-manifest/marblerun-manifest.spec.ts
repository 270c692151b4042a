import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  checkManifest,
  decodeGoBase64,
  decodeGoJson,
  GoBase64Error,
  GoJsonError,
  lintMarbleRunManifest,
  ManifestSyntaxError,
  parseGoJson,
  readManifest,
  strictFaults,
} from './index.js';
import type { JsonNode } from './index.js';

const VECTORS = join(process.cwd(), '../shared/vectors/marblerun');
const recorded = existsSync(VECTORS) ? it : it.skip;
const bytes = (value: unknown): Buffer =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
const MINIMAL = { Packages: { app: { UniqueID: 'ab'.repeat(32) } }, Marbles: { m: { Package: 'app' } } };
const faults = (manifest: object): string[] =>
  checkManifest(readManifest(bytes(manifest)).manifest).map(({ message }) => message);
const syntax = (text: string): string => {
  try {
    readManifest(bytes(text));
    return 'none';
  } catch (error) {
    if (error instanceof ManifestSyntaxError) return error.message;
    throw error;
  }
};

const plain = (node: JsonNode): unknown => {
  switch (node.kind) {
    case 'object':
      return Object.fromEntries(node.members.map(({ key, value }) => [key, plain(value)]));
    case 'array':
      return node.items.map(plain);
    case 'number':
      return Number(node.text);
    case 'null':
      return null;
    default:
      return node.value;
  }
};

describe("Go's JSON", () => {
  it('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.json({ noUnicodeString: false }), (text) => {
        expect(plain(parseGoJson(Buffer.from(text)))).toEqual(JSON.parse(text));
      }),
      { numRuns: 100 },
    );
  });

  it('refuses what JSON.parse refuses, with an error of its own and a place inside the text', () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(), fc.constantFrom('', '}', ',', '"', 'x', '\u0000'), (text, at, put) => {
        const i = at % (text.length + 1);
        const broken = text.slice(0, i) + put + text.slice(i + 1);
        let fine = true;
        try {
          JSON.parse(broken);
        } catch {
          fine = false;
        }
        try {
          parseGoJson(Buffer.from(broken));
          expect(fine).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(GoJsonError);
          expect((error as GoJsonError).offset).toBeLessThanOrEqual(broken.length);
          // Doubled keys are refused here alone.
          if (fine) expect((error as GoJsonError).message).toMatch(/^duplicate key/);
        }
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    ['nope', "invalid character 'o' in literal null (expecting 'u')"],
    ['', 'unexpected end of JSON input'],
    ['{"a":1', 'unexpected end of JSON input'],
    ['{a:1}', "invalid character 'a' looking for beginning of object key string"],
    ['{"a" 1}', "invalid character '1' after object key"],
    ['{"a":1 "b"', `invalid character '"' after object key:value pair`],
    ['[1 2]', "invalid character '2' after array element"],
    ['{} x', "invalid character 'x' after top-level value"],
    ['-x', "invalid character 'x' in numeric literal"],
    ['1.x', "invalid character 'x' after decimal point in numeric literal"],
    ['"\n"', "invalid character '\\n' in string literal"],
    ['"\\q"', "invalid character 'q' in string escape code"],
    ["'", "invalid character '\\'' looking for beginning of value"],
    ['"\\u00g0"', "invalid character 'g' in \\u hexadecimal character escape"],
    ['\ufeff{}', "invalid character 'ï' looking for beginning of value"],
    ['[' + '['.repeat(100), 'exceeded max depth'],
    ['{"a":1,"a":2}', 'duplicate key "a"'],
  ])('says of %j: %s', (text, message) => {
    expect(() => parseGoJson(Buffer.from(text))).toThrow(new GoJsonError(message, 0));
  });

  it('as a stream: nothing is EOF, a cut value unexpected EOF, and the rest is not looked at', () => {
    expect(() => decodeGoJson(Buffer.from(' \n'))).toThrow('EOF');
    expect(() => decodeGoJson(Buffer.from('{"a"'))).toThrow('unexpected EOF');
    expect(decodeGoJson(Buffer.from('{} nope')).kind).toBe('object');
  });

  it('base64 is that of Buffer, and padded', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.nat(), (data, at) => {
        const buffer = Buffer.from(data);
        const text = buffer.toString('base64');
        expect(decodeGoBase64(text)).toEqual(buffer);
        const url = text.replaceAll('+', '-').replaceAll('/', '_');
        expect(decodeGoBase64(url, 'url')).toEqual(buffer);
        const i = at % (text.length + 1);
        expect(() => decodeGoBase64(`${text.slice(0, i)}*${text.slice(i)}`)).toThrow(GoBase64Error);
        if (text.endsWith('=')) expect(() => decodeGoBase64(text.slice(0, -1))).toThrow(GoBase64Error);
      }),
      { numRuns: 100 },
    );
    expect(() => decodeGoBase64('AAECAwQFBgcICQoLDA0ODw', 'url')).toThrow('input byte 20');
  });
});

describe('the manifest', () => {
  recorded('of the recordings is read, consistent and without an unknown member', () => {
    const { manifest, unknown } = readManifest(readFileSync(join(VECTORS, 'manifest.json')));
    expect(unknown).toEqual([]);
    expect(checkManifest(manifest)).toEqual([]);
    expect([...strictFaults(manifest, unknown)]).toEqual([]);
    expect(manifest.infrastructures.get('azure')).toMatchObject({ qeSvn: 2, pceSvn: 3 });
    expect(manifest.infrastructures.get('azure')?.cpuSvn).toEqual(Buffer.from([...Array(16).keys()]));
    const web = manifest.marbles.get('web');
    expect(web?.parameters.argv).toEqual(['web', '--serve', '']);
    expect(web?.parameters.files.get('/conf/fromhex')).toEqual({
      data: Buffer.from('00ff10'),
      template: false,
    });
    expect(manifest.secrets.get('certEcPriv')).toMatchObject({ type: 'cert-ecdsa', size: 384, validFor: 30 });
    expect(manifest.packages.get('appSigned')).toMatchObject({ productId: 44n, securityVersion: 3 });
  });

  recorded('is refused in the words of the recorded coordinator', () => {
    const transcript = JSON.parse(readFileSync(join(VECTORS, 'rest-transcript.json'), 'utf8')) as {
      exchanges: { request: { method: string; path: string; body?: string }; response: { body: string } }[];
    };
    let compared = 0;
    for (const { request, response } of transcript.exchanges) {
      if (request.method !== 'POST' || !/\/manifest$/.test(request.path) || !request.body) continue;
      const { message } = JSON.parse(response.body) as { message?: string };
      const refused = /^(checking manifest|unmarshaling manifest): (.*)$/.exec(message ?? '');
      if (!refused) continue;
      const raw = request.path.startsWith('/api')
        ? Buffer.from((JSON.parse(request.body) as { manifest?: string }).manifest ?? '', 'base64')
        : Buffer.from(request.body);
      const said =
        refused[1] === 'unmarshaling manifest'
          ? syntax(raw.toString())
          : checkManifest(readManifest(raw).manifest)[0]?.message;
      expect(said).toBe(refused[2]);
      compared++;
    }
    expect(compared).toBeGreaterThanOrEqual(11);
  });

  it('means the same in whatever case its keys are written, and with null for what is absent', () => {
    const shuffle = (node: unknown, flips: boolean): unknown =>
      node && typeof node === 'object' && !Array.isArray(node)
        ? Object.fromEntries(
            Object.entries(node).map(([key, value]) => [
              ['app', 'm', 'A'].includes(key) ? key : flips ? key.toUpperCase() : key.toLowerCase(),
              shuffle(value, flips),
            ]),
          )
        : node;
    const manifest = {
      ...MINIMAL,
      Marbles: { m: { Package: 'app', Parameters: { Env: { A: { Data: 'eA==', Encoding: 'base64' } } } } },
      Roles: null,
      Config: { UpdateThreshold: null },
    };
    const read = readManifest(bytes(manifest)).manifest;
    fc.assert(
      fc.property(fc.boolean(), (flips) => {
        expect(readManifest(bytes(shuffle(manifest, flips))).manifest).toEqual(read);
      }),
    );
    expect(read.marbles.get('m')?.parameters.env.get('A')?.data.toString()).toBe('x');
    expect(syntax('{"Packages":{},"packages":{}}')).toMatch(/duplicate key/);
  });

  it('never fails otherwise than by saying so', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }),
          fc.json().map((text) => new Uint8Array(Buffer.from(text))),
          fc
            .record({
              Packages: fc.jsonValue(),
              Marbles: fc.jsonValue(),
              Secrets: fc.jsonValue(),
              Config: fc.jsonValue(),
            })
            .map((value) => new Uint8Array(bytes(value))),
        ),
        (input) => {
          for (const { line, column, message } of lintMarbleRunManifest(input)) {
            expect(line).toBeGreaterThan(0);
            expect(column).toBeGreaterThan(0);
            expect(message).not.toBe('');
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it.each([
    [
      { Packages: { app: { SignerID: 'aa', ProductID: 1 } } },
      'manifest misses value for SecurityVersion in package app',
    ],
    [{ Packages: { app: {} } }, 'manifest misses value for SignerID in package app'],
    [{ TLS: { t: { Outgoing: [{ Port: '1' }] } } }, 'manifest misses Addr in TLS.Outgoing.t'],
    [{ TLS: { t: { Incoming: [{}] } } }, 'manifest misses Port in TLS.Incoming.t'],
    [
      { TLS: { t: { Incoming: [{ Port: '1', DisableClientAuth: true }] } } },
      'TLS.Incoming.t disables client authentication',
    ],
    [{ Secrets: { s: { Type: 'symmetric-key', Size: 7 } } }, 'invalid secret size: s'],
    [{ Secrets: { s: { Type: 'cert-ecdsa', Size: 255 } } }, 'invalid secret size: s'],
    [{ Secrets: { s: { Type: 'cert-ed25519', Size: 256 } } }, 'invalid secret size: s'],
    [
      {
        Secrets: {
          s: { Type: 'cert-rsa', Size: 2048, ValidFor: 1, Cert: { NotAfter: '2030-01-01T00:00:00Z' } },
        },
      },
      'ambiguous certificate validity duration for secret: s, both NotAfter and ValidFor are specified',
    ],
    [
      { Secrets: { s: { Type: 'plain', Shared: true, Source: { vault: 'v', objectName: 'o' } } } },
      'secret s: Source excludes Shared and UserDefined',
    ],
    [{ Roles: { r: { ResourceType: 'Marbles' } } }, 'unrecognized resource type: Marbles for role: r'],
    [
      { Roles: { r: { ResourceType: 'Packages', Actions: ['ReadSecret'] } } },
      'unknown action: ReadSecret for type Packages in role: r',
    ],
    [
      { Roles: { r: { ResourceType: 'Manifest', ResourceNames: ['x'], Actions: ['updatemanifest'] } } },
      'role r: resource names are not allowed for type Manifest',
    ],
    [{ Users: { u: { Certificate: 'no PEM' } } }, 'received invalid certificate for user u'],
    [{ Users: { u: {} } }, 'manifest does not contain a certificate for user u'],
    [{ Config: { SealMode: 'Key' } }, 'unknown seal mode: Key'],
    [{ Config: { RecoveryThreshold: 1 } }, 'invalid recovery threshold: 1 of 0 recovery keys'],
    [
      { Marbles: { m: { Package: 'app', Parameters: { Env: { A: { Data: '00', Encoding: 'hex' } } } } } },
      'in Marble m: env variable: A: content contains null bytes',
    ],
  ])('%j: %s', (change, message) => {
    expect(faults({ ...MINIMAL, ...change })).toContain(message);
  });

  it.each([
    ['{"Packages":[]}', /cannot unmarshal array into Go struct field Manifest.Packages of type map/],
    ['{"Marbles":{"m":{"MaxActivations":-1}}}', /number -1 .* of type uint$/],
    ['{"Packages":{"p":{"ProductID":18446744073709551616}}}', /of type uint64$/],
    ['{"Marbles":{"m":{"Parameters":{"Env":{"A":{"Encoding":"rot13"}}}}}}', /unknown encoding type: rot13/],
    ['{"Infrastructures":{"i":{"CPUSVN":[256]}}}', /number 256 .* of type uint8$/],
  ])('a value that does not fit: %s', (text, message) => {
    expect(syntax(text)).toMatch(message);
  });

  it('is linted beyond what upstream accepts, with what was meant', () => {
    const text = JSON.stringify({
      Packages: { app: { UniqueID: 'ab', AcceptedTCBStatuses: ['UpToDat'], AcceptedTcbStatus: ['x'] } },
      Marbles: { m: { Package: 'app', Paramters: {} } },
    });
    const problems = lintMarbleRunManifest(Buffer.from(text));
    expect(problems.filter(({ severity }) => severity === 'error')).toEqual([
      expect.objectContaining({ code: 'UNKNOWN_KEY', suggestion: 'AcceptedTCBStatuses', line: 1 }),
      expect.objectContaining({ code: 'UNKNOWN_KEY', path: 'Marbles.m.Paramters', suggestion: 'Parameters' }),
      expect.objectContaining({ code: 'MEASUREMENT_MALFORMED' }),
      expect.objectContaining({ code: 'TCB_STATUS_UNKNOWN', suggestion: 'UpToDate' }),
    ]);
    expect(problems.map(({ code }) => code)).toContain('NO_RECOVERY_KEY');
    const { manifest, unknown } = readManifest(Buffer.from(text));
    expect([...strictFaults(manifest, unknown)]).toHaveLength(4);
  });
});
