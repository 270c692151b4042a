import type { TcbStatus } from '#dcap';
import type { SimulatedSgx } from '../simulated-sgx.js';
import {
  COMPONENT_STATUSES,
  PLATFORM_STATUSES,
  type ComponentStatus,
  type PlatformStatus,
} from '../tcb-documents.js';
import { valid, type Evidence, type Kind } from './evidence.js';

/** Genuine evidence of a platform in a certain state, and the status that must come out. */
export interface StatusCase {
  name: string;
  platformStatus: PlatformStatus;
  qeStatus: ComponentStatus;
  moduleStatus?: ComponentStatus;
  /** `Revoked` is a refusal with TCB_REVOKED; every other status verifies. */
  expectedStatus: TcbStatus;
  make(sgx: SimulatedSgx): Evidence;
}

type Column = 'OutOfDate' | 'Revoked' | 'UpToDate';

/**
 * What a component (quoting enclave, TDX module) makes of the status of the platform: Intel's verification library,
 * `convergeTcbStatuses`, written down as a table of its own so that it checks the one under test.
 */
const CONVERGED: Record<PlatformStatus, Record<Column, PlatformStatus>> = {
  UpToDate: { OutOfDate: 'OutOfDate', Revoked: 'Revoked', UpToDate: 'UpToDate' },
  SWHardeningNeeded: { OutOfDate: 'OutOfDate', Revoked: 'Revoked', UpToDate: 'SWHardeningNeeded' },
  ConfigurationNeeded: {
    OutOfDate: 'OutOfDateConfigurationNeeded',
    Revoked: 'Revoked',
    UpToDate: 'ConfigurationNeeded',
  },
  ConfigurationAndSWHardeningNeeded: {
    OutOfDate: 'OutOfDateConfigurationNeeded',
    Revoked: 'Revoked',
    UpToDate: 'ConfigurationAndSWHardeningNeeded',
  },
  OutOfDate: { OutOfDate: 'OutOfDate', Revoked: 'Revoked', UpToDate: 'OutOfDate' },
  OutOfDateConfigurationNeeded: {
    OutOfDate: 'OutOfDateConfigurationNeeded',
    Revoked: 'Revoked',
    UpToDate: 'OutOfDateConfigurationNeeded',
  },
  Revoked: { OutOfDate: 'Revoked', Revoked: 'Revoked', UpToDate: 'Revoked' },
};

function converged(platform: PlatformStatus, components: ComponentStatus[]): PlatformStatus {
  const worst: Column = components.includes('Revoked')
    ? 'Revoked'
    : components.includes('OutOfDate')
      ? 'OutOfDate'
      : 'UpToDate';
  return CONVERGED[platform][worst];
}

/** Platform × quoting enclave, for bodies without a module status (SGX, and TDX modules without a version). */
function platformAndQe(kind: Kind, moduleMajor?: number): StatusCase[] {
  return PLATFORM_STATUSES.flatMap((platformStatus) =>
    COMPONENT_STATUSES.map((qeStatus) => ({
      name: `status/platform ${platformStatus}, QE ${qeStatus}/${kind}${moduleMajor === undefined ? '' : ' without module version'}`,
      platformStatus,
      qeStatus,
      expectedStatus: converged(platformStatus, [qeStatus]),
      make: (sgx: SimulatedSgx) =>
        valid(sgx, kind, {
          platform: {
            tcbStatus: platformStatus,
            qeStatus,
            ...(moduleMajor === undefined ? {} : { moduleMajor }),
          },
        }),
    })),
  );
}

/** Platform × quoting enclave × TDX module. */
function platformQeAndModule(kind: Kind): StatusCase[] {
  return PLATFORM_STATUSES.flatMap((platformStatus) =>
    COMPONENT_STATUSES.flatMap((qeStatus) =>
      COMPONENT_STATUSES.map((moduleStatus) => ({
        name: `status/platform ${platformStatus}, QE ${qeStatus}, module ${moduleStatus}/${kind}`,
        platformStatus,
        qeStatus,
        moduleStatus,
        expectedStatus: converged(platformStatus, [qeStatus, moduleStatus]),
        make: (sgx: SimulatedSgx) =>
          valid(sgx, kind, { platform: { tcbStatus: platformStatus, qeStatus, moduleStatus } }),
      })),
    ),
  );
}

const OUTDATED: readonly string[] = ['OutOfDate', 'OutOfDateConfigurationNeeded'];
const GOOD: readonly string[] = [
  'UpToDate',
  'SWHardeningNeeded',
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
];

/** Intel's `TDRelaunchCheck`: launched on an outdated TCB, which has been updated under the running TD. */
function relaunched(launch: PlatformStatus, current: PlatformStatus): TcbStatus {
  if (!OUTDATED.includes(launch) || !GOOD.includes(current)) return launch;
  const configuration = launch.includes('Configuration') || current.includes('Configuration');
  return configuration ? 'TDRelaunchAdvisedConfigurationNeeded' : 'TDRelaunchAdvised';
}

const relaunch: StatusCase[] = PLATFORM_STATUSES.flatMap((launch) =>
  PLATFORM_STATUSES.map((current) => ({
    name: `status/launched ${launch}, now ${current}/td15-v5`,
    platformStatus: launch,
    qeStatus: 'UpToDate' as const,
    moduleStatus: 'UpToDate' as const,
    expectedStatus: relaunched(launch, current),
    make: (sgx: SimulatedSgx) =>
      valid(sgx, 'td15-v5', { platform: { tdxStatus: launch, currentTdxStatus: current } }),
  })),
);

export const STATUS_CASES: StatusCase[] = [
  ...(['sgx-v3', 'sgx-v4', 'sgx-v5'] as const).flatMap((kind) => platformAndQe(kind)),
  ...(['tdx-v4', 'td15-v5'] as const).flatMap((kind) => platformAndQe(kind, 0)),
  ...(['tdx-v4', 'td10-v5', 'td15-v5'] as const).flatMap(platformQeAndModule),
  ...relaunch,
];
