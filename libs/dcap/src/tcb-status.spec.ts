import { describe, expect, it } from '@jest/globals';
import { applyRelaunch, convergeStatuses, isComponentStatus, isPlatformStatus } from './tcb-status.js';
import type { ComponentStatus, PlatformStatus } from './tcb-status.js';

// Intel QVL, convergeTcbStatuses: platform level | a component OutOfDate | a component Revoked | all UpToDate.
const TABLE: [PlatformStatus, PlatformStatus, PlatformStatus, PlatformStatus][] = [
  ['UpToDate', 'OutOfDate', 'Revoked', 'UpToDate'],
  ['SWHardeningNeeded', 'OutOfDate', 'Revoked', 'SWHardeningNeeded'],
  ['ConfigurationNeeded', 'OutOfDateConfigurationNeeded', 'Revoked', 'ConfigurationNeeded'],
  [
    'ConfigurationAndSWHardeningNeeded',
    'OutOfDateConfigurationNeeded',
    'Revoked',
    'ConfigurationAndSWHardeningNeeded',
  ],
  ['OutOfDate', 'OutOfDate', 'Revoked', 'OutOfDate'],
  ['OutOfDateConfigurationNeeded', 'OutOfDateConfigurationNeeded', 'Revoked', 'OutOfDateConfigurationNeeded'],
  ['Revoked', 'Revoked', 'Revoked', 'Revoked'],
];
const COMPONENTS: ComponentStatus[] = ['UpToDate', 'OutOfDate', 'Revoked'];

describe('convergeStatuses', () => {
  it.each(TABLE)('%s', (platform, outOfDate, revoked, upToDate) => {
    for (const qe of COMPONENTS) {
      for (const module of [undefined, ...COMPONENTS]) {
        const components = module === undefined ? [qe] : [qe, module];
        const expected = components.includes('Revoked')
          ? revoked
          : components.includes('OutOfDate')
            ? outOfDate
            : upToDate;
        expect(convergeStatuses(platform, components)).toBe(expected);
      }
    }
  });
});

describe('applyRelaunch', () => {
  const statuses = TABLE.map(([platform]) => platform);
  const good: PlatformStatus[] = [
    'UpToDate',
    'SWHardeningNeeded',
    'ConfigurationNeeded',
    'ConfigurationAndSWHardeningNeeded',
  ];

  it('keeps the status at launch but for an update of the module that helps', () => {
    for (const launch of statuses) {
      for (const current of [undefined, ...statuses]) {
        const helps = launch.startsWith('OutOfDate') && current !== undefined && good.includes(current);
        const advised = `${launch}${current ?? ''}`.includes('Configuration')
          ? 'TDRelaunchAdvisedConfigurationNeeded'
          : 'TDRelaunchAdvised';
        expect(applyRelaunch(launch, current)).toBe(helps ? advised : launch);
      }
    }
  });
});

describe('the vocabulary', () => {
  it('is closed', () => {
    expect(['UpToDate', 'Revoked', 'OutOfDateConfigurationNeeded'].every(isPlatformStatus)).toBe(true);
    expect(['uptodate', 'TDRelaunchAdvised', '', '__proto__'].some(isPlatformStatus)).toBe(false);
    expect(['SWHardeningNeeded', 'ConfigurationNeeded'].some(isComponentStatus)).toBe(false);
  });
});
