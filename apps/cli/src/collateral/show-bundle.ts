import { named } from '../input/bounded-input.js';
import type { Terminal } from '../terminal/terminal.js';
import { anchorsOf, factsOf, factsText, openBundle, readBundle } from './bundle-verification.js';
import type { ShowOptions } from './command.js';

/** `siegel collateral show FILE`. */
export async function showBundle(file: string, options: ShowOptions, terminal: Terminal): Promise<number> {
  const anchors = await anchorsOf(options, terminal);
  const facts = factsOf(openBundle(await readBundle(file, terminal), named(file), anchors, options));
  terminal.out(options.json ? `${JSON.stringify(facts)}\n` : factsText(facts));
  return 0;
}
