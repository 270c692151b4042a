import { CliError } from '../failure/cli-error.js';

/** The outcome of one check. `ok` with a `remedy` is a warning: it works, but something should be done. */
export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly code?: string;
  readonly remedy?: string;
}

export interface Check {
  readonly name: string;
  readonly run: () => Promise<Omit<CheckResult, 'name'>>;
}

/** Runs a check; whatever it throws is a failed check. */
export async function perform({ name, run }: Check): Promise<CheckResult> {
  try {
    return { name, ...(await run()) };
  } catch (error) {
    if (error instanceof CliError) {
      return { name, ok: false, detail: error.message, code: error.code, remedy: error.remedy };
    }
    const detail = error instanceof Error ? error.message : String(error);
    return { name, ok: false, detail, code: 'INTERNAL', remedy: 'Run "siegel doctor" with SIEGEL_DEBUG=1.' };
  }
}
