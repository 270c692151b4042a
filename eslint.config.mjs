import js from '@eslint/js';
import tseslint from 'typescript-eslint';
import prettier from 'eslint-config-prettier';
import globals from 'globals';

// The dependency rule: apps -> libs; libs never import apps; apps never import each other;
// pure libs import neither Nest, nor I/O, nor libs/platform.
const PURE = ['dcap', 'evidence', 'policy', 'transparency', 'auditor', 'relying-party'];
const IO_MODULES = [
  'fs',
  'fs/promises',
  'net',
  'tls',
  'http',
  'https',
  'http2',
  'dgram',
  'dns',
  'child_process',
  'worker_threads',
  'cluster',
  'sqlite',
];
const io = IO_MODULES.flatMap((name) => [name, `node:${name}`]);
const toApps = { regex: '(^|/)apps/', message: 'Libraries never import applications.' };
const deep = { regex: '^#[a-z-]+/', message: "Import a library by its public face, '#name'." };
const relativeLib = { regex: '\\.\\./.*libs/', message: "Import a library by its public face, '#name'." };

const restrict = (patterns, paths = []) => ({ 'no-restricted-imports': ['error', { patterns, paths }] });

export default tseslint.config(
  { ignores: ['dist/**', 'node_modules/**', '.siegel/**', 'coverage/**'] },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    languageOptions: { globals: globals.node },
    rules: {
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-exports': 'off',
      '@typescript-eslint/no-require-imports': 'off',
      eqeqeq: 'error',
      'no-console': 'off',
    },
  },
  {
    files: ['libs/**/*.ts'],
    ignores: ['libs/**/*.spec.ts'],
    rules: restrict([
      toApps,
      deep,
      relativeLib,
      { regex: '^#simulator$', message: 'Only tests, the CLI and the simulation profile use the simulator.' },
    ]),
  },
  {
    files: PURE.map((name) => `libs/${name}/src/**/*.ts`),
    ignores: ['libs/**/*.spec.ts'],
    rules: restrict(
      [
        toApps,
        deep,
        relativeLib,
        { regex: '^@nestjs/', message: 'This library is pure: it knows nothing of Nest.' },
        { regex: '^@(nats-io|azure)/', message: 'This library is pure: it does no I/O.' },
        { regex: '^#(platform|simulator|vault)$', message: 'This library is pure: it knows no service.' },
      ],
      io.map((name) => ({ name, message: 'This library is pure: it does no I/O.' })),
    ),
  },
  {
    // Relying parties take this library alone.
    files: ['libs/relying-party/src/**/*.ts'],
    ignores: ['libs/**/*.spec.ts'],
    rules: restrict(
      [
        {
          regex: '^[^.n]|^n(?!ode:)',
          message: 'This library is publishable alone: it imports node:crypto and itself.',
        },
      ],
      io.map((name) => ({ name, message: 'This library is pure: it does no I/O.' })),
    ),
  },
  {
    files: ['apps/**/*.ts'],
    ignores: ['apps/**/*.spec.ts'],
    rules: restrict([deep, relativeLib]),
  },
  ...['quote-verifier', 'key-release', 'audit', 'witness', 'cli', 'node-agent'].map((app) => ({
    files: [`apps/${app}/**/*.ts`],
    ignores: ['apps/**/*.spec.ts'],
    rules: restrict([
      deep,
      relativeLib,
      {
        regex: `(^|/)(quote-verifier|key-release|audit|witness|cli|node-agent)/src`,
        message: 'Applications know each other only through libs/contracts.',
      },
      ...(app === 'cli'
        ? []
        : [{ regex: '^#simulator$', message: 'A service never contains the simulator.' }]),
    ]),
  })),
  // One wrapper knows nothing of another, only the release pipeline's interface; its own subfolders know each other.
  ...[0, 1].map((depth) => ({
    files: [`apps/key-release/src/wrappers/*/${'*/'.repeat(depth)}*.ts`],
    ignores: ['apps/**/*.spec.ts'],
    rules: restrict([
      deep,
      relativeLib,
      { regex: '^#simulator$', message: 'A service never contains the simulator.' },
      {
        regex: `^${'\\.\\./'.repeat(depth + 1)}(?!\\.\\./)[a-z0-9-]+/`,
        message: 'A wrapper never imports another wrapper.',
      },
    ]),
  })),
  {
    // These run on the old Node of a fresh machine: syntax of 2015 and no newer.
    files: ['**/*.cjs'],
    languageOptions: { sourceType: 'commonjs' },
    rules: {
      'no-var': 'off',
      'prefer-const': 'off',
      'no-redeclare': ['error', { builtinGlobals: false }],
      'preserve-caught-error': 'off',
      'no-useless-assignment': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { caughtErrors: 'none' }],
    },
  },
  prettier,
);
