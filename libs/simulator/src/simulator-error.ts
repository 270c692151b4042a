/** Why the simulator refused to build something; a fault of its caller, never of evidence. */
export type SimulatorErrorCode =
  | 'SIMULATOR_BYTES_INVALID'
  | 'SIMULATOR_OPTION_INVALID'
  | 'SIMULATOR_STATE_INVALID'
  | 'SIMULATOR_SERVER_STATE';

/** The only error class that this library throws on purpose. */
export class SimulatorError extends Error {
  override readonly name = 'SimulatorError';

  constructor(
    readonly code: SimulatorErrorCode,
    message: string,
  ) {
    super(message);
  }
}
