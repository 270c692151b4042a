import { SIGNER } from '../harness/index.js';

const PACKAGE = { SignerID: SIGNER, ProductID: 1, SecurityVersion: 3, Debug: false };
export const FROM_VAULT = 'a text from the vault';
export const MANIFEST = {
  Packages: { app: PACKAGE, newer: { ...PACKAGE, SecurityVersion: 4 } },
  Marbles: {
    web: {
      Package: 'app',
      Parameters: {
        Files: {
          '/keys/disk': '{{ raw .Secrets.disk }}',
          '/tls.pem': '{{ pem .Secrets.own.Cert }}{{ pem .Secrets.own.Private }}',
        },
        Env: {
          SHARED: '{{ hex .Secrets.shared }}',
          FROM_VAULT: '{{ string .Secrets.fromVault }}',
          MARBLE_PREDEFINED_ROOT_CA: 'overridden',
        },
        Argv: ['web', '--serve'],
      },
      TLS: ['mesh'],
    },
    bare: { Package: 'app' },
    limited: { Package: 'app', MaxActivations: 2 },
    needsUser: { Package: 'app', Parameters: { Env: { KEY: '{{ hex .Secrets.user }}' } } },
    newer: { Package: 'newer' },
  },
  Secrets: {
    disk: { Type: 'symmetric-key', Size: 128 },
    shared: { Type: 'symmetric-key', Size: 256, Shared: true },
    own: { Type: 'cert-ecdsa', Size: 256, Cert: { Subject: { CommonName: 'own.example' } } },
    neverUsed: { Type: 'cert-rsa', Size: 4096 },
    user: { Type: 'symmetric-key', Size: 128, UserDefined: true },
    fromVault: { Type: 'plain', Source: { vault: 'demo', objectName: 'text' } },
  },
  TLS: { mesh: { Incoming: [{ Port: '8080' }], Outgoing: [{ Addr: 'other', Port: '9' }] } },
};
export const OTHER = { Packages: { app: PACKAGE }, Marbles: { only: { Package: 'app' } } };
export const INFRASTRUCTURE = (minimum: number) => ({
  ...OTHER,
  Infrastructures: { azure: { PCESVN: minimum }, elsewhere: { QESVN: 60_000 } },
});
