import { formatPath, type PathStep } from '../../problem.js';

/** What became of one part of a session; see the importers of the command line. */
export interface SessionImportLine {
  readonly path: string;
  readonly result: 'mapped' | 'weakened' | 'unsupported';
  readonly note: string;
}

/** The report of an import. What no line speaks of at the end is unsupported: nothing falls away in silence. */
export class ImportReport {
  readonly lines: SessionImportLine[] = [];
  private readonly said = new Set<string>();
  private readonly open = new Set<string>();

  add(path: readonly PathStep[], result: SessionImportLine['result'], note: string): void {
    this.named(formatPath(path), result, note);
  }

  named(path: string, result: SessionImportLine['result'], note: string): void {
    // What was said to be wrong stays so, and nothing is said twice.
    if (this.said.has(`${path}\n${note}`) || (result === 'mapped' && this.open.has(path))) return;
    this.said.add(`${path}\n${note}`);
    if (result !== 'mapped') this.open.add(path);
    this.lines.push({ path, result, note });
  }

  mapped(path: readonly PathStep[], note: string): void {
    this.add(path, 'mapped', note);
  }

  weakened(path: readonly PathStep[], note: string): void {
    this.add(path, 'weakened', note);
  }

  unsupported(path: readonly PathStep[], note: string): void {
    this.add(path, 'unsupported', note);
  }

  /** Adds a line for every value of the document that none speaks of, nor of anything that it is part of. */
  complete(document: unknown): void {
    const spoken = new Set(this.lines.map(({ path }) => path));
    const visit = (value: unknown, path: readonly PathStep[]): void => {
      if (path.length > 0 && spoken.has(formatPath(path))) return;
      const members = Array.isArray(value)
        ? value.map((item: unknown, index): [PathStep, unknown] => [index, item])
        : typeof value === 'object' && value !== null
          ? Object.entries(value)
          : [];
      if (members.length > 0) for (const [step, inner] of members) visit(inner, [...path, step]);
      else if (value !== null && !isEmpty(value)) this.unsupported(path, 'not understood');
    };
    visit(document, []);
  }
}

const isEmpty = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0;
