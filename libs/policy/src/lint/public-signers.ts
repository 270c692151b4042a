const ZERO_32 = '0'.repeat(64);

/** Signers whose private key anybody can have: a rule by signer alone on one of them accepts everybody's enclaves. */
const PUBLIC_SIGNERS: ReadonlyMap<string, string> = new Map([
  [ZERO_32, 'the all-zero MRSIGNER belongs to no key'],
  [
    '83d719e77deaca1470f6baf62a4d774303c899db69020f9c70ee1dfc08c7ce9e',
    "this is the sample key of Intel's SGX SDK, which Occlum also ships as its template key",
  ],
  [
    '9affcfae47b848ec2caf1c49b4b283531e1cc425f93582b36806e52a43d78d1a',
    "this is the dummy key of Fortanix' enclave-runner",
  ],
]);

/** Why an MRSIGNER (hex, lower case) proves nothing, or undefined if no such reason is known. */
export function publicSigner(mrsigner: string): string | undefined {
  return PUBLIC_SIGNERS.get(mrsigner);
}

/** True for a measurement of zeros, which no loaded enclave or trust domain has. */
export function isZeroMeasurement(measurement: string): boolean {
  return /^0+$/.test(measurement);
}
