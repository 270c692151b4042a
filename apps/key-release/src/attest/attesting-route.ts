/** Configuration of a route where enclaves attest: a refusal of its requests is an event of this protocol. */
export interface AttestingRoute {
  readonly attests: string;
}
