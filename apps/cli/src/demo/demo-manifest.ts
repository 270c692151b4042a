import { hash, randomBytes, randomUUID } from 'node:crypto';

/** Measurements of the demo's enclaves: hashes of words, as there is no enclave image. */
const measurement = (text: string): string => hash('sha256', text, 'hex');
export const PAYMENTS = {
  mrenclave: measurement('siegel demo: payments enclave'),
  mrsigner: measurement('siegel demo: signer'),
  isvProdId: 1,
  isvSvn: 3,
} as const;
export const STRANGER = {
  ...PAYMENTS,
  mrenclave: measurement('siegel demo: an enclave that nobody approved'),
} as const;

export const DEMO_SECRETS = [
  { name: 'db-password', value: () => randomBytes(24).toString('base64url') },
  {
    name: 'tls-edge',
    value: () => JSON.stringify({ endpoint: 'https://edge.shop.svc', apiKey: randomUUID() }),
  },
] as const;

export const demoManifest = (
  vault: string,
): string => `# The demo's manifest: which measurement may have which secret.
siegel: v1
workloads:
  payments:
    identity:
      mrenclave: [${PAYMENTS.mrenclave}]
    tcb: { accept: [UpToDate, SWHardeningNeeded] }
    certificate: { dns: [payments.shop.svc], ttl: 24h }
    secrets:
      - { vault: ${vault}, objectName: db-password, objectType: secret, objectAlias: DB_PASSWORD, as: env }
      - { vault: ${vault}, objectName: tls-edge, objectType: secret, as: file, path: /run/secrets/edge.json, mode: "0400" }
`;
