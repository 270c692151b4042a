import { SiegelError } from '#contracts';
import { checkBinding, readTrusteeKey, trusteeKeySpki, trusteeRuntimeData } from '#evidence';
import { recogniseTrusteePolicy } from '#policy';
import { P256Key } from '#simulator';
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

/** Parsers of Trustee's KBS protocol: requests, addresses, the runtime data that is hashed, and the policies that are known. */
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
        const held = checkBinding('trustee-runtime-data', Buffer.alloc(64), {
          spki: trusteeKeySpki(key),
          nonce: Buffer.from(NONCE, 'base64'),
          runtimeData: input,
        });
        return held.ok ? 'bound to nothing' : held.code;
      },
      share: 1,
    },
    {
      name: 'trustee-address',
      seeds: ['/kbs/v0/auth', '/kbs/v0/resource//default/key/test?x=1', '/kbs/v0/resource-policy'].map(
        (url) => Buffer.from(url),
      ),
      mutations: [insertWord],
      run: (input) => outcome(() => void targetOf(input.toString('latin1'))),
      share: 1,
    },
    {
      name: 'trustee-policy',
      seeds: [Buffer.from('# comment\npackage policy\n\ndefault allow = false\n')],
      mutations: [mutateLines, mutateLines, insertWord],
      run: (input) => recogniseTrusteePolicy(input.toString('utf8')) ?? 'unknown',
      share: 1,
    },
  ];
}

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
