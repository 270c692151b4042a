import { describe, expect, it } from '@jest/globals';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { buildProgram } from '../apps/cli/src/program.js';
import { Session } from '../apps/cli/src/session.js';
import { recordingTerminal } from '../apps/cli/src/terminal/recording-terminal.js';
import { commandFaults, commandLines } from './docs/command-lines.js';
import { type Page, readPage } from './docs/page.js';

const ROOT = join(import.meta.dirname, '..');
const read = (path: string): Page => readPage(path, readFileSync(join(ROOT, path), 'utf8'));
const PAGES = ['README.md', 'CONTRIBUTING.md', ...globSync('{docs,docker}/**/*.md', { cwd: ROOT })].map(read);
const program = buildProgram(new Session(recordingTerminal()));
/** The fake reads its own options. */
const PASSED_ON = { 'fake-azure': readFileSync(join(ROOT, 'test/fake-azure/main.ts'), 'utf8') };
const sources = globSync('{apps,libs,docker,scripts,test,bench}/**/*.{ts,tsx,mjs,cjs}', {
  cwd: ROOT,
  exclude: ['**/node_modules/**'],
});

function linkFaults(page: Page): string[] {
  return page.links
    .filter(({ target }) => !/^[a-z]+:/.test(target))
    .filter(({ target, anchor }) => {
      if (target === '') return !page.anchors.has(anchor!);
      const path = normalize(join(dirname(page.path), target));
      if (!existsSync(join(ROOT, path))) return true;
      return anchor !== undefined && !read(path).anchors.has(anchor);
    })
    .map(({ text, line }) => `${page.path}:${line}: ${text}`);
}

/** Files that a page names by their place in the repository, and specs by their last parts. */
function fileFaults(page: Page): string[] {
  return page.phrases
    .filter(({ text }) => /^[\w.*{},/<>-]+$/.test(text) && !text.includes('<'))
    .filter(({ text }) => {
      if (/^(?:apps|libs|bench|test|docs|scripts|docker|bin)\//.test(text))
        return globSync(text.replace(/\/$/, ''), { cwd: ROOT }).length === 0;
      return /^[\w./-]+\.spec\.ts$/.test(text) && !sources.some((file) => file.endsWith(`/${text}`));
    })
    .map(({ text, line }) => `${page.path}:${line}: ${text}`);
}

function scriptFaults(page: Page): string[] {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  return [...page.code, ...page.phrases].flatMap(({ text, line }) => {
    const where = `${page.path}:${line}: ${text.trim()}`;
    const faults: string[] = [];
    for (const [, name] of text.matchAll(/\bnpm run ([a-z-]+)/g)) if (!scripts[name!]) faults.push(where);
    for (const [, name] of text.matchAll(/\bnpm run bench -- ([a-z-]+)/g))
      if (!existsSync(join(ROOT, 'bench', name!, 'main.ts'))) faults.push(where);
    for (const [, file] of text.matchAll(/\bnode ([\w/-]+\.(?:mjs|cjs))/g))
      if (!existsSync(join(ROOT, file!))) faults.push(where);
    return faults;
  });
}

/** Variables of our own; `…_C` behind `SIEGEL_A_B` on one line is `SIEGEL_A_C`. */
function variables({ path, phrases, code }: Page): { path: string; text: string; line: number }[] {
  const found = [...phrases, ...code].flatMap(({ text, line }) =>
    [...text.matchAll(/\bSIEGEL_[A-Z0-9_]*[A-Z0-9](?![A-Z0-9_*…])/g)].map(([name]) => ({
      path,
      text: name,
      line,
    })),
  );
  const short = phrases.flatMap(({ text, line }) => {
    const ending = /^…(_[A-Z0-9_]+)$/.exec(text)?.[1];
    const of = found.find((full) => full.line === line)?.text;
    return ending === undefined || of === undefined
      ? []
      : [{ path, text: of.replace(/_[A-Z0-9]+$/, ending), line }];
  });
  return [...found, ...short];
}

describe('the documentation', () => {
  it.each(PAGES.map((page) => [page.path, page] as const))('%s leads to what is there', (_path, page) => {
    expect([...linkFaults(page), ...fileFaults(page), ...scriptFaults(page)]).toEqual([]);
  });

  it.each(PAGES.map((page) => [page.path, page] as const))('%s shows commands that exist', (_path, page) => {
    const faults = commandLines(page).flatMap(({ text, line }) =>
      commandFaults(program, text, PASSED_ON).map(
        (fault) => `${page.path}:${line}: ${fault} (siegel ${text})`,
      ),
    );
    expect(faults).toEqual([]);
  });

  it('names environment variables that something reads', () => {
    // The ports of `siegel up` are read by their options' names.
    const ports = program.commands.find((command) => command.name() === 'up')!.options;
    const known = new Set(
      ports.map(({ long }) => `SIEGEL_${long!.slice(2).replaceAll('-', '_').toUpperCase()}`),
    );
    for (const file of sources)
      for (const [name] of readFileSync(join(ROOT, file), 'utf8').matchAll(/\bSIEGEL_[A-Z0-9_]*[A-Z0-9]/g))
        known.add(name);
    expect(PAGES.flatMap(variables).filter(({ text }) => !known.has(text))).toEqual([]);
  });

  it('names every variable of the services’ environments', () => {
    const named = new Set(PAGES.flatMap(variables).map(({ text }) => text));
    const read = sources
      .filter((file) => /^(?:apps|libs)\/.*environment\.ts$/.test(file))
      .flatMap((file) => [...readFileSync(join(ROOT, file), 'utf8').matchAll(/^ +(SIEGEL_\w+):/gm)])
      .map(([, name]) => name!);
    expect(read.length).toBeGreaterThan(100);
    expect(read.filter((name) => !named.has(name))).toEqual([]);
  });
});

describe('its check', () => {
  const page = readPage(
    'docs/page.md',
    [
      '# A `title`, twice',
      '# A title, twice',
      'See [this](#a-title-twice-1), [that](#nowhere), [a page](none.md), `libs/nothing/src`, `libs/dcap` and',
      '`npm run nothing`, `npm run bench -- nothing`, `none.spec.ts`, `siegel manifest lnt FILE`.',
      '',
      '    $ npx siegel manifest lint x --kind siegel --jsn | siegel audit query|verify --outcome denied # siegel nothing',
      '```sh',
      "siegel audit query --text 'a | b' \\",
      '  --nothing > out',
      '```',
    ].join('\n'),
  );

  it('finds what leads nowhere', () => {
    expect(linkFaults(page)).toEqual(['docs/page.md:3: #nowhere', 'docs/page.md:3: none.md']);
    expect(fileFaults(page)).toEqual(['docs/page.md:3: libs/nothing/src', 'docs/page.md:4: none.spec.ts']);
    expect(scriptFaults(page)).toEqual([
      'docs/page.md:4: npm run nothing',
      'docs/page.md:4: npm run bench -- nothing',
    ]);
  });

  it('finds commands and options that there are not', () => {
    const lines = commandLines(page);
    expect(lines.map(({ text }) => text)).toEqual([
      'manifest lint x --kind siegel --jsn',
      'audit query|verify --outcome denied',
      "audit query --text 'a | b'  --nothing",
      'manifest lnt FILE',
    ]);
    expect(lines.flatMap(({ text }) => commandFaults(program, text))).toEqual([
      'siegel manifest lint has no --jsn',
      'siegel audit query has no --nothing',
      'siegel manifest has no command lnt',
    ]);
  });
});
