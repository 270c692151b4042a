import { describe, expect, it } from '@jest/globals';
import { readCoordinatorSettings, SettingsError } from './settings.js';

describe('the variables of a MarbleRun coordinator', () => {
  it('have the defaults of upstream', () => {
    expect(readCoordinatorSettings({}, '/somewhere')).toEqual({
      meshPort: 2001,
      clientPort: 4433,
      host: '0.0.0.0',
      names: ['localhost'],
      sealDir: '/somewhere/marblerun-coordinator-data',
      startupManifest: undefined,
    });
  });

  it('are read as Go reads addresses', () => {
    const read = readCoordinatorSettings(
      {
        EDG_COORDINATOR_MESH_ADDR: 'localhost:25301',
        EDG_COORDINATOR_CLIENT_ADDR: 'localhost:25302',
        EDG_COORDINATOR_DNS_NAMES: 'localhost, a.example,10.0.0.1',
        EDG_COORDINATOR_SEAL_DIR: 'seal',
        EDG_STARTUP_MANIFEST: 'manifest.json',
      },
      '/w',
    );
    expect(read).toEqual({
      meshPort: 25301,
      clientPort: 25302,
      host: '127.0.0.1',
      names: ['localhost', 'a.example', '10.0.0.1'],
      sealDir: '/w/seal',
      startupManifest: '/w/manifest.json',
    });
    const six = { EDG_COORDINATOR_MESH_ADDR: '[::1]:1', EDG_COORDINATOR_CLIENT_ADDR: '[::1]:2' };
    expect(readCoordinatorSettings(six, '/').host).toBe('::1');
  });

  it.each([
    [{ EDG_COORDINATOR_MESH_ADDR: 'localhost' }, /EDG_COORDINATOR_MESH_ADDR="localhost" is not HOST:PORT/],
    [{ EDG_COORDINATOR_CLIENT_ADDR: ':0' }, /EDG_COORDINATOR_CLIENT_ADDR/],
    [{ EDG_COORDINATOR_CLIENT_ADDR: ':65536' }, /EDG_COORDINATOR_CLIENT_ADDR/],
    [
      { EDG_COORDINATOR_CLIENT_ADDR: '10.0.0.1:1', EDG_COORDINATOR_MESH_ADDR: '10.0.0.2:1' },
      /different hosts/,
    ],
  ])('%j is refused by name', (env, message) => {
    const read = () => readCoordinatorSettings(env, '/');
    expect(read).toThrow(SettingsError);
    expect(read).toThrow(message);
  });
});
