const E = 'ab'.repeat(32);
const S = 'cd'.repeat(32);
const T = 'ef'.repeat(48);

/** A manifest with one workload `w` around the given lines; `‸` marks the token at which the problem must point. */
const workload = (lines: string, identity = `{ mrenclave: [${E}] }`) =>
  `siegel: v1\nworkloads:\n  w:\n    identity: ${identity}\n    certificate: { dns: [w.svc] }\n${lines.replace(/^/gm, '    ')}\n`;
const identity = (value: string) => workload('debug: false', value);
const secret = (fields: string) =>
  workload(`secrets:\n  - { vault: prod, objectName: a, objectType: secret, ${fields} }`);
const resources = (entries: string) =>
  workload(
    `secrets: [{ vault: prod, objectName: A, objectType: secret, as: env }]\ntrustee: { resources: [{ ${entries} }] }`,
  );
const UUID = '93156096-5ed4-41ad-ae23-19e8fab1e0af';
const fortanix = (configs: string) =>
  workload(
    `secrets: [{ vault: prod, objectName: t, objectType: secret, objectAlias: TOKEN, as: env }]\nfortanix:\n  configs:\n    ${configs}`,
  );
const bare = (lines: string) =>
  `siegel: v1\nworkloads:\n  w:\n    identity: { mrenclave: [${E}] }\n    ${lines}\n`;

/** Where `‸` stands, the problem must point. */
export type ProblemRow = [code: string, severity: 'error' | 'warning', text: string, suggestion?: string];

/** At least one document for every problem of the linter. */
export const PROBLEM_ROWS: readonly ProblemRow[] = [
  // Text and structure
  ['DOCUMENT_EMPTY', 'error', '‸'],
  ['DOCUMENT_EMPTY', 'error', '‸# only a comment\n'],
  ['DOCUMENT_TOO_LARGE', 'error', `‸siegel: v1\n${'#'.repeat(256 * 1024)}`],
  ['TEXT_NOT_UNICODE', 'error', '‸siegel: \ud800'],
  ['TEXT_NOT_UNICODE', 'error', workload('argv: [‸"\\ud800"]')],
  ['SYNTAX_ERROR', 'error', 'siegel: v1\nworkloads: {‸'],
  ['MULTIPLE_DOCUMENTS', 'error', 'siegel: v1\nworkloads: {}\n‸---\nsiegel: v1\n'],
  ['DUPLICATE_KEY', 'error', 'siegel: v1\nworkloads: {}\n‸siegel: v1\n'],
  ['DUPLICATE_KEY', 'error', `{"siegel":"v1","workloads":{"a":{},‸"a":{}}}`],
  ['KEY_NOT_TEXT', 'error', 'siegel: v1\n? ‸[a]\n: 1\nworkloads: {}\n'],
  ['KEY_NOT_ALLOWED', 'error', 'siegel: v1\nworkloads: { ‸__proto__: {} }\n'],
  ['TAG_NOT_ALLOWED', 'error', 'siegel: v1\nworkloads: ‸!js/function {}\n'],
  ['ALIAS_UNRESOLVED', 'error', 'siegel: v1\nworkloads: ‸*nothing\n'],
  ['ALIAS_RECURSIVE', 'error', 'siegel: v1\nworkloads: &a { w: ‸*a }\n'],
  ['NESTING_TOO_DEEP', 'error', `siegel: v1\nworkloads: ${'['.repeat(24)}‸[${']'.repeat(25)}\n`],
  // Schema
  ['WRONG_TYPE', 'error', '‸just text'],
  ['WRONG_TYPE', 'error', '‸- a list\n'],
  ['VERSION_UNSUPPORTED', 'error', 'siegel: ‸v2\nworkloads: {}\n', 'v1'],
  ['KEY_MISSING', 'error', '‸siegel: v1\n'],
  ['KEY_MISSING', 'error', `siegel: v1\nworkloads:\n  ‸w:\n    debug: false\n`],
  ['KEY_MISSING', 'error', workload('secrets:\n  - ‸{ vault: prod, objectName: a, as: env }')],
  ['VALUE_EMPTY', 'error', 'siegel: v1\nworkloads: ‸\n'],
  ['UNKNOWN_KEY', 'error', 'siegel: v1\n‸worklods: {}\nworkloads: {}\n', 'workloads'],
  ['UNKNOWN_KEY', 'error', workload('‸secretz: []'), 'secrets'],
  ['UNKNOWN_KEY', 'error', workload('‸mrsigner: []'), 'identity.mrsigner'],
  ['UNKNOWN_KEY', 'error', identity(`{ ‸MR_ENCLAVE: [${E}], mrenclave: [${E}] }`), 'mrenclave'],
  [
    'UNKNOWN_KEY',
    'error',
    identity(`[{ mrenclave: [${E}] }, { mrenclave: [${E}], ‸mrsinger: [] }]`),
    'mrsigner',
  ],
  ['UNKNOWN_KEY', 'error', secret('as: env, objectAlias: A, ‸obejctVersion: x'), 'objectVersion'],
  ['UNKNOWN_KEY', 'error', workload('‸<<: {}')],
  ['WRONG_TYPE', 'error', workload('debug: ‸"no"')],
  ['WRONG_TYPE', 'error', workload('secrets: ‸{}')],
  ['WRONG_TYPE', 'error', workload('env: { DEBUG: ‸true }'), '"true"'],
  ['WRONG_TYPE', 'error', identity('‸nothing')],
  ['VALUE_NOT_ALLOWED', 'error', workload('binding: { convention: ‸7 }')],
  [
    'WRONG_TYPE',
    'error',
    `{"siegel":"v1","workloads":{"w":{"identity":{"mrenclave":["${E}"]},"env":{"PORT":‸8080}}}}`,
    '"8080"',
  ],
  ['VALUE_NOT_ALLOWED', 'error', workload('tcb: { accept: [‸uptodate] }'), 'UpToDate'],
  ['VALUE_NOT_ALLOWED', 'error', workload('binding: { convention: ‸sha256_spki }'), 'sha256-spki'],
  ['VALUE_NOT_ALLOWED', 'error', secret('as: ‸environment'), 'env'],
  ['VALUE_NOT_ALLOWED', 'error', workload('platform: { smt: ‸dney }'), 'deny'],
  ['LIST_EMPTY', 'error', identity('{ mrenclave: ‸[] }')],
  [
    'LIST_TOO_LONG',
    'error',
    identity(`{ isvprodid: ‸[${Array.from({ length: 65 }, (_, i) => i).join()}], mrenclave: [${E}] }`),
  ],
  ['NUMBER_OUT_OF_RANGE', 'error', identity(`{ mrsigner: [${S}], isvprodid: 1, isvsvn: ‸65536 }`)],
  ['NUMBER_OUT_OF_RANGE', 'error', identity(`{ mrsigner: [${S}], isvprodid: ‸-1, isvsvn: 1 }`)],
  ['WRONG_TYPE', 'error', identity(`{ mrsigner: [${S}], isvprodid: 1, isvsvn: ‸1.5 }`)],
  ['TEXT_TOO_LONG', 'error', workload(`description: ‸${'x'.repeat(1025)}`)],
  ['HEX_INVALID', 'error', identity('{ mrenclave: [‸abcd] }')],
  ['HEX_INVALID', 'error', identity(`{ mrenclave: [${E}, ‸${E.toUpperCase()}] }`), E],
  ['HEX_INVALID', 'error', identity(`{ mrenclave: [‸"0x${E}"] }`), E],
  ['HEX_INVALID', 'error', workload('platform: { fmspc: [‸00606A0] }')],
  ['ADVISORY_ID_INVALID', 'error', workload('tcb: { advisories: { allow: [‸SA-615] } }'), 'INTEL-SA-00615'],
  [
    'NAME_INVALID',
    'error',
    `siegel: v1\nworkloads:\n  ‸My_App:\n    identity: { mrenclave: [${E}] }\n`,
    'my-app',
  ],
  ['NAME_INVALID', 'error', `siegel: v1\ntenant: { name: ‸Shop }\nworkloads: {}\n`, 'shop'],
  [
    'OBJECT_NAME_INVALID',
    'error',
    workload('secrets: [{ vault: prod, objectName: ‸db_password, objectType: secret, as: env }]'),
    'db-password',
  ],
  ['OBJECT_VERSION_INVALID', 'error', secret('as: env, objectVersion: ‸a/b')],
  ['OBJECT_ALIAS_INVALID', 'error', secret('as: env, objectAlias: ‸"a b"')],
  ['ENV_NAME_INVALID', 'error', workload('env: { ‸my-name: x }'), 'MY_NAME'],
  ['PATH_INVALID', 'error', secret('as: file, path: ‸relative/file')],
  ['PATH_INVALID', 'error', secret('as: file, path: ‸/run/../etc/passwd')],
  ['PATH_INVALID', 'error', secret('as: file, path: ‸/run/secrets/')],
  ['PATH_INVALID', 'error', secret(`as: file, path: ‸/${'a'.repeat(256)}`)],
  ['MODE_INVALID', 'error', secret('as: file, path: /a, mode: ‸"0o400"'), '0400'],
  ['MODE_INVALID', 'error', secret('as: file, path: /a, mode: ‸"4755"')],
  ['MODE_INVALID', 'error', secret('as: file, path: /a, mode: ‸0999')],
  ['DURATION_INVALID', 'error', workload('session: { ttl: ‸10 minutes }'), '10m'],
  ['DURATION_INVALID', 'error', workload('session: { ttl: ‸600 }')],
  ['DNS_NAME_INVALID', 'error', bare('certificate: { dns: [‸https://Shop.example/x] }'), 'shop.example'],
  ['DNS_NAME_INVALID', 'error', bare('certificate: { dns: [‸a_b.svc] }')],
  ['DNS_NAME_INVALID', 'error', bare('certificate: { dns: [‸10.0.0.1] }')],
  ['VALUE_INVALID', 'error', bare('certificate: { ips: [‸10.0.0.999] }')],
  ['SPIFFE_PATH_INVALID', 'error', bare('certificate: { spiffe: ‸spiffe://other/pay }'), '/pay'],
  ['TIME_INVALID', 'error', workload('tcb: { minTcbDate: ‸2024-03-13 }'), '2024-03-13T00:00:00Z'],
  ['TIME_INVALID', 'error', workload('validity: { notAfter: ‸2026-02-31T00:00:00Z }')],
  // Identity
  ['IDENTITY_EMPTY', 'error', `siegel: v1\nworkloads:\n  w:\n    ‸identity: { isvsvn: 1 }\n`],
  ['IDENTITY_MIXES_TEES', 'error', identity(`{ mrenclave: [${E}], ‸mrtd: [${T}] }`)],
  ['MEASUREMENT_ZERO', 'error', identity(`{ mrenclave: [‸"${'0'.repeat(64)}"] }`)],
  ['SIGNER_PUBLIC', 'error', identity(`{ mrsigner: [‸"${'0'.repeat(64)}"], isvprodid: 1, isvsvn: 1 }`)],
  [
    'SIGNER_PUBLIC',
    'error',
    identity(
      `{ mrsigner: [‸83d719e77deaca1470f6baf62a4d774303c899db69020f9c70ee1dfc08c7ce9e], isvprodid: 1, isvsvn: 1 }`,
    ),
  ],
  [
    'SIGNER_PUBLIC',
    'error',
    identity(
      `{ mrsigner: [‸9affcfae47b848ec2caf1c49b4b283531e1cc425f93582b36806e52a43d78d1a], isvprodid: 1, isvsvn: 1 }`,
    ),
  ],
  [
    'SIGNER_PUBLIC',
    'warning',
    identity(
      `{ mrenclave: [${E}], mrsigner: [‸83d719e77deaca1470f6baf62a4d774303c899db69020f9c70ee1dfc08c7ce9e] }`,
    ),
  ],
  ['SIGNER_WITHOUT_PRODUCT', 'error', identity(`{ ‸mrsigner: [${S}], isvsvn: 1 }`), 'isvprodid: 1'],
  ['SIGNER_WITHOUT_SVN_FLOOR', 'error', identity(`{ ‸mrsigner: [${S}], isvprodid: 1 }`), 'isvsvn: 1'],
  ['TDX_RTMR_MISSING', 'warning', identity(`{ ‸mrtd: [${T}] }`)],
  ['DUPLICATE_VALUE', 'warning', identity(`{ mrenclave: [${E}, ‸${E}] }`)],
  // Trust
  ['TCB_ACCEPTS_REVOKED', 'error', workload('tcb: { accept: [SWHardeningNeeded, ‸Revoked] }')],
  ['TCB_ACCEPTS_OUT_OF_DATE', 'warning', workload('tcb: { accept: [SWHardeningNeeded, ‸OutOfDate] }')],
  ['TCB_REFUSES_AZURE', 'warning', workload('tcb: { accept: ‸[UpToDate] }'), '[UpToDate, SWHardeningNeeded]'],
  [
    'TCB_ACCEPTS_REVOKED',
    'error',
    `siegel: v1\ndefaults: { tcb: { accept: [SWHardeningNeeded, ‸Revoked] } }\nworkloads: {}\n`,
  ],
  [
    'ADVISORY_ALLOWED_AND_REJECTED',
    'error',
    workload('tcb: { advisories: { allow: [INTEL-SA-00615], reject: [‸INTEL-SA-00615] } }'),
  ],
  ['DEBUG_ALLOWED', 'warning', workload('debug: ‸true')],
  [
    'VALIDITY_EMPTY',
    'error',
    workload('validity: { notBefore: 2026-01-02T00:00:00Z, notAfter: ‸2026-01-01T00:00:00Z }'),
  ],
  ['BINDING_HOLDS_NO_KEY', 'error', workload('binding: { convention: ‸raw-nonce }'), 'sha256-spki'],
  [
    'BINDING_HOLDS_NO_KEY',
    'error',
    `siegel: v1\ndefaults: { binding: { convention: raw-nonce } }\nworkloads:\n  ‸w:\n    identity: { mrenclave: [${E}] }\n    certificate: {}\n`,
    'sha256-spki',
  ],
  [
    'BINDING_HOLDS_NO_CHALLENGE',
    'error',
    workload('binding: { convention: ‸sha512-spki, challenge: required }'),
    'sha256-spki',
  ],
  // Delivery
  ['NOTHING_GRANTED', 'warning', `siegel: v1\nworkloads:\n  ‸w:\n    identity: { mrenclave: [${E}] }\n`],
  ['MANIFEST_GRANTS_NOTHING', 'warning', `siegel: v1\n‸workloads: {}\n`],
  [
    'VAULT_UNKNOWN',
    'error',
    `siegel: v1\nvaults: [prod]\nworkloads:\n  w:\n    identity: { mrenclave: [${E}] }\n    secrets: [{ vault: ‸prdo, objectName: A, objectType: secret, as: env }]\n`,
    'prod',
  ],
  [
    'ENV_NAME_INVALID',
    'error',
    workload('secrets: [{ vault: prod, objectName: ‸db-password, objectType: secret, as: env }]'),
    'objectAlias: DB_PASSWORD',
  ],
  ['ENV_NAME_INVALID', 'error', secret('as: env, objectAlias: ‸1x'), 'objectAlias: _1X'],
  ['ENV_NAME_RESERVED', 'warning', workload('env: { ‸LD_PRELOAD: /x.so }')],
  ['ENV_NAME_RESERVED', 'warning', secret('as: env, ‸objectAlias: NODE_OPTIONS')],
  ['ENV_VALUE_INVALID', 'error', workload('env: { A: ‸"\\0" }')],
  ['PLAINTEXT_SECRET', 'warning', workload('env: { ‸DB_PASSWORD: hunter2 }')],
  ['PLAINTEXT_SECRET', 'warning', workload('env: { ‸PEM: "-----BEGIN EC PRIVATE KEY-----" }')],
  ['EXPIRED_ALLOWED', 'warning', secret('as: env, allowExpired: ‸true')],
  [
    'KEY_NOT_EXPORTABLE',
    'error',
    workload('secrets:\n  - { vault: prod, objectName: a, objectType: ‸key, as: file, path: /run/a }'),
    'secret',
  ],
  ['KEY_NOT_USED', 'error', secret('as: env, ‸path: /a')],
  ['KEY_NOT_USED', 'error', secret('as: env, ‸mode: "0400"')],
  [
    'PATH_MISSING',
    'error',
    workload('secrets:\n  - ‸{ vault: prod, objectName: a, objectType: secret, as: file }'),
    'path: /run/secrets/a',
  ],
  ['PATH_RESERVED', 'error', secret('as: file, path: ‸/proc/self/mem')],
  ['PATH_RESERVED', 'warning', secret('as: file, path: ‸/usr/bin/node')],
  ['MODE_TOO_OPEN', 'warning', secret('as: file, path: /a, mode: ‸"0444"'), '"0400"'],
  [
    'PATH_COLLISION',
    'error',
    workload(
      'secrets:\n  - { vault: v, objectName: a, objectType: secret, as: file, path: /a }\n  - { vault: v, objectName: b, objectType: secret, as: file, path: ‸/a }',
    ),
  ],
  [
    'PATH_COLLISION',
    'error',
    workload(
      'secrets:\n  - { vault: v, objectName: a, objectType: secret, as: file, path: /a/b }\n  - { vault: v, objectName: b, objectType: secret, as: file, path: ‸/a }',
    ),
  ],
  [
    'PATH_COLLISION',
    'error',
    workload(
      'secrets:\n  - { vault: v, objectName: a, objectType: secret, as: file, path: /a }\n  - { vault: v, objectName: b, objectType: secret, as: file, path: ‸/a/b/c }',
    ),
  ],
  [
    'ALIAS_COLLISION',
    'error',
    workload(
      'env: { A: x }\nsecrets: [{ vault: v, objectName: b, objectType: secret, as: env, objectAlias: ‸A }]',
    ),
  ],
  ['ARGV_INVALID', 'error', workload('argv: [‸"\\0"]')],
  ['ARGV_REFERENCE_UNKNOWN', 'error', workload('argv: [run, ‸--p=$(PASS)]')],
  [
    'ARGV_SECRET_UNUSED',
    'error',
    workload('secrets:\n  - ‸{ vault: v, objectName: PASS, objectType: secret, as: argv }'),
    'argv: ["$(PASS)"]',
  ],
  ['TEXT_UNQUOTED', 'warning', secret('as: file, path: /a, mode: ‸0400'), '"0400"'],
  ['TEXT_UNQUOTED', 'warning', workload('platform: { fmspc: [‸00906e000000] }'), '"00906e000000"'],
  // Gramine
  [
    'KEY_NOT_USED',
    'error',
    workload(
      'gramine: { delivery: env-string, ‸encoding: hex }\nsecrets: [{ vault: v, objectName: A, objectType: secret, as: env }]',
    ),
  ],
  ['KEY_NOT_USED', 'error', workload('gramine: { delivery: json-bundle, ‸secret: A }')],
  ['RESOURCE_PATH_INVALID', 'error', resources('path: ‸a/b, secret: A')],
  ['RESOURCE_PATH_INVALID', 'error', resources('path: ‸a/../c, secret: A')],
  ['RESOURCE_PATH_INVALID', 'error', resources('path: ‸kbs:///a/b/c, secret: A'), 'a/b/c'],
  ['RESOURCE_PATH_REPEATED', 'error', resources('path: a/b/c, secret: A }, { path: ‸a/b/c, secret: A')],
  ['RESOURCE_SECRET_UNKNOWN', 'error', resources('path: a/b/c, secret: ‸AA'), 'A'],
  [
    'RESOURCE_BINDING_UNFIT',
    'error',
    workload(
      'binding: { convention: sha256-spki }\nsecrets: [{ vault: prod, objectName: A, objectType: secret, as: env }]\n‸trustee: { resources: [{ path: a/b/c, secret: A }] }',
    ),
  ],
  ['FORTANIX_CERTIFICATE_MISSING', 'error', bare('‸fortanix: {}')],
  ['BINDING_HOLDS_NO_CHALLENGE', 'error', workload('binding: { challenge: required }\n‸fortanix: {}')],
  ['FORTANIX_BINDING_UNFIT', 'error', workload('binding: { convention: sha256-spki }\n‸fortanix: {}')],
  [
    'FORTANIX_CONFIG_REPEATED',
    'error',
    fortanix(
      '- config: { app_config: {}, labels: {}, zone_ca: [] }\n    - ‸config: { app_config: {}, labels: {}, zone_ca: [] }',
    ),
  ],
  [
    'FORTANIX_PATH_OUTSIDE',
    'warning',
    fortanix('- config: { app_config: { ‸/etc/passwd: {} }, labels: {}, zone_ca: [] }'),
  ],
  [
    'FORTANIX_CONNECTION_UNKNOWN',
    'error',
    fortanix(
      '- config: { app_config: {}, labels: {}, zone_ca: [] }\n      connections: { in: { ‸a: { application: { workflow_domain: a.b } } } }',
    ),
  ],
  [
    'FORTANIX_SECRET_UNKNOWN',
    'error',
    fortanix(
      `- config: { app_config: {}, labels: {}, zone_ca: [], workflow: { workflow_id: ${UUID}, app_name: a, port_map: { in: { a: { dataset: { id: ${UUID} } } } } } }\n      connections: { in: { a: { dataset: { location: l, secret: ‸TOKN } } } }`,
    ),
    'TOKEN',
  ],
  ['GRAMINE_SECRET_MISSING', 'error', workload('‸gramine: { delivery: raw16 }')],
  [
    'GRAMINE_SECRET_MISSING',
    'error',
    workload(
      '‸gramine: { delivery: raw }\nsecrets:\n  - { vault: v, objectName: A, objectType: secret, as: env }\n  - { vault: v, objectName: B, objectType: secret, as: env }',
    ),
    'secret: A',
  ],
  [
    'GRAMINE_SECRET_UNKNOWN',
    'error',
    workload(
      'gramine: { delivery: raw, secret: ‸PASWORD }\nsecrets: [{ vault: v, objectName: p, objectType: secret, as: env, objectAlias: PASSWORD }]',
    ),
    'PASSWORD',
  ],
  [
    'GRAMINE_SECRET_ARGV',
    'error',
    workload(
      '‸gramine: { delivery: raw }\nargv: ["$(A)"]\nsecrets: [{ vault: v, objectName: A, objectType: secret, as: argv }]',
    ),
  ],
  [
    'GRAMINE_SIZE_UNFIT',
    'error',
    workload(
      'gramine: { delivery: ‸hex16 }\nsecrets: [{ vault: v, objectName: A, objectType: cert, as: file, path: /a }]',
    ),
    'raw',
  ],
  [
    'GRAMINE_SIZE_UNFIT',
    'error',
    workload(`‸gramine: { delivery: json-bundle }\nenv: { A: "${'x'.repeat(4_080)}" }`),
  ],
  [
    'BINDING_HOLDS_NO_CHALLENGE',
    'error',
    workload(
      'binding: { challenge: required }\n‸gramine: { delivery: raw }\nsecrets: [{ vault: v, objectName: A, objectType: secret, as: env }]',
    ),
  ],
  ['CLAIM_NAME_INVALID', 'error', identity(`{ mrenclave: [${E}], claims: { ‸pubkey-hash: [aa] } }`)],
  ['HEX_INVALID', 'error', identity(`{ mrenclave: [${E}], claims: { region: [‸eu] } }`), '6575'],
  // Lifetimes and names
  ['DNS_WILDCARD', 'error', bare('certificate: { dns: [‸"*.shop.svc"] }')],
  ['CERTIFICATE_NAMELESS', 'error', bare('‸certificate: { spiffe: false }')],
  ['TTL_OUT_OF_RANGE', 'error', bare('certificate: { ttl: ‸1m }'), '5m'],
  ['TTL_OUT_OF_RANGE', 'error', bare('certificate: { ttl: ‸91d }'), '90d'],
  ['TTL_OUT_OF_RANGE', 'error', workload('session: { ttl: ‸16m }'), '15m'],
  ['TTL_OUT_OF_RANGE', 'error', `siegel: v1\ndefaults: { session: { ttl: ‸30s } }\nworkloads: {}\n`, '1m'],
  ['TTL_OUT_OF_RANGE', 'error', workload('session: { lifetime: ‸31d }'), '30d'],
  [
    'TTL_OUT_OF_RANGE',
    'error',
    `siegel: v1\ndefaults: { session: { lifetime: ‸30s } }\nworkloads: {}\n`,
    '1m',
  ],
  ['TTL_LONG', 'warning', bare('certificate: { ttl: ‸30d }'), '24h'],
  ['STALE_TOO_LONG', 'error', secret('as: env, maxStale: ‸8d'), '1h'],
  [
    'WORKLOADS_OVERLAP',
    'warning',
    `siegel: v1\nworkloads:\n  a: { identity: { mrenclave: [${E}] }, certificate: {} }\n  b: { ‸identity: { mrenclave: [${S}, ${E}] }, certificate: {} }\n`,
  ],
  [
    'WORKLOADS_OVERLAP',
    'warning',
    `siegel: v1\nworkloads:\n  a: { identity: { mrsigner: [${S}], isvprodid: [1, 2], isvsvn: 1 }, certificate: {} }\n  b: { ‸identity: { mrsigner: [${S}], isvprodid: 2, isvsvn: 3 }, certificate: {} }\n`,
  ],
];
