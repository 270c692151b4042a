import { describe, expect, it } from '@jest/globals';
import { appConfigId, serialiseAppConfig } from '../index.js';
import { RECORDED_APP_CONFIGS } from './app-config-recordings.js';

describe('identifiers of application configurations', () => {
  it.each(RECORDED_APP_CONFIGS)('%s, as the manager gave it', (id, config) => {
    expect(appConfigId(config).toString('hex')).toBe(id);
  });

  it('change with every byte of what they commit to', () => {
    const [[id, config]] = RECORDED_APP_CONFIGS as [(typeof RECORDED_APP_CONFIGS)[0]];
    const changed = [
      { ...config, labels: { ...config.labels, more: '' } },
      { ...config, zone_ca: [] },
      { ...config, workflow: undefined },
      { ...config, app_config: { ...config.app_config, '/empty': {} } },
    ];
    for (const one of changed) expect(appConfigId(one).toString('hex')).not.toBe(id);
  });
});

describe('the text that is hashed', () => {
  const config = { app_config: {}, labels: {}, zone_ca: [] };

  it('keeps keys that look like numbers in the order of their bytes', () => {
    const labels = { b: '', '10': '', '9': '', a: '' };
    expect(serialiseAppConfig({ ...config, labels })).toBe(
      '{"app_config":{},"labels":{"10":"","9":"","a":"","b":""},"zone_ca":[]}',
    );
  });

  it('sorts by UTF-8, not by UTF-16', () => {
    const text = serialiseAppConfig({ ...config, labels: { '\u{1F511}': '', '\uFF5E': '' } });
    expect(text.indexOf('\uFF5E')).toBeLessThan(text.indexOf('\u{1F511}'));
  });

  it('has each authority once, sorted, and escapes as the client does', () => {
    const text = serialiseAppConfig({
      ...config,
      zone_ca: ['b', 'a', 'b'],
      app_config: { '/"\\\n\u0001\u007f\u2028': { contents: '' } },
    });
    expect(text).toBe(
      '{"app_config":{"/\\"\\\\\\n\\u0001\u007f\u2028":{"contents":""}},"labels":{},"zone_ca":["a","b"]}',
    );
  });

  it('leaves out what is absent', () => {
    const workflow = { workflow_id: 'AA', app_name: 'n', port_map: { p: { d: { application: {} } } } };
    expect(serialiseAppConfig({ ...config, app_config: { f: {} }, workflow })).toBe(
      '{"app_config":{"f":{}},"labels":{},"zone_ca":[],"workflow":{"workflow_id":"aa","app_name":"n",' +
        '"port_map":{"p":{"d":{"application":{}}}}}}',
    );
  });
});
