import { CliError } from '../failure/cli-error.js';
import type { Terminal } from '../terminal/terminal.js';

const MAX_ANSWER_BYTES = 64 * 1024;
const [CTRL_C, CTRL_D, BACKSPACE, DELETE, CTRL_U] = [0x03, 0x04, 0x08, 0x7f, 0x15];

/**
 * Asks for one line at the terminal without showing it. The question goes to standard error: standard output may be a file.
 * @throws CliError USAGE if the person gives up (Ctrl-C) or there is no terminal to switch the echo off at
 */
export async function askHidden(question: string, terminal: Terminal): Promise<Buffer> {
  const stdin = terminal.stdin as Terminal['stdin'] & { setRawMode?: (raw: boolean) => void };
  if (!stdin.setRawMode)
    throw CliError.of('USAGE', 'The value has to come from --file or standard input here.');
  terminal.err(question);
  stdin.setRawMode(true);
  const typed: number[] = [];
  try {
    for await (const chunk of stdin as AsyncIterable<Buffer | string>) {
      for (const byte of Buffer.from(chunk as string)) {
        if (byte === 0x0d || byte === 0x0a || byte === CTRL_D) return Buffer.from(typed);
        if (byte === CTRL_C) throw CliError.of('USAGE', 'Given up; nothing was stored.');
        if (byte === CTRL_U) typed.length = 0;
        else if (byte === BACKSPACE || byte === DELETE) removeCharacter(typed);
        else if (typed.push(byte) > MAX_ANSWER_BYTES)
          throw CliError.of('USAGE', 'The value is too long to be typed.');
      }
    }
    return Buffer.from(typed);
  } finally {
    stdin.setRawMode(false);
    terminal.err('\n');
    typed.fill(0);
  }
}

/** Removes the last character, which in UTF-8 may be several bytes. */
function removeCharacter(bytes: number[]): void {
  while (bytes.length > 0 && ((bytes.pop() as number) & 0xc0) === 0x80);
}
