// Writes the parts of docs/ that follow from the code: docs/errors.md, and the command reference of docs/cli.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from './build.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const compiled = (name) => pathToFileURL(join(root, 'dist/apps/cli/src/docs', name)).href;

// Help shows the ports that the environment sets; the pages show the presets.
for (const name of Object.keys(process.env)) if (/^SIEGEL_\w+_PORT$/.test(name)) delete process.env[name];
await build();
const { errorsPage } = await import(compiled('errors-page.js'));
const { withReference } = await import(compiled('command-reference.js'));

const write = (name, text) => {
  const path = join(root, 'docs', name);
  writeFileSync(path, text);
  process.stderr.write(`wrote ${path}\n`);
};
write('errors.md', errorsPage());
write('cli.md', withReference(readFileSync(join(root, 'docs/cli.md'), 'utf8')));
