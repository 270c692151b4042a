import { measured } from '../harness/index.js';

/** A session as its owner writes it. */
export const session = (name: string, more = '', predecessor = '~') => `name: ${name}
version: "0.3"
predecessor: ${predecessor}
${more}`;

/** One with secrets of every kind and one service. */
export const APP = (security = 'attestation: { mode: hardware }') => `
security: { ${security} }
secrets:
  - { name: password, kind: ascii, size: 24 }
  - { name: seed, kind: binary, size: 16 }
  - { name: db, kind: ascii, import_akv: { vault: shop.vault.azure.example, secret_name: db-password } }
  - { name: ca_key, kind: private-key }
  - { name: ca, kind: x509-ca, private_key: ca_key, export_public: true }
  - { name: tls, kind: x509, issuer: ca, endpoint: server, san: ["dns:app.example"] }
  - { name: answer, kind: ascii, value: "42", export_public: true }
  - { name: sign, kind: private-key, key_type: P-384 }
  - { name: who, kind: jwt, signer: sign, alg: ES384, payload: { enclave: "$$SCONE::self::software_identity$$" } }
services:
  - name: app
    image_name: image
    attestation:
      - mrenclave: [${measured('app')}]
      - signer: { mrsigner: ${measured('range signer')}, isvprodid: 1, isvsvn_min: 2, isvsvn_max: 3 }
    command: app --password $$SCONE::password$$ @@1
    environment: { DB: "$$SCONE::db$$", SEED: "$$SCONE::seed:base32nopad$$", WHO: "$$SCONE::who$$" }
images:
  - name: image
    injection_files: [{ path: /tls/key.pem, content: "$$SCONE::tls:privatekey$$", permission: 0o400 }, { path: /tls/crt.pem, content: "$$SCONE::tls.chain$$" }]
`;
