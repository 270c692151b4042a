import { type CatalogueEntry, entry, GRPC } from '../catalogue-entry.js';

/** Of the node agent, and of the enclaves behind it. */
export const NODE_AGENT_ERRORS = {
  QUOTING_UNAVAILABLE: entry(
    503,
    GRPC.UNAVAILABLE,
    "Intel's quoting service does not answer on this node.",
    'Check that aesmd runs and that its socket is mounted (SIEGEL_AESM_SOCKET); on AKS: --enable-sgxquotehelper.',
    true,
  ),
  QUOTING_REFUSED: entry(
    422,
    GRPC.FAILED_PRECONDITION,
    "Intel's quoting service made no quote.",
    'Ask for the target info again: the REPORT must be made for the quoting enclave that runs now. Else see the log of aesmd.',
  ),
  QUOTING_INCONSISTENT: entry(
    502,
    GRPC.UNAVAILABLE,
    "What Intel's quoting service answered does not hold together.",
    'Nothing of it was used. Compare the versions of aesmd and of its quoting enclave; the log of the node agent says what is wrong.',
    true,
  ),
  ISSUER_UNAVAILABLE: entry(
    503,
    GRPC.UNAVAILABLE,
    'The service that decides and issues does not answer.',
    'Retry. Operators: check SIEGEL_AGENT_ISSUER_URL and its authority, and whether key-release is ready.',
    true,
  ),
  TASK_UNKNOWN: entry(
    404,
    GRPC.NOT_FOUND,
    'There is no such certificate request.',
    'Send the request anew: outcomes are kept for an hour, by the agent that took the request.',
  ),
  CLIENT_CERTIFICATE_INVALID: entry(
    401,
    GRPC.UNAUTHENTICATED,
    'The client certificate is not one that counts here now.',
    'Attest again: connect with the certificate that this service issued, while it is valid.',
  ),
  NAME_NOT_ALLOWED: entry(
    403,
    GRPC.DENIED,
    'The certificate was asked for with a name that this workload may not have.',
    'Ask for the names that the manifest lists in "certificate" of the workload, or have them added.',
  ),
  CONFIGURATION_NOT_ALLOWED: entry(
    403,
    GRPC.DENIED,
    'The enclave was started with a configuration that this workload may not have.',
    'Start it with the identifier of a configuration that the manifest lists for the workload.',
  ),
} as const satisfies Record<string, CatalogueEntry>;
