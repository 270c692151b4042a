import { toPem } from '#pki';
import type { PlatformOptions, QuoteRequest } from '#simulator';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { connect as connectTls } from 'node:tls';
import { KEY_32, IMAGE_KEY, OcclumDeployment, OTHER_IMAGE_KEY, SECRETS, TEXT } from './occlum/deployment.js';
import {
  AecsClient,
  type AecsChanges,
  callAecs,
  message,
  parseImageKey,
  type Transport,
} from './occlum/aecs-client.js';
import { measured } from './harness/index.js';
import { maaInit, readToken } from './occlum/maa-init.js';
import { CoreClient } from './occlum/core-client.js';
import {
  askRaw,
  checkServer,
  decodeReply,
  getSecret,
  getSecretByGrpcJs,
  replyText,
  secretRequest,
} from './occlum/ratls-client.js';
import { INVALID_ARGUMENT, pemOf, REPORTS, UNREADABLE_REPORTS } from './occlum/refused-reports.js';
import { certificateWith, ecKeys, rsaKeys } from './ra-tls/certificate-builder.js';
import { type ClientIdentity, identityIn } from './ra-tls/dialect-identities.js';

jest.setTimeout(120_000);

const DEADLINE_EXCEEDED = 4;
const DENIED = 7;
const EXHAUSTED = 8;
const CANCELLED = 1;
const UNIMPLEMENTED = 12;
/** Of the client, and what it must not come near. */
const DEADLINE_MS = 4_000;

describe('Occlum', () => {
  let occlum: OcclumDeployment;
  beforeAll(async () => {
    occlum = await OcclumDeployment.start();
  });
  afterAll(() => occlum?.stop());

  const revokedMachine = (name: string, fmspc: string): PlatformOptions => {
    const machine = { name, fmspc };
    const { sgx } = occlum.siegel.machines;
    const { serial } = sgx.platform(machine).pck.profile;
    occlum.siegel.machines.addBundle(name, sgx.collateral({ fmspc, revokedPcks: [serial] }));
    return machine;
  };

  const core = CoreClient.find();
  (core ? it : it.skip)("both protocols by gRPC's C core, where it is installed", async () => {
    const { aecsPort, ratlsPort } = occlum;
    const aecs = new AecsClient(
      (path, request) => core!.call(aecsPort, path, request),
      occlum.quoting('app'),
    );
    expect(await aecs.getSecret('service1', 'key')).toEqual(KEY_32);
    const who = identityIn('occlum', occlum.quoting('app'));
    const reply = await core!.call(ratlsPort, '/ratls.GrSecret/GetSecret', secretRequest('key'), who);
    expect(decodeReply(replyText(reply))).toEqual(KEY_32);
  });

  describe('--init-ra aecs', () => {
    const aecs: Transport = (path, request) => callAecs(occlum.aecsPort, path, request);
    const client = (
      word: string,
      changes: AecsChanges = {},
      report: QuoteRequest = {},
      machine: PlatformOptions = {},
    ): AecsClient => new AecsClient(aecs, occlum.quoting(word, report, machine), changes, occlum.collateral);

    it('boots: the image key first, then the keys of kms_keys, each with a quote of its own', async () => {
      await occlum.tail.next();
      const init = client('app');
      const begun = Date.now();
      const key = await init.getSecret('service1', 'image_key', '', 256);
      expect(Date.now() - begun).toBeLessThan(DEADLINE_MS / 4);
      expect(parseImageKey(key.toString())).toEqual(IMAGE_KEY);
      expect(await init.getSecret('service1', 'key')).toEqual(KEY_32);
      expect((await init.getSecret('service2', 'text')).toString()).toBe(TEXT);
      expect((await init.getSecret('any', 'file')).toString()).toBe(SECRETS.odd);
      // "encode": "base64" in init_ra_conf.json.
      expect(Buffer.from((await init.getSecret('any', 'encoded')).toString(), 'base64')).toEqual(KEY_32);
      expect((await init.getSecret('any', 'large')).length).toBe(10_237);
      const events = await occlum.last();
      expect(events).toHaveLength(6);
      expect(events[0]).toMatchObject({
        type: 'attestation.granted',
        workload: 'app',
        simulated: true,
        data: { protocol: 'occlum-aecs', binding: 'aecs-pem', grants: [{ alias: 'image-a' }] },
      });
      expect(events.every(({ data }) => (data as { grants: unknown[] }).grants.length === 1)).toBe(true);
      expect(new Set(events.map(({ data }) => (data as { boundKey: string }).boundKey)).size).toBe(1);
      for (const secret of Object.values(SECRETS)) expect(JSON.stringify(events)).not.toContain(secret);
    });

    it('gives each measurement its own image key under the one name that init knows', async () => {
      const key = await client('other').getSecret('service1', 'image_key', '', 256);
      expect(parseImageKey(key.toString())).toEqual(OTHER_IMAGE_KEY);
    });

    it('repeats a nonce where the client compares it', async () => {
      expect((await client('app').getSecret('s', 'file', 'nonce of mine')).toString()).toBe(SECRETS.odd);
    });

    it('AECS 2: TaGetSecret, signed in both directions', async () => {
      await occlum.tail.next();
      expect(await client('app').taGetSecret('service2', 'text', 'nonce')).toBe(TEXT);
      expect(await client('app').taGetSecret('s', 'image_key')).toBe(
        (await client('app').getSecret('s', 'image_key')).toString(),
      );
      expect((await occlum.last()).map(({ outcome }) => outcome)).toEqual(Array(3).fill('granted'));
    });

    it('is told before its deadline that there is no answer, and then nothing is decided', async () => {
      await occlum.tail.next();
      const begun = Date.now();
      await occlum.siegel.frozen('quote-verifier', async () => {
        await expect(client('app').getSecret('s', 'file')).rejects.toMatchObject({
          status: DEADLINE_EXCEEDED,
        });
        expect(Date.now() - begun).toBeLessThan(DEADLINE_MS - 400);
      });
      // By now the verdict on it has come.
      expect((await client('app').getSecret('s', 'file')).toString()).toBe(SECRETS.odd);
      expect(await occlum.last()).toHaveLength(1);
    });

    it('comes in crowds, each with its own answer', async () => {
      const clients = Array.from({ length: 12 }, () => client('app'));
      const answers = await Promise.all(clients.map((each) => each.getSecret('s', 'file')));
      expect(answers.map(String)).toEqual(Array(12).fill(SECRETS.odd));
    });

    describe('refuses, and the log says why', () => {
      const denied = async (attempt: () => Promise<unknown>, status = DENIED) =>
        (await occlum.refused('occlum-aecs', status, attempt)).reason?.code;

      it.each(REPORTS)('%s', async (_what, word, code, report, machine) => {
        expect(await denied(() => client(word, {}, report, machine).getSecret('s', 'file'))).toBe(code);
      });

      it('a revoked PCK certificate', async () => {
        const machine = revokedMachine('revoked', 'ee00deadbeef');
        expect(await denied(() => client('app', {}, {}, machine).getSecret('s', 'file'))).toBe('PCK_REVOKED');
      });

      it('a request that comes again, while the enclave may ask again with a new quote', async () => {
        const init = client('app');
        const request = init.getEnclaveSecretRequest('s', 'file');
        const path = '/kubetee.Aecs/GetEnclaveSecret';
        await callAecs(occlum.aecsPort, path, request);
        expect(await denied(() => callAecs(occlum.aecsPort, path, request))).toBe('QUOTE_SERVED_BEFORE');
        expect((await init.getSecret('s', 'file')).toString()).toBe(SECRETS.odd);
      });

      it.each<readonly [string, string, AecsChanges]>([
        ["another's key under an honest quote", 'BINDING_MISMATCH', { pem: pemOf(rsaKeys(2048)) }],
        ['user data in the report data', 'BINDING_MISMATCH', { userData: Buffer.alloc(32, 7) }],
      ])('%s', async (_what, code, changes) => {
        expect(await denied(() => client('app', changes).getSecret('s', 'file'))).toBe(code);
      });

      it.each(UNREADABLE_REPORTS)('%s', async (_what, status, code, changes) => {
        const attempt = () => client('app', changes).getSecret('s', 'file');
        expect(await denied(attempt, status)).toBe(code);
      });

      it.each([
        ['nothing that the manifest names', 'app', 's', 'unheard-of', 'OCCLUM_NAME_UNKNOWN'],
        ['a name of another service', 'app', 'service1', 'text', 'OCCLUM_NAME_UNKNOWN'],
        ['a workload of the other protocol', 'ratls-only', 's', 'file', 'BINDING_NOT_ALLOWED'],
        ['a workload without an occlum section', 'native', 's', 'file', 'BINDING_NOT_ALLOWED'],
        ['a value beyond the buffer', 'app', 's', 'too-large', 'OCCLUM_SECRET_TOO_LONG'],
        ['a value that is not hex', 'app', 's', 'not-hex', 'OCCLUM_ENCODING'],
      ])('%s', async (_what, word, service, name, code) => {
        expect(await denied(() => client(word).getSecret(service, name))).toBe(code);
      });

      it.each([
        ['no protobuf', Buffer.from('\xff\xff\xff', 'latin1'), 'PROTOBUF_MALFORMED'],
        ['groups', Buffer.of(0x0b, 0x0b, 0x0b), 'PROTOBUF_MALFORMED'],
        ['an empty message', Buffer.alloc(0), 'AECS_REPORT_MALFORMED'],
        ['a field twice', message([2, 'a'], [2, 'b']), 'PROTOBUF_MALFORMED'],
      ])('%s', async (_what, bytes, code) => {
        const attempt = () => callAecs(occlum.aecsPort, '/kubetee.Aecs/GetEnclaveSecret', bytes);
        expect(await denied(attempt, INVALID_ARGUMENT)).toBe(code);
      });

      it('a request that another key signed, and one that names nothing', async () => {
        const path = '/kubetee.Aecs/TaRemoteCall';
        const init = client('app');
        const json = '{"service_name":"s","secret_name":"file"}';
        const foreign = init.taRequest('TaGetSecret', json, rsaKeys(2048));
        expect(await denied(() => callAecs(occlum.aecsPort, path, foreign), INVALID_ARGUMENT)).toBe(
          'AECS_SIGNATURE_INVALID',
        );
        const nameless = init.taRequest('TaGetSecret', '{"service_name":"s"}');
        expect(await denied(() => callAecs(occlum.aecsPort, path, nameless), INVALID_ARGUMENT)).toBe(
          'AECS_REQUEST_MALFORMED',
        );
      });
    });

    it('what is no request of this protocol is no event', async () => {
      await occlum.tail.next();
      const call = (path: string, bytes: Buffer) => callAecs(occlum.aecsPort, path, bytes);
      const created = client('app').taRequest('TaCreateSecret', '{}');
      await expect(call('/kubetee.Aecs/TaRemoteCall', created)).rejects.toMatchObject({
        status: UNIMPLEMENTED,
      });
      await expect(call('/kubetee.Aecs/GetAecsStatus', Buffer.alloc(0))).rejects.toMatchObject({
        status: UNIMPLEMENTED,
      });
      const large = message([2, 'x'.repeat(256 * 1024)]);
      await expect(call('/kubetee.Aecs/GetEnclaveSecret', large)).rejects.toMatchObject({
        status: EXHAUSTED,
      });
      expect(await occlum.last()).toEqual([]);
    });
  });

  it('maa_init: a token of the attestation API, for exactly what the quote holds', async () => {
    const provider = occlum.maa;
    try {
      await occlum.tail.next();
      const token = await maaInit(provider, occlum.quoting('app'), Buffer.from('user data'));
      const { claims } = await readToken(provider, token);
      expect(claims).toMatchObject({
        'x-ms-attestation-type': 'sgx',
        'x-ms-sgx-mrenclave': measured('app'),
        'x-ms-sgx-is-debuggable': false,
        'x-ms-sgx-ehd': Buffer.from('user data').toString('base64url'),
      });
      expect((await occlum.tail.next()).map(({ type }) => type)).toEqual(['token.issued']);
      const elsewhere = () => occlum.quoting('app')(Buffer.alloc(64, 5));
      await expect(maaInit(provider, elsewhere, Buffer.from('user data'))).rejects.toThrow(/^400 /);
      expect((await occlum.tail.next()).map(({ type }) => type)).toEqual(['token.refused']);
    } finally {
      provider.close();
    }
  });

  describe('--init-ra grpc_ratls', () => {
    const identity = (
      word: string,
      report: QuoteRequest = {},
      machine: PlatformOptions = {},
    ): ClientIdentity => identityIn('occlum', occlum.quoting(word, report, machine));
    const options = () => ({ port: occlum.ratlsPort, policy: occlum.policy });
    const ask = (who: ClientIdentity, name: string): Promise<Buffer> => getSecret(who, name, options());

    it('boots: each side shows the other its quote, and the bytes arrive as they are', async () => {
      await occlum.tail.next();
      const key = await ask(identity('app'), 'image_key');
      expect(key).toHaveLength(48);
      expect(parseImageKey(key.toString())).toEqual(IMAGE_KEY);
      expect(await ask(identity('app'), 'key')).toEqual(KEY_32);
      // A text of 3n + 1 bytes gets a line end, since its length alone cannot be carried.
      expect((await ask(identity('app'), 'file')).toString()).toBe(`${SECRETS.odd}\n`);
      expect(Buffer.from((await ask(identity('app'), 'encoded')).toString(), 'base64')).toEqual(KEY_32);
      const events = await occlum.last();
      expect(events).toHaveLength(4);
      expect(events[0]).toMatchObject({
        type: 'attestation.granted',
        workload: 'app',
        data: { protocol: 'occlum-ratls', binding: 'sha256-spki', grants: [{ alias: 'image-a' }] },
      });
    });

    it('gives each measurement its own image key under the one name that init knows', async () => {
      expect(parseImageKey((await ask(identity('other'), 'image_key')).toString())).toEqual(OTHER_IMAGE_KEY);
    });

    it('answers a gRPC library that knows nothing of Occlum', async () => {
      const text = await getSecretByGrpcJs(identity('app'), 'key', options());
      expect(text).toBe(`${KEY_32.toString('base64')}\n`);
      expect(decodeReply(text)).toEqual(KEY_32);
    });

    it('is told by the name of the server which workload it is', async () => {
      const named = (servername: string) => getSecret(identity('app'), 'key', { ...options(), servername });
      expect(await named('app.tenant.example')).toEqual(KEY_32);
      const event = await occlum.refused('occlum-ratls', DENIED, () => named('other.tenant.example'));
      expect(event).toMatchObject({ workload: 'other', reason: { code: 'MEASUREMENT_NOT_ALLOWED' } });
    });

    it('a client that expects another server goes away', async () => {
      const policy = { ...occlum.policy, mrEnclave: 'ab'.repeat(32) };
      await expect(getSecret(identity('app'), 'key', { ...options(), policy })).rejects.toThrow(
        /another server/,
      );
      const unsigned = Buffer.alloc(2_000);
      expect(() => checkServer(unsigned, occlum.policy)).toThrow(/no quote/);
    });

    describe('refuses, and the log says why', () => {
      const denied = async (attempt: () => Promise<unknown>, status = DENIED) =>
        (await occlum.refused('occlum-ratls', status, attempt)).reason?.code;

      it.each(REPORTS)('%s', async (_what, word, code, report, machine) => {
        expect(await denied(() => ask(identity(word, report, machine), 'file'))).toBe(code);
      });

      it('a revoked PCK certificate', async () => {
        const machine = revokedMachine('revoked-too', 'ef00deadbeef');
        expect(await denied(() => ask(identity('app', {}, machine), 'file'))).toBe('PCK_REVOKED');
      });

      it('a key that has had its secret', async () => {
        const who = identity('app');
        expect(await ask(who, 'key')).toEqual(KEY_32);
        expect(await denied(() => ask(who, 'file'))).toBe('KEY_SERVED_BEFORE');
      });

      it("another's evidence in an own certificate", async () => {
        const thief = identityIn('occlum', occlum.quoting('app'), { boundTo: rsaKeys(2048) });
        expect(await denied(() => ask(thief, 'file'))).toBe('BINDING_MISMATCH');
      });

      it('a certificate without its private key: the handshake ends', () => {
        const { certificate } = identity('app');
        const key = rsaKeys(2048).privateKey.export({ type: 'pkcs8', format: 'pem' });
        const cert = toPem('CERTIFICATE', certificate);
        expect(() => connectTls({ port: occlum.ratlsPort, cert, key })).toThrow(/key values mismatch/i);
      });

      it('a name that the manifest does not have, with the status that upstream gives', async () => {
        const attempt = () => ask(identity('app'), 'unheard-of');
        expect(await denied(attempt, CANCELLED)).toBe('OCCLUM_NAME_UNKNOWN');
        // A name that is for one service of AECS alone.
        expect(await denied(() => ask(identity('app'), 'text'), CANCELLED)).toBe('OCCLUM_NAME_UNKNOWN');
      });

      it('messages that are none', async () => {
        const cases: [string, Buffer][] = [
          ['PROTOBUF_MALFORMED', Buffer.of(0x0a, 0x7f, 0x61)],
          ['PROTOBUF_MALFORMED', Buffer.of(0x0a, 0x01, 0xff)],
          ['OCCLUM_REQUEST_MALFORMED', Buffer.alloc(0)],
        ];
        for (const [code, bytes] of cases)
          expect(await denied(() => askRaw(identity('app'), bytes, options()), INVALID_ARGUMENT)).toBe(code);
      });

      it.each([
        ['aecs-only', 'OCCLUM_PROTOCOL_NOT_GRANTED'],
        ['native', 'OCCLUM_NOT_GRANTED'],
      ])('workload %s: %s', async (word, code) => {
        expect(await denied(() => ask(identity(word), 'file'))).toBe(code);
      });

      it('certificates of other dialects, without evidence, and none', async () => {
        const keys = ecKeys();
        const bare = { keys, certificate: certificateWith({ keys, extensions: [] }) };
        const cases: [string, ClientIdentity | undefined][] = [
          ['OCCLUM_DIALECT', identityIn('gramine', occlum.quoting('app'))],
          ['EVIDENCE_MISSING', bare],
          ['CERTIFICATE_MISSING', undefined],
        ];
        for (const [code, who] of cases)
          expect(await denied(() => getSecret(who, 'file', options()), INVALID_ARGUMENT)).toBe(code);
      });
    });
  });
});
