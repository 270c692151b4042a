import type { Command } from 'commander';
import type { Page, Placed } from './page.js';

/** Where a command line may begin: at the beginning, behind a prompt, or behind another command. */
const BEGINNING = /(?:^|[$|(;&]) *(?:[A-Z_]+=\S* )*(?:npx |npm run )?siegel (?=[a-z-])/g;

/** Command lines of `siegel` that a page shows, without what follows a pipe, a redirection or a comment. */
export function commandLines({ code, phrases }: Page): Placed[] {
  const found: Placed[] = [];
  for (const { text, line } of [...code, ...phrases]) {
    const shown = text.trim();
    for (const match of shown.matchAll(BEGINNING)) {
      const rest = shown.slice(match.index + match[0].length);
      found.push({ text: upTo(rest), line });
    }
  }
  return found;
}

/** Up to what the shell or the reader takes for the end. Quotes keep their content together. */
function upTo(text: string): string {
  const end = /^(?:'[^']*'|"[^"]*"|[^|<>;&)#'"]|<[a-z-]+>|(?<=[a-z])\|(?=[a-z])|(?<=\S)#)*/.exec(text)![0];
  return end.trim();
}

/**
 * What of a command line the program does not have. `a|b` is either.
 * @param passedOn help texts of programs that commands pass their options on to, by name of the command
 */
export function commandFaults(
  program: Command,
  line: string,
  passedOn: Readonly<Record<string, string>> = {},
): string[] {
  const words = line.match(/(?:'[^']*'|"[^"]*"|\S)+/g) ?? [];
  let commands: readonly Command[] = [program];
  const faults: string[] = [];
  for (const [at, word] of words.entries()) {
    const flag = /^\[?(--?[A-Za-z][A-Za-z-]*)/.exec(word)?.[1];
    if (flag !== undefined) {
      const known = commands.some(
        (command) => hasOption(command, flag) || passedOn[command.name()]?.includes(`  ${flag} `),
      );
      if (!known) faults.push(`${nameOf(commands[0]!)} has no ${flag}`);
      continue;
    }
    if (commands.every((command) => command.commands.length === 0)) continue;
    const names = word.split('|');
    const next = commands.flatMap((command) =>
      command.commands.filter(
        (each) => names.includes(each.name()) || names.some((name) => each.aliases().includes(name)),
      ),
    );
    if (next.length > 0) commands = next;
    if (next.length < names.length && /^[a-z|-]+$/.test(word) && !words[at - 1]?.startsWith('--'))
      faults.push(`${nameOf(commands[0]!)} has no command ${word}`);
  }
  return faults;
}

function hasOption(command: Command, flag: string): boolean {
  if (['--help', '-h'].includes(flag)) return true;
  return (
    command.options.some(({ long, short }) => long === flag || short === flag) ||
    (command.parent !== null && hasOption(command.parent, flag))
  );
}

const nameOf = (command: Command): string =>
  command.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name();
