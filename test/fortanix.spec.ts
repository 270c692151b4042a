import { BUCKETS } from '#contracts';
import { toPem } from '#pki';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { jetstream } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { generateKeyPairSync, hash, type KeyObject, X509Certificate } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { CONFIG_ID, FortanixDeployment, OTHER_ID, SECRETS, WORKLOADS } from './fortanix/deployment.js';
import { commonName, enclaveNames } from './fortanix/em-app-csr.js';
import { type BootOptions, EmAppFailure } from './fortanix/em-app-client.js';
import {
  call,
  type Credentials,
  dataset,
  exportKey,
  runtimeConfiguration,
} from './fortanix/runtime-client.js';
import { type Bound, BOUND } from './fortanix/native-bindings.js';
import { manifestOf, TENANT } from './harness/index.js';
import { certificateWith, ecKeys } from './ra-tls/certificate-builder.js';

jest.setTimeout(120_000);

const rsaKey = generateKeyPairSync('rsa', { modulusLength: 3072 }).privateKey;
const ecKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
const pem = (key: KeyObject): string => key.export({ format: 'pem', type: 'pkcs8' }) as string;

describe("Fortanix' em-app", () => {
  let node: FortanixDeployment;
  let server: string;

  beforeAll(async () => {
    node = await FortanixDeployment.start();
    server = node.siegel.endpoints.release;
  });
  afterEach(() => {
    node.aesm.options = { slack: 512 };
  });
  afterAll(() => node?.stop());

  const boot = (word: string, options: Partial<BootOptions> = {}) =>
    node.client(word).boot({ key: ecKey(), ...options });
  async function enrolled(word: string, configId?: string): Promise<Credentials> {
    const key = ecKey();
    const { certificate } = await boot(word, { key, ...(configId === undefined ? {} : { configId }) });
    return { certificate: certificate!, key: pem(key), ca: node.ca };
  }
  const denialFor = (reason: string, type?: 'release.denied') => node.denialFor(reason, type);

  describe('an approved enclave', () => {
    it.each([
      ['RSA-3072', rsaKey, false],
      ['P-256', ecKey(), true],
    ])(
      'boots with a key of %s for a certificate of the mesh, and the log has its event',
      async (_kind, key, extended) => {
        await node.events();
        const answer = await boot('plain', { key, extended, name: 'plain.test.svc' });
        expect(answer).toMatchObject({
          task_status: 'SUCCESS',
          task_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        });
        const leaf = new X509Certificate(answer.certificate!);
        expect(leaf.checkPrivateKey(key)).toBe(true);
        expect(leaf.subjectAltName).toMatch('DNS:plain.test.svc');
        expect(leaf.subjectAltName).not.toMatch('second.test.svc');
        // The manifest says 24 hours, the deployment one.
        expect(leaf.validToDate.getTime() - Date.now()).toBeLessThanOrEqual(3_600_000);
        const [event, ...others] = await node.events();
        expect(others).toEqual([]);
        expect(event).toMatchObject({
          type: 'attestation.granted',
          workload: 'plain',
          simulated: true,
          data: {
            protocol: 'fortanix',
            binding: 'fortanix-config',
            grants: [],
            certificate: { dns: ['plain.test.svc'] },
          },
        });
        expect(await node.client('plain').result(answer.task_id!)).toEqual(answer);
      },
    );

    it('that asks for no name has all that are granted', async () => {
      const { certificate } = await boot('plain', { name: 'an app, not a host' });
      expect(new X509Certificate(certificate!).subjectAltName).toMatch(
        /DNS:plain\.test\.svc, DNS:second\.test\.svc, IP Address:10\.1\.2\.3/,
      );
    });

    it('has its configuration on both paths, in the very text that was hashed, and its dataset', async () => {
      const credentials = await enrolled('configured', CONFIG_ID);
      await node.events();
      const paths = ['/api/v1/confidential_computing/runtime/app_configs', '/v1/runtime/app_configs'];
      for (const path of paths.flatMap((one) => [one, `${one}/${CONFIG_ID}`])) {
        const { config, extra } = await runtimeConfiguration(server, credentials, CONFIG_ID, path);
        expect(Object.keys(config)).toEqual(['app_config', 'labels', 'zone_ca', 'workflow']);
        expect(extra.connections['output']).toEqual({
          report: { application: { workflow_domain: 'report.test' } },
        });
      }
      const { extra } = await runtimeConfiguration(server, credentials, CONFIG_ID);
      const { location, credentials: where } = extra.connections['input']!['orders']!.dataset!;
      expect(location).toBe('https://store.test/orders');
      const { credentials_url: url, credentials_key_name: name, sdkms_app_id: app } = where.sdkms;
      expect((await dataset(url, name, app, credentials)).toString()).toBe(SECRETS['bucket-key']);
      const events = await node.events();
      expect(events.map(({ type }) => type)).toEqual(Array.from({ length: 7 }, () => 'release.granted'));
      expect(events.at(-1)).toMatchObject({
        workload: 'configured',
        data: { protocol: 'fortanix', grants: [{ alias: 'BUCKET_KEY', objectName: 'bucket-key' }] },
      });
      expect(events.slice(0, -1).every((event) => JSON.stringify(event).includes('"grants":[]'))).toBe(true);
      expect(JSON.stringify(events) + node.siegel.logText() + node.agent.logText).not.toContain(
        SECRETS['bucket-key'],
      );
    });

    it('is told from another of its measurement by its configuration', async () => {
      await runtimeConfiguration(server, await enrolled('claimed', OTHER_ID), OTHER_ID);
      await node.events();
      expect((await boot('claimed', { configId: CONFIG_ID })).task_status).toBe('DENIED');
      await denialFor('CONFIGURATION_NOT_ALLOWED');
    });
  });

  describe('a boot', () => {
    it.each<[string, string, Partial<BootOptions>, string]>([
      ['of an unknown enclave', 'unknown', {}, 'MEASUREMENT_NOT_ALLOWED'],
      ['of a workload without the section', 'native', {}, 'BINDING_NOT_ALLOWED'],
      [
        'with a configuration where there is none',
        'plain',
        { configId: CONFIG_ID },
        'CONFIGURATION_NOT_ALLOWED',
      ],
      [
        'with another configuration',
        'configured',
        { configId: 'ab'.repeat(32) },
        'CONFIGURATION_NOT_ALLOWED',
      ],
      ['without configuration where there must be one', 'configured', {}, 'CONFIGURATION_NOT_ALLOWED'],
    ])('%s is denied', async (_what, word, options, reason) => {
      await node.events();
      expect(await boot(word, options)).toEqual({ task_id: expect.any(String), task_status: 'DENIED' });
      await denialFor(reason);
    });

    it('of a debug enclave is denied', async () => {
      await node.events();
      const answer = await node.client('plain', { debug: true }).boot({ key: ecKey() });
      expect(answer.task_status).toBe('DENIED');
      await denialFor('DEBUG_ENCLAVE');
    });

    const flip = (at: number) => (bytes: Buffer) => {
      const out = Buffer.from(bytes);
      out[at < 0 ? out.length + at : at]! ^= 1;
      return out;
    };
    type Second = NonNullable<BootOptions['second']>;
    const changing =
      (change: (app: Buffer) => Buffer): Second =>
      (parts) => ({ ...parts, app: change(parts.app) });
    it.each<[string, Second, string, string]>([
      ['with another CPUSVN in the quote', changing(flip(16 + 48)), 'FAILED', 'EM_REPORT_MISMATCH'],
      [
        'with an altered signature of the quote',
        changing(flip(16 + 436)),
        'DENIED',
        'QUOTE_SIGNATURE_INVALID',
      ],
      ['with a quote cut short', changing((app) => app.subarray(0, -1)), 'FAILED', 'EM_QUOTE_MALFORMED'],
      [
        'with something behind the quote',
        changing((app) => Buffer.concat([app, Buffer.of(0)])),
        'FAILED',
        'EM_QUOTE_MALFORMED',
      ],
      ['without nonce', changing((app) => app.subarray(16)), 'FAILED', 'EM_QUOTE_MALFORMED'],
      [
        'under another name',
        (parts) => ({ ...parts, names: [commonName('x'), ...enclaveNames(Buffer.alloc(432, 1))] }),
        'FAILED',
        'EM_REPORT_MISMATCH',
      ],
    ])('%s has failed', async (_what, second, status, reason) => {
      await node.events();
      expect((await boot('plain', { second })).task_status).toBe(status);
      await denialFor(reason);
    });

    it('with the attestation of another key is denied', async () => {
      const other = ecKey();
      const quotes: Buffer[] = [];
      const keep: Second = (parts) => {
        quotes.push(parts.app);
        return parts;
      };
      const names: ReturnType<typeof enclaveNames>[] = [];
      await node
        .client('plain')
        .boot({ key: other, second: (parts) => (names.push(parts.names), keep(parts)) });
      await node.events();
      const answer = await boot('plain', {
        second: (parts) => ({ ...parts, names: names[0]!, app: quotes[0]! }),
      });
      expect(answer.task_status).toBe('DENIED');
      await denialFor('BINDING_MISMATCH');
    });

    it('again with the same request gives a certificate for the same key alone', async () => {
      const key = ecKey();
      const csr = await node.client('plain').secondRequest({ key });
      const [one, two] = [await node.client('plain').issue(csr), await node.client('plain').issue(csr)];
      for (const { certificate } of [one, two])
        expect(new X509Certificate(certificate!).checkPrivateKey(key)).toBe(true);
      expect(one.certificate).not.toBe(two.certificate);
    });

    it('with something that is no request has failed', async () => {
      await node.events();
      expect((await node.client('plain').issue('no request')).task_status).toBe('FAILED');
      await denialFor('CSR_MALFORMED');
    });
  });

  it('a name that is not allowed waits until the manifest allows it', async () => {
    await node.events();
    const client = node.client('waiting');
    const { task_id, task_status } = await client.boot({
      key: ecKey(),
      altNames: ['new.test.svc'],
      name: 'x y',
    });
    expect(task_status).toBe('PENDING_WHITELIST');
    await denialFor('NAME_NOT_ALLOWED');
    expect((await client.result(task_id!)).task_status).toBe('PENDING_WHITELIST');
    const waiting = { ...WORKLOADS.waiting, certificate: { dns: ['new.test.svc'] } };
    await node.siegel.admin.setManifest(TENANT, manifestOf({ ...WORKLOADS, waiting }), 1);
    await sleep(2_100);
    const answer = await client.result(task_id!);
    expect(answer).toMatchObject({ task_id, task_status: 'SUCCESS' });
    expect(new X509Certificate(answer.certificate!).subjectAltName).toMatch('DNS:new.test.svc');
  });

  describe('the native protocol', () => {
    const attest = (binding: string, bound: Bound, word?: string) =>
      node.attestNatively(binding, bound, word);

    it.each(Object.keys(BOUND))(
      'attests with a key that is bound by %s, and with no other',
      async (binding) => {
        const bound = BOUND[binding]!();
        expect(await attest(binding, bound)).toEqual([200, undefined]);
        const other = BOUND['sha256-spki']!();
        await node.events();
        expect(await attest(binding, { ...bound, keys: other.keys })).toEqual([403, 'BINDING_MISMATCH']);
        const [member] = Object.keys(bound.carried);
        if (member === undefined || member === 'configId') return;
        expect(await attest(binding, { ...bound, carried: {} })).toEqual([403, 'BINDING_MISMATCH']);
        expect(await attest('sha512-spki', bound)).toEqual([400, 'REQUEST_MALFORMED']);
      },
    );

    it('takes the binding that the manifest names, and none that is unknown or absent', async () => {
      const bound = BOUND['sha512-cert']!();
      expect(await attest('sha512-cert', bound, 'native')).toEqual([403, 'RELEASE_DENIED']);
      for (const name of ['', 'sha1-spki', 'none'])
        expect(await attest(name, { ...bound, carried: {} })).toEqual([400, 'BINDING_UNKNOWN']);
    });
  });

  describe('what an enclave reads later', () => {
    const CONFIGS = '/api/v1/confidential_computing/runtime/app_configs';
    const refusal = async (credentials: Credentials, path = CONFIGS): Promise<string> => {
      const { status, text } = await call(`${server}${path}`, credentials);
      expect(status).toBeGreaterThanOrEqual(400);
      return (JSON.parse(text) as { code: string }).code;
    };

    it('is refused without certificate, with a foreign one, and on a configuration that is not its own', async () => {
      const own = await enrolled('configured', CONFIG_ID);
      await node.events();
      expect(await refusal({ ca: node.ca })).toBe('CLIENT_CERTIFICATE_INVALID');
      await denialFor('CERTIFICATE_MISSING');
      const keys = ecKeys('P-256');
      const certificate = toPem('CERTIFICATE', certificateWith({ keys, extensions: [] }));
      const foreign = { ...own, certificate, key: pem(keys.privateKey) };
      expect(await refusal(foreign)).toBe('CLIENT_CERTIFICATE_INVALID');
      await denialFor('CERTIFICATE_UNKNOWN');
      expect(await refusal(own, `${CONFIGS}/${OTHER_ID}`)).toBe('CONFIGURATION_NOT_ALLOWED');
      await denialFor('CONFIGURATION_FOREIGN');
      expect(await refusal(await enrolled('plain'))).toBe('CONFIGURATION_NOT_ALLOWED');
    });

    it('is one secret of a dataset, for its own application id, certificate and token', async () => {
      const [one, two] = [await enrolled('configured', CONFIG_ID), await enrolled('configured', CONFIG_ID)];
      const { extra } = await runtimeConfiguration(server, one, CONFIG_ID);
      const { sdkms_app_id: app } = extra.connections['input']!['orders']!.dataset!.credentials.sdkms;
      await node.events();
      await expect(
        dataset(server, 'BUCKET_KEY', '93156096-5ed4-41ad-ae23-19e8fab1e0af', one),
      ).rejects.toThrow(/401/);
      await denialFor('APPLICATION_FOREIGN');
      await expect(dataset(server, 'UNRELATED', app, one)).rejects.toThrow(/403/);
      expect((await node.events()).at(-1)).toMatchObject({
        type: 'release.denied',
        reason: { code: 'DATASET_UNKNOWN' },
      });
      const basic = `Basic ${Buffer.from(`${app}:`).toString('base64')}`;
      const auth = await call(`${server}/sys/v1/session/auth`, one, {
        method: 'POST',
        headers: { authorization: basic },
      });
      const { access_token } = JSON.parse(auth.text) as { access_token: string };
      expect((await exportKey(server, 'BUCKET_KEY', access_token, one)).status).toBe(200);
      await node.events();
      expect((await exportKey(server, 'BUCKET_KEY', access_token, two)).status).toBe(401);
      await denialFor('ACCESS_TOKEN_FOREIGN');
      expect((await exportKey(server, 'BUCKET_KEY', `${access_token.slice(0, -2)}AA`, one)).status).toBe(401);
      await denialFor('ACCESS_TOKEN_INVALID');
    });

    it('is not believed to a record that somebody else put into the store', async () => {
      const [one, two] = [await enrolled('configured', CONFIG_ID), await enrolled('configured', CONFIG_ID)];
      const digest = ({ certificate }: Credentials) =>
        hash('sha256', new X509Certificate(certificate!).raw, 'hex');
      const kv = await new Kvm(jetstream(await node.siegel.nats('key_release'))).open(BUCKETS.enrolments);
      const mine = (await kv.get(digest(one)))!.string();
      await kv.put(digest(two), mine);
      await node.events();
      expect(await refusal(two)).toBe('CLIENT_CERTIFICATE_INVALID');
      await denialFor('ENROLMENT_FOREIGN');
      await kv.put(digest(two), `${mine.slice(0, 40)}A${mine.slice(41)}`);
      expect(await refusal(two)).toBe('CLIENT_CERTIFICATE_INVALID');
      await denialFor('ENROLMENT_NOT_AUTHENTIC');
      await kv.delete(digest(one));
      expect(await refusal(one)).toBe('CLIENT_CERTIFICATE_INVALID');
      await denialFor('CERTIFICATE_UNKNOWN');
    });

    it('ends with its session, and outlives the death of key-release', async () => {
      const credentials = await enrolled('configured', CONFIG_ID);
      const session = (await node.events()).at(-1)!.session!;
      await node.siegel.kill('key-release');
      await node.siegel.ready();
      await runtimeConfiguration(server, credentials, CONFIG_ID);
      const revoked = await node.siegel.adminCall('POST', `/v1/tenants/${TENANT}/sessions/${session}/revoke`);
      expect(revoked.status).toBeLessThan(300);
      await node.events();
      expect(await refusal(credentials)).toBe('SESSION_REVOKED');
      await denialFor('SESSION_REVOKED', 'release.denied');
    });
  });

  describe('the node agent', () => {
    it('answers no success while aesmd is silent, lies, or is wrong', async () => {
      node.aesm.options = { tamper: () => undefined };
      await expect(boot('plain')).rejects.toThrow(EmAppFailure);
      const ready = await fetch(`${node.agent.url}/health/ready`);
      expect([ready.status, await ready.json()]).toMatchObject([
        503,
        { checks: { aesm: { ok: false }, issuer: { ok: true } } },
      ]);
      node.aesm.options = {
        tamper: (one, answer) =>
          one === 'getQuoteEx' ? Buffer.from(answer).fill(0, answer.length - 16) : answer,
      };
      await expect(boot('plain')).rejects.toThrow('AttestationCertValidation: MAC');
      node.aesm.options = {};
      expect((await boot('plain')).task_status).toBe('SUCCESS');
    });

    it('says what it is, counts, and drains', async () => {
      const version = (await (await fetch(`${node.agent.url}/v1/sys/version`)).json()) as { version: string };
      expect(version.version).toMatch(/^siegel-node-agent /);
      const metrics = await (await fetch(`${node.agent.url}/metrics`)).text();
      expect(metrics).toMatch(/siegel_agent_quotes_total\{outcome="made"\} [1-9]/);
      expect(metrics).toMatch(/siegel_agent_certificates_total\{outcome="DENIED"\} [1-9]/);
      const unknown = await fetch(
        `${node.agent.url}/v1/certificate/result/${'0'.repeat(8)}-0000-4000-8000-000000000000`,
        { method: 'POST' },
      );
      expect(unknown.status).toBe(404);
      expect(await node.agent.stop()).toBe(0);
    });
  });
});
