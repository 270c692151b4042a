import type { Command } from 'commander';
import { buildProgram } from '../program.js';
import { Session } from '../session.js';
import { recordingTerminal } from '../terminal/recording-terminal.js';

const COLUMNS = 100;
export const BEGIN = '<!-- commands: begin -->';
export const END = '<!-- commands: end -->';

/** The help of every command, as Markdown. */
export function commandReference(): string {
  const terminal = recordingTerminal({ columns: COLUMNS });
  const program = buildProgram(new Session(terminal));
  const parts: string[] = [];
  const add = (command: Command, name: string): void => {
    terminal.written.out = '';
    command.outputHelp();
    parts.push(`### ${name}\n\n\`\`\`text\n${terminal.written.out.trim()}\n\`\`\``);
    for (const next of command.commands) add(next, `${name} ${next.name()}`);
  };
  for (const command of program.commands) add(command, `siegel ${command.name()}`);
  return parts.join('\n\n');
}

/** docs/cli.md with its reference part made anew; what stands outside of the marks stays. */
export function withReference(page: string): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin === -1 || end < begin) throw new Error(`the page lacks the marks "${BEGIN}" and "${END}"`);
  return `${page.slice(0, begin + BEGIN.length)}\n\n${commandReference()}\n\n${page.slice(end)}`;
}
