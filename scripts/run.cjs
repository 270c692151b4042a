#!/usr/bin/env node
// The one entry of every npm script. It runs on the old Node of a fresh machine (no dependency, no new syntax),
// installs what the lockfile says if that is not there yet, and goes on under the pinned Node 24.
'use strict';
var childProcess = require('child_process');
var crypto = require('crypto');
var fs = require('fs');
var path = require('path');

var root = path.resolve(__dirname, '..');
var modules = path.join(root, 'node_modules');
var stamp = path.join(modules, '.siegel-lockfile-sha256');

function lockDigest() {
  return crypto
    .createHash('sha256')
    .update(fs.readFileSync(path.join(root, 'package-lock.json')))
    .digest('hex');
}

function installed() {
  try {
    return fs.readFileSync(stamp, 'utf8').trim() === lockDigest();
  } catch (error) {
    return false;
  }
}

// Two commands started at once in a fresh clone must not install into each other. The file names its owner, so that the lock of a
// process that was killed is not waited for.
function withInstallLock(action) {
  var lock = path.join(root, '.siegel-install.lock');
  var deadline = Date.now() + 15 * 60 * 1000;
  while (!tryLock(lock)) {
    if (!ownerLives(lock)) {
      fs.rmSync(lock, { force: true });
    } else if (Date.now() > deadline) {
      fail('another process is installing for more than 15 minutes; if it is not, remove ' + lock + '.');
    } else {
      childProcess.spawnSync(process.execPath, ['-e', 'setTimeout(function () {}, 500)']);
    }
  }
  process.on('exit', function () {
    fs.rmSync(lock, { force: true });
  });
  action();
  fs.rmSync(lock, { force: true });
}

function tryLock(lock) {
  try {
    fs.writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return false;
  }
}

function ownerLives(lock) {
  try {
    process.kill(Number(fs.readFileSync(lock, 'utf8')) || -1, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function install() {
  process.stderr.write('Installing the locked dependencies (once; about a minute) ...\n');
  var npmCli = process.env.npm_execpath;
  var args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  var useCli = npmCli && /npm-cli\.js$/.test(npmCli) && fs.existsSync(npmCli);
  var result = childProcess.spawnSync(
    useCli ? process.execPath : 'npm',
    useCli ? [npmCli].concat(args) : args,
    {
      cwd: root,
      // stdout belongs to the command that asked for the installation: it may be printing one JSON object.
      stdio: ['ignore', 2, 2],
      env: process.env,
    },
  );
  if (result.error)
    fail(
      'npm could not be started: ' + result.error.message + '. Install npm (on Debian: apt-get install npm).',
    );
  if (result.status !== 0) fail('npm ci failed (status ' + result.status + '); its messages are above.');
  fs.writeFileSync(stamp, lockDigest() + '\n');
}

function fail(message) {
  process.stderr.write('siegel: ' + message + '\n');
  process.exit(1);
}

function pinnedNode() {
  var packaged = path.join(modules, 'node-linux-' + process.arch, 'bin', 'node');
  if (process.platform === 'linux' && fs.existsSync(packaged)) return packaged;
  var version = process.versions.node.split('.').map(Number);
  if (version[0] > 24 || (version[0] === 24 && version[1] >= 15)) return process.execPath;
  return fail(
    'Node 24.15 or newer is needed and no packaged one fits ' +
      process.platform +
      '-' +
      process.arch +
      '; install Node 24 and run the command again.',
  );
}

function main(argv) {
  if (!installed()) {
    withInstallLock(function () {
      if (!installed()) install();
    });
  }
  var node = pinnedNode();
  var bin = path.dirname(node);
  var child = childProcess.spawn(node, [path.join(__dirname, 'commands.mjs')].concat(argv), {
    cwd: process.env.SIEGEL_KEEP_CWD ? process.cwd() : root,
    stdio: 'inherit',
    env: Object.assign({}, process.env, {
      PATH: bin + path.delimiter + path.join(modules, '.bin') + path.delimiter + (process.env.PATH || ''),
    }),
  });
  ['SIGINT', 'SIGTERM', 'SIGHUP'].forEach(function (signal) {
    process.on(signal, function () {
      // A terminal's Ctrl-C reaches the child by itself; a signal to this process alone does not.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  });
  child.on('exit', function (code, signal) {
    if (signal) {
      process.exitCode = 128 + (require('os').constants.signals[signal] || 0);
    } else {
      process.exitCode = code;
    }
  });
}

if (require.main === module) main(process.argv.slice(2));
module.exports = { main: main };
