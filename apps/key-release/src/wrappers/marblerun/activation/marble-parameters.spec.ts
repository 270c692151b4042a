import { beforeAll, describe, expect, it } from '@jest/globals';
import { marblerun } from '#policy';
import { randomBytes } from 'node:crypto';
import { RsaKeyPool } from '../generation/rsa-key-pool.js';
import { SecretGenerator } from '../generation/secret-generator.js';
import type {
  CoordinatorAuthority,
  DeploymentSnapshot,
  Manifest,
  Marble,
  SecretCycle,
  SecretDefinition,
} from '../interface.js';
import { createAuthority } from '../state/authority.js';
import { issueMarbleCertificate, type MarbleIdentity } from './marble-certificate.js';
import { marbleParameters } from './marble-parameters.js';
import { decodeActivationRequest, encodeActivationResponse, MalformedMessage } from './messages.js';
import { prepareSecrets } from './prepared-secrets.js';

const SHARED = randomBytes(16);
const definition = (more: Partial<SecretDefinition>): SecretDefinition => ({
  type: 'symmetric-key',
  size: 128,
  shared: false,
  userDefined: false,
  cert: undefined,
  validFor: 0,
  source: undefined,
  ...more,
});
const DEFINITIONS = new Map([
  ['shared', definition({ shared: true })],
  ['own', definition({})],
  ['rsa', definition({ type: 'cert-rsa', size: 4096 })],
  ['tls', definition({ type: 'cert-ecdsa', size: 256 })],
  ['user', definition({ userDefined: true })],
]);
const material = { private: SHARED, public: SHARED, certificate: Buffer.alloc(0) };
const cycle = (fill: number, stored = new Map([['shared', material]])): SecretCycle => ({
  rootSecret: Buffer.alloc(32, fill),
  definitions: DEFINITIONS,
  stored,
});
const marble = (env: Record<string, string>, tls: string[] = []): Marble => ({
  package: 'app',
  maxActivations: 0,
  disableSecretBinding: false,
  tls,
  parameters: {
    argv: [],
    files: new Map(),
    env: new Map(
      Object.entries(env).map(([name, text]) => [name, { data: Buffer.from(text), template: true }]),
    ),
  },
});
const NAME = { uuid: '11111111-2222-4333-8444-555555555555', type: 'app' };

describe('what a marble receives', () => {
  let authority: CoordinatorAuthority;
  let identity: MarbleIdentity;
  const sizes: number[] = [];
  const pool = new RsaKeyPool({
    ready: 0,
    parallel: 1,
    sizes: 0,
    generate: (bits) => Promise.reject(new Error(`an RSA key was made, number ${sizes.push(bits)}`)),
  });
  const works = {
    generator: new SecretGenerator(pool),
    read: () => Promise.reject(new Error('a vault was read')),
  };
  beforeAll(async () => {
    authority = await createAuthority('P-256', ['localhost'], new Date());
    const csr = { dnsNames: ['a'], ipAddresses: [] };
    identity = await issueMarbleCertificate(csr, NAME, authority.marbleRoot, 'P-256', new Date());
  });
  const receive = async (one: Marble, previous?: SecretCycle) => {
    const tag = { outgoing: [], incoming: [{ port: '1', cert: 'tls', disableClientAuth: true }] };
    const manifest = {
      secrets: DEFINITIONS,
      marbles: new Map([['app', one]]),
      tls: new Map([['tag', tag]]),
    } as unknown as Manifest;
    const snapshot: DeploymentSnapshot = {
      manifest,
      fingerprint: '',
      revision: 4,
      authority,
      current: cycle(1),
      previous,
    };
    const templates = marblerun.templatesOf(one, manifest);
    const secrets = await prepareSecrets(works, { vaults: ['open'] }, snapshot, one, NAME, templates);
    const { env } = marbleParameters(snapshot, one, templates, identity, secrets);
    return { env: new Map(env.map(([name, value]) => [name, value.toString()])), secrets };
  };

  it('costs no more than its templates use: a private RSA secret that nobody names is not made', async () => {
    const { env, secrets } = await receive(marble({ A: '{{ hex .Secrets.shared }}' }));
    expect(env.get('A')).toBe(SHARED.toString('hex'));
    expect([...secrets.current.keys()]).toEqual(['shared']);
    expect(secrets.grants).toEqual([
      {
        alias: 'shared',
        as: 'env',
        vault: 'marblerun',
        objectName: 'shared',
        objectType: 'key',
        version: '4',
      },
    ]);
    expect(sizes).toEqual([]);
    await expect(receive(marble({ A: '{{ pem .Secrets.rsa.Cert }}' }))).rejects.toThrow(
      'an RSA key was made, number 1',
    );
    await expect(receive(marble({ A: '{{ range .Secrets }}{{ hex . }}{{ end }}' }))).rejects.toThrow(
      'an RSA key was made, number 2',
    );
  });

  it('has the secrets of the cycle before under Previous, and none before there was one', async () => {
    const one = marble({ NOW: '{{ hex .Secrets.own }}', BEFORE: '{{ hex .Previous.Secrets.own }}' });
    const { env } = await receive(one, cycle(2));
    const then = await receive(marble({ NOW: '{{ hex .Previous.Secrets.own }}' }), cycle(1));
    expect(env.get('BEFORE')).not.toBe(env.get('NOW'));
    expect(then.env.get('NOW')).toBe(env.get('NOW'));
    await expect(receive(one)).rejects.toMatchObject({
      told: { status: 13, message: expect.stringContaining('error calling hex: secret does not exist') },
    });
  });

  it('says in upstream’s words that a user has not set a secret', async () => {
    await expect(receive(marble({ A: '{{ hex .Secrets.user }}' }))).rejects.toMatchObject({
      told: {
        status: 13,
        message:
          'customizing marble parameters: parsing secrets for env variable "A": template: data:1:3: executing "data" at <hex .Secrets.user>: error calling hex: tried to parse secret with empty value',
      },
    });
  });

  it('comes from the vaults that are open to the deployment, and from no other', async () => {
    const from = async (vault: string) => {
      const source = { vault, objectName: 'text', objectVersion: undefined };
      const definitions = new Map([['text', definition({ type: 'plain', size: 0, source })]]);
      const one = marble({ A: '{{ hex .Secrets.text }}' });
      const manifest = { secrets: definitions, marbles: new Map(), tls: new Map() } as unknown as Manifest;
      const current = { rootSecret: SHARED, definitions, stored: new Map<string, never>() };
      const snapshot = { manifest, current, previous: undefined } as unknown as DeploymentSnapshot;
      const templates = marblerun.templatesOf(one, manifest);
      await prepareSecrets(works, { vaults: ['open'] }, snapshot, one, NAME, templates);
    };
    await expect(from('open')).rejects.toThrow('a vault was read');
    await expect(from('foreign')).rejects.toMatchObject({
      reason: { code: 'VAULT_NOT_OPEN', message: expect.stringContaining('"foreign"') },
    });
  });

  it('reserved variables win, and TTLS has the secret that its tag names', async () => {
    const { env, secrets } = await receive(
      marble({ MARBLE_PREDEFINED_PRIVATE_KEY: 'mine', MARBLE_TTLS_CONFIG: 'mine' }, ['tag']),
    );
    expect(env.get('MARBLE_PREDEFINED_PRIVATE_KEY')).toContain('BEGIN PRIVATE KEY');
    const ttls = JSON.parse(env.get('MARBLE_TTLS_CONFIG')!) as {
      tls: { Incoming: Record<string, { clicrt: string; clientAuth: boolean }> };
    };
    const der = secrets.current.get('tls')!.certificate.toString('base64');
    expect(ttls.tls.Incoming['*:1']!.clicrt.replace(/-----[A-Z ]+-----|\s/g, '')).toBe(der);
    expect(ttls.tls.Incoming['*:1']!.clientAuth).toBe(false);
    expect(env.get('MARBLE_TTLS_CONFIG')).toMatch(
      /^\{"tls":\{"Incoming":\{"\*:1":\{"cacrt":.*"Outgoing":\{\}\}\}$/s,
    );
  });
});

describe('messages of an activation', () => {
  it('the last value of a field counts, unknown ones are passed over', () => {
    const bytes = Buffer.concat([
      Buffer.from([0x1a, 1, 0x61]),
      Buffer.from([0x1a, 1, 0x62]),
      Buffer.from([0x22, 2, 0x75, 0x75]),
      Buffer.from([0x2a, 1, 9, 0x30, 5]),
    ]);
    const { marbleType, uuid, quote, csr } = decodeActivationRequest(bytes);
    expect([marbleType, uuid, quote.length, csr.length]).toEqual(['b', 'uu', 0, 0]);
  });

  it.each(['ff', '0a05', '1a02c328', '0b', '00', '1aff'])('%s is none', (hex) => {
    expect(() => decodeActivationRequest(Buffer.from(hex, 'hex'))).toThrow(MalformedMessage);
  });

  it('an answer has its entries in one Parameters', () => {
    const bytes = encodeActivationResponse({
      files: [['/a', Buffer.of(1)]],
      env: [['B', Buffer.from('c')]],
      argv: ['', 'd'],
    });
    expect(Buffer.from(bytes).toString('hex')).toBe(
      '0a160a070a022f611201011206' + '0a0142120163' + '1a001a0164',
    );
  });
});
