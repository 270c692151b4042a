/** One Merkle log that this service keeps: the events of one tenant. */
export interface OwnLog {
  /** Position in the trust file among the logs of our key. */
  id: number;
  origin: string;
  kid: string;
  /** Last path segment of the origin: the tenant, and the log's name in paths. */
  name: string;
}

/** The log of a tenant; for what no tenant of ours owns (a forged event), the first. */
export function logOfTenant(logs: readonly OwnLog[], tenant: string): OwnLog {
  return logs.find(({ name }) => name === tenant) ?? logs[0]!;
}
