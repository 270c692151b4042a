import { afterAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import {
  ConfigurationFileError,
  configuredBy,
  MAX_CONFIGURATION_BYTES,
  readConfigurationFile,
  readConfigurationText,
} from './configuration-file.js';
import { ConfigurationError } from './environment.js';

const folder = mkdtempSync(join(tmpdir(), 'siegel-configuration-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const write = (content: string): string => {
  const file = join(folder, 'settings.json');
  writeFileSync(file, content);
  return file;
};
const Settings = z.strictObject({ ports: z.array(z.number()).min(1) });

describe('a configuration file', () => {
  it('is read whole, up to its bound', () => {
    expect(readConfigurationFile(Settings, write('{"ports":[1]}'))).toEqual({ ports: [1] });
    const longest = 'ü'.repeat(MAX_CONFIGURATION_BYTES / 2);
    expect(readConfigurationText(write(longest))).toBe(longest);
    expect(readConfigurationText(write(''))).toBe('');
  });

  it.each([
    ['larger', ' '.repeat(MAX_CONFIGURATION_BYTES + 1), /settings\.json: larger than 1048576 bytes$/],
    ['not JSON', '{"ports":[hunter2]}', /settings\.json is not JSON$/],
    ['of another shape', '[]', /settings\.json: the whole file: /],
    ['wrong in a member', '{"ports":[1,"x"]}', /settings\.json: ports\.1: /],
    ['misspelt', '{"ports":[1],"prots":[2]}', /settings\.json: the whole file: .*prots/],
  ])('is refused where it is %s, with its name and the place', (_what, content, message) => {
    const file = write(content);
    expect(() => readConfigurationFile(Settings, file)).toThrow(ConfigurationFileError);
    expect(() => readConfigurationFile(Settings, file)).toThrow(message);
  });

  it('is refused where it is missing, a folder, or without end', () => {
    expect(() => readConfigurationText(join(folder, 'none.json'))).toThrow(/none\.json: ENOENT/);
    expect(() => readConfigurationText(folder)).toThrow(/EISDIR/);
    expect(() => readConfigurationText('/dev/zero')).toThrow(/\/dev\/zero: larger than/);
  });

  it('has the variable that names it in front of everything', () => {
    const read = () => configuredBy('SIEGEL_X_FILE', () => readConfigurationFile(Settings, write('{}')));
    expect(read).toThrow(ConfigurationError);
    expect(read).toThrow(/^SIEGEL_X_FILE: .*settings\.json: ports: /);
    expect(configuredBy('SIEGEL_X_FILE', () => 1)).toBe(1);
    const own = new ConfigurationError([{ variable: 'SIEGEL_Y', message: 'is wrong' }]);
    expect(() =>
      configuredBy('SIEGEL_X_FILE', () => {
        throw own;
      }),
    ).toThrow(own);
  });
});
