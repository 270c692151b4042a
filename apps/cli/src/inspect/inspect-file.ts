import { readWhole } from '../input/bounded-input.js';
import type { Terminal } from '../terminal/terminal.js';
import { inspectionText } from './inspection-text.js';
import { recognise } from './recognise.js';

const MAX_FILE_BYTES = 8 * 1024 * 1024;

/** `siegel inspect`. @throws CliError for what cannot be read or recognised */
export async function inspectFile(file: string, json: boolean, terminal: Terminal): Promise<number> {
  const recognised = recognise(await readWhole(file, MAX_FILE_BYTES, terminal));
  const { inspection, encoding, size } = recognised;
  const { kind, title, sections, remarks } = inspection;
  terminal.out(
    json
      ? `${JSON.stringify({ kind, title, encoding, size, sections, remarks })}\n`
      : inspectionText(recognised, terminal.colour),
  );
  return 0;
}
