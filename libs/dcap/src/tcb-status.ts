/** The status of a TCB, as Intel's TCB info spells it, and the two that follow from a TDX module update. */
export type TcbStatus =
  | 'UpToDate'
  | 'SWHardeningNeeded'
  | 'ConfigurationNeeded'
  | 'ConfigurationAndSWHardeningNeeded'
  | 'OutOfDate'
  | 'OutOfDateConfigurationNeeded'
  | 'TDRelaunchAdvised'
  | 'TDRelaunchAdvisedConfigurationNeeded'
  | 'Revoked';

/** The statuses that a platform level of TCB info may carry (PCS API v4, TCB info). */
export type PlatformStatus = Exclude<TcbStatus, 'TDRelaunchAdvised' | 'TDRelaunchAdvisedConfigurationNeeded'>;

/** The statuses that a level of QE identity or of a TDX module may carry. */
export type ComponentStatus = 'UpToDate' | 'OutOfDate' | 'Revoked';

const PLATFORM: readonly string[] = [
  'UpToDate',
  'SWHardeningNeeded',
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
  'OutOfDate',
  'OutOfDateConfigurationNeeded',
  'Revoked',
] satisfies PlatformStatus[];

const COMPONENT: readonly string[] = ['UpToDate', 'OutOfDate', 'Revoked'] satisfies ComponentStatus[];

export function isPlatformStatus(text: string): text is PlatformStatus {
  return PLATFORM.includes(text);
}

export function isComponentStatus(text: string): text is ComponentStatus {
  return COMPONENT.includes(text);
}

/** What an out-of-date quoting enclave or TDX module makes of each platform status. */
const WITH_OUT_OF_DATE_COMPONENT: Readonly<Record<PlatformStatus, PlatformStatus>> = {
  UpToDate: 'OutOfDate',
  SWHardeningNeeded: 'OutOfDate',
  ConfigurationNeeded: 'OutOfDateConfigurationNeeded',
  ConfigurationAndSWHardeningNeeded: 'OutOfDateConfigurationNeeded',
  OutOfDate: 'OutOfDate',
  OutOfDateConfigurationNeeded: 'OutOfDateConfigurationNeeded',
  Revoked: 'Revoked',
};

/** The status of the whole from the platform's and its components' (Intel QVL, convergeTcbStatuses). */
export function convergeStatuses(
  platform: PlatformStatus,
  components: readonly ComponentStatus[],
): PlatformStatus {
  if (platform === 'Revoked' || components.includes('Revoked')) return 'Revoked';
  return components.includes('OutOfDate') ? WITH_OUT_OF_DATE_COMPONENT[platform] : platform;
}

/**
 * TD 1.5: a TD that was launched on an out-of-date TDX module which has been updated since needs only a relaunch
 * (Intel QVL, TDRelaunchCheck). `current` is absent if the running module matches no level.
 */
export function applyRelaunch(launch: PlatformStatus, current: PlatformStatus | undefined): TcbStatus {
  const launchOutOfDate = launch === 'OutOfDate' || launch === 'OutOfDateConfigurationNeeded';
  const currentGood =
    current !== undefined &&
    current !== 'OutOfDate' &&
    current !== 'OutOfDateConfigurationNeeded' &&
    current !== 'Revoked';
  if (!launchOutOfDate || !currentGood) return launch;
  const configuration = launch.includes('Configuration') || current.includes('Configuration');
  return configuration ? 'TDRelaunchAdvisedConfigurationNeeded' : 'TDRelaunchAdvised';
}
