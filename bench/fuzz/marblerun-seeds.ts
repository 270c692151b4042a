/** Manifests of MarbleRun's coordinator with every section and every way to write a value. */
export function marbleRunManifests(): Buffer[] {
  const whole = {
    Packages: {
      exact: { UniqueID: 'ab'.repeat(32), Debug: false },
      signed: {
        SignerID: 'cd'.repeat(32),
        ProductID: 7,
        SecurityVersion: 3,
        AcceptedTCBStatuses: ['UpToDate', 'OutOfDate'],
        AcceptedAdvisories: ['INTEL-SA-00334'],
      },
    },
    Infrastructures: { azure: { CPUSVN: [0, 1, 255], QESVN: 2, PCESVN: 3, RootCA: 'AwMD' } },
    Marbles: {
      web: {
        Package: 'exact',
        MaxActivations: 2,
        Parameters: {
          Files: {
            '/a': '{{ raw .Secrets.key }}',
            '/b': { Data: 'eA==', Encoding: 'base64', NoTemplates: true },
          },
          Env: { A: 'text', B: { Data: '00ff', Encoding: 'hex' } },
          Argv: ['web', ''],
        },
        TLS: ['mesh'],
      },
    },
    Secrets: {
      key: { Type: 'symmetric-key', Size: 128, Shared: true },
      cert: {
        Type: 'cert-ecdsa',
        Size: 256,
        ValidFor: 7,
        Cert: {
          Subject: { CommonName: 'x', Organization: ['o'] },
          SerialNumber: 12,
          DNSNames: ['x'],
          KeyUsage: 1,
        },
      },
      vault: { Type: 'plain', Source: { vault: 'v', objectName: 'o' } },
    },
    Users: {
      ann: { Certificate: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', Roles: ['r'] },
    },
    Roles: { r: { ResourceType: 'Secrets', ResourceNames: ['key'], Actions: ['ReadSecret'] } },
    RecoveryKeys: { k: '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n' },
    TLS: { mesh: { Outgoing: [{ Addr: 'a', Port: '1' }], Incoming: [{ Port: '2' }] } },
    Config: { SealMode: '', FeatureGates: ['MonotonicCounter'], UpdateThreshold: 0, RecoveryThreshold: null },
  };
  const least = { packages: { a: { debug: true } }, marbles: { m: { package: 'a' } } };
  return [JSON.stringify(whole), JSON.stringify(whole, null, 1), JSON.stringify(least)].map((text) =>
    Buffer.from(text),
  );
}
