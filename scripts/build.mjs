// Compiles apps/, libs/, test/ and bench/ to dist/ with swc, file by file and only what changed.
// Type checking is a step of its own (`npm run typecheck`): starting the system must not wait for it.
import { transformFile } from '@swc/core';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const dist = join(root, 'dist');
const options = {
  cwd: root,
  swcrc: false,
  configFile: false,
  sourceMaps: true,
  jsc: {
    parser: { syntax: 'typescript', decorators: true },
    target: 'es2024',
    transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
  },
  module: { type: 'es6' },
};

function* sources(directory) {
  if (!existsSync(directory)) return;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) {
      if (entry.name !== 'node_modules' && entry.name !== 'console') yield* sources(path);
    } else if (
      entry.name.endsWith('.ts') &&
      !entry.name.endsWith('.spec.ts') &&
      !entry.name.endsWith('.d.ts')
    ) {
      yield path;
    }
  }
}

export async function build({ clean = false } = {}) {
  if (clean) rmSync(dist, { recursive: true, force: true });
  const wanted = new Set();
  const stale = [];
  for (const top of ['apps', 'libs', 'test', 'bench']) {
    for (const source of sources(join(root, top))) {
      const target = join(dist, relative(root, source)).replace(/\.ts$/, '.js');
      wanted.add(target);
      if (!existsSync(target) || statSync(target).mtimeMs < statSync(source).mtimeMs)
        stale.push([source, target]);
    }
  }
  await Promise.all(
    stale.map(async ([source, target]) => {
      const { code, map } = await transformFile(source, { ...options, sourceFileName: source });
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, `${code}\n//# sourceMappingURL=${target.split('/').pop()}.map\n`);
      if (map) writeFileSync(`${target}.map`, map);
    }),
  );
  removeOrphans(dist, wanted);
  return stale.length;
}

// A deleted source must not live on as a compiled module that something still imports.
function removeOrphans(directory, wanted) {
  if (!existsSync(directory)) return;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) removeOrphans(path, wanted);
    else if (path.endsWith('.js') && !wanted.has(path)) {
      rmSync(path, { force: true });
      rmSync(`${path}.map`, { force: true });
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const count = await build({ clean: process.argv.includes('--clean') });
  process.stderr.write(`compiled ${count} file${count === 1 ? '' : 's'} to dist/\n`);
}
