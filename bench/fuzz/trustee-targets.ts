import { SiegelError } from '#contracts';
import { checkBinding, readTrusteeKey, trusteeKeySpki, trusteeRuntimeData } from '#evidence';
import { recogniseTrusteePolicy } from '#policy';
import { P256Key } from '#simulator';
import { hash } from 'node:crypto';
import { readInitData } from '../../apps/key-release/src/wrappers/trustee/attest/init-data.js';
import { TeeKey } from '../../apps/key-release/src/wrappers/trustee/attest/tee-key.js';
import { targetOf } from '../../apps/key-release/src/wrappers/trustee/http/request-path.js';
import { KbsError } from '../../apps/key-release/src/wrappers/trustee/protocol/kbs-error.js';
import { readAttestation, readAuth } from '../../apps/key-release/src/wrappers/trustee/protocol/messages.js';
import type { Mutation } from './byte-mutations.js';
import type { Target } from './targets.js';
import { insertWord, mutateLines } from './text-mutations.js';

const NONCE = Buffer.alloc(32, 7).toString('base64');
const INIT_DATA = 'version = "0.1.0"\nalgorithm = "sha384"\n\n[data]\n"aa.toml" = "x = 1"\n';

/** Parsers of Trustee's KBS protocol: requests, the runtime data that is hashed, and its texts (addresses, init-data, policies). */
export function trusteeTargets(seed: string, quote: Buffer, json: readonly Mutation[]): Target[] {
  const point = Buffer.from(new P256Key(Buffer.from(`trustee ${seed}`)).point).subarray(-64);
  const [x, y] = [point.subarray(0, 32), point.subarray(32)].map((half) => half.toString('base64url'));
  const jwk = { kty: 'EC', crv: 'P-256', alg: 'ECDH-ES+A256KW', x, y };
  const key = readTrusteeKey(jwk)!;
  const evidence = { quote: quote.toString('base64') };
  const composite = {
    'init-data': { format: 'toml', body: INIT_DATA },
    'runtime-data': { nonce: NONCE, 'tee-pubkey': jwk },
    'tee-evidence': { primary_evidence: evidence, additional_evidence: '' },
  };
  const auth = { version: '0.4.0', tee: 'sgx', 'extra-params': '' };
  const runtime = trusteeRuntimeData({ nonce: NONCE, key, additionalEvidence: '' });
  return [
    ...(['0.4.0', '0.2.0'] as const).map((version) => ({
      name: version === '0.4.0' ? 'trustee-attest' : 'trustee-attest-old',
      seeds: [bytes(version === '0.4.0' ? composite : { 'tee-pubkey': jwk, 'tee-evidence': evidence })],
      mutations: [...json],
      run: (input: Buffer) =>
        outcome(() => {
          const read = readAttestation(input, version, 'sgx');
          TeeKey.read(read.key, version);
          if (read.initData) readInitData(read.initData.body);
        }),
      share: 1,
    })),
    {
      name: 'trustee-auth',
      seeds: [bytes(auth), bytes({ ...auth, version: '0.1.1', tee: 'snp' })],
      mutations: [...json],
      run: (input) => outcome(() => void readAuth(input)),
      share: 1,
    },
    {
      name: 'trustee-runtime-data',
      seeds: [Buffer.from(runtime)],
      mutations: [...json],
      run: (input) => {
        const held = checkBinding('trustee-runtime-data', reportDataOf(input), {
          spki: trusteeKeySpki(key),
          nonce: Buffer.from(NONCE, 'base64'),
          runtimeData: input,
        });
        return held.ok ? undefined : `${held.code} ${input.includes('tee-pubkey')} ${input.includes(NONCE)}`;
      },
      share: 1,
    },
    {
      name: 'trustee-text',
      seeds: [
        '/kbs/v0/auth',
        '/kbs/v0/resource//default/key/test?x=1',
        INIT_DATA,
        '# comment\npackage policy\n\ndefault allow = false\n',
      ].map((each) => Buffer.from(each)),
      mutations: [mutateLines, mutateLines, insertWord],
      run: (input) => {
        const text = input.toString('latin1');
        const read = [
          outcome(() => void targetOf(text)),
          outcome(() => void readInitData(text)),
          recogniseTrusteePolicy(text),
        ];
        const known = read[0] === undefined || read[1] === undefined || read[2] !== undefined;
        return known ? undefined : read.join(' ');
      },
      share: 1,
    },
  ];
}

const reportDataOf = (input: Buffer): Buffer => Buffer.concat([hash('sha384', input, 'buffer')], 64);
const bytes = (value: object): Buffer => Buffer.from(JSON.stringify(value));

/** The code of an error of ours; any other is a finding. */
function outcome(run: () => void): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof SiegelError) return `${error.code} ${error.detail?.slice(0, 24) ?? ''}`;
    if (error instanceof KbsError) return error.kind;
    throw error;
  }
}
