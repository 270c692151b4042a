import { scone } from '#policy';
import type { Mutation } from './byte-mutations.js';
import type { Target } from './targets.js';

/** With something of every part of the language; as JSON, which YAML is too, so that it can be changed by its structure. */
const SESSION = {
  name: 'a/b',
  version: '0.3.10',
  predecessor: 'ab'.repeat(32),
  access_policy: { read: ['ANY'], update: [{ 'require-all': ['CREATOR', '$$SCONE::a$$'] }] },
  security: {
    attestation: { mode: 'hardware', tolerate: ['hyperthreading'], ignore_advisories: ['INTEL-SA-00334'] },
  },
  services: [
    {
      name: 's',
      image_name: 'i',
      attestation: [
        { mrenclave: ['cd'.repeat(32)], signer: { mrsigner: 'ef'.repeat(32), isvprodid: 1, isvsvn_min: 2 } },
      ],
      platforms: ['INTEL_QE_ID:00112233445566778899aabbccddeeff'],
      command: 'run "$$SCONE::a:hex|escape(json)$$" @@1',
      environment: { A: '$$SCONE::b.crt$$', '\\@\\@H': null },
    },
  ],
  secrets: [
    { name: 'a', kind: 'binary', size: 16, export: '/session=x,session_hash=y' },
    { name: 'b', kind: 'x509', san: ['dns:x'], valid_for: '90 days', import_akv: { vault: 'v' } },
    { name: 'c', kind: 'jwt', signer: 'a', payload: { x: '$$SCONE::self::software_identity$$' } },
  ],
  images: [{ name: 'i', injection_files: ['/t', { path: '/f', content: '$$SCONE::a$$', permission: 256 }] }],
};
const VALUES = new Map([['X', 'value']]);

export function sconeTargets(mutations: readonly Mutation[]): Target[] {
  return [
    {
      name: 'scone-session',
      seeds: [
        Buffer.from(JSON.stringify(SESSION)),
        Buffer.from('name: $X\nsecret_config:\n  store_in: !cas\n'),
      ],
      mutations: [...mutations],
      run: (input) => {
        const read = scone.readSession(scone.fillTemplate(input.toString('utf8'), VALUES).text);
        if (read.ok) scone.importSession(read);
        const [fault] = read.faults;
        return fault && `${fault.path.slice(0, 24)} ${fault.message.slice(0, 24)}`;
      },
      share: 1,
    },
  ];
}
