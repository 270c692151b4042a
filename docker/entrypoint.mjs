// Starts what the first argument names: a service, or the command line.
const [name = '', ...args] = process.argv.slice(2);
const services = ['audit', 'quote-verifier', 'key-release', 'witness', 'node-agent'];

if (services.includes(name)) {
  await import(`../dist/apps/${name}/src/main.js`);
} else {
  const { run } = await import('../dist/apps/cli/src/main.js');
  process.exitCode = await run(name === 'siegel' ? args : [name, ...args].filter((part) => part !== ''));
}
