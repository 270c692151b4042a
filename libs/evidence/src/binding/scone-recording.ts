/**
 * What a SCONE runtime once sent to its CAS, as SCONE's documentation prints it ("Running Java Applications in Scone with remote
 * attestation", log of the CAS): the certificate of the channel, and the report data of its quote. A debug enclave's, of 2020.
 */
export const SCONE_CERTIFICATE_PEM = `-----BEGIN CERTIFICATE-----
MIIBZjCB6qADAgECAhEA9vVqCQoOsEgtQ7Lo09QqNjAMBggqhkjOPQQDAwUAMA0x
CzAJBgNVBAYTAkRFMCAXDTE4MDkxNzE5MzAwMFoYDzIwNTAwMTAxMDEwMDAwWjAA
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEoavE7JGhE5YqrBV979f8NTxUzGURrDE2
aU3vuZukWkioO8g+3Ec+YaVMu0N3CWy0hnwKD4nyCr7criLlXhvRaxQdJdp6d+4b
MJXGtrgvcF4I1ZAb17FJOHoUD9Q5IVKSoxcwFTATBgNVHREEDDAKgghlbmNsYXZl
ADAMBggqhkjOPQQDAwUAA2kAMGYCMQCusCCDg8EKrrP75FL5kUShjoG28dWsAMVN
Dfv2InlX5ZCATrZ3YwSl8+MfV1Key0sCMQDMaA+jVF+bqr82C9iIYZhr4vXCWUhI
jYVnKAo+/GP+pwwvNE7XZwPTXbEPdRoyrbw=
-----END CERTIFICATE-----
`;

export const SCONE_REPORT_DATA =
  'ec4f96d3faba2fdbbed2c7e1140f7df066e03440943eae7e9ab439c4262c075c' +
  '74a8199b2b230a7760580c7a4799af34649e94a854709b6b08c61d6d7abac976';

/** What the CAS calls the identifier of the peer: SHA-256 of the certificate. */
export const SCONE_CERTIFICATE_SHA256 = '791f84651890514eefe32ecfe54a75d95475636f61180a6ca1765cbbee0253dd';
