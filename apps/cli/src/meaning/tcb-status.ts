/** What a TCB status says about a platform, and what its owner and its relying party can do. */
export interface StatusMeaning {
  readonly meaning: string;
  readonly action: string;
}

/**
 * The statuses of Intel's TCB info, of QE identity, and the two that follow a TDX module update (Intel PCS API v4;
 * Intel QVL, TDRelaunchCheck).
 */
export const STATUS_MEANINGS: Readonly<Record<string, StatusMeaning>> = {
  UpToDate: {
    meaning: 'The platform runs the newest firmware and microcode that this collateral knows.',
    action: 'Nothing to do.',
  },
  SWHardeningNeeded: {
    meaning:
      'The platform is patched, but the hardware has a weakness that only the enclave’s own code can close. The quote cannot show whether it does.',
    action:
      'Build the enclave with the mitigations of the advisories, raise its ISVSVN, and accept this status for that ISVSVN. On many processors no better status exists.',
  },
  ConfigurationNeeded: {
    meaning: 'The platform is patched, but a BIOS setting leaves it weaker than it could be.',
    action:
      'Change the settings that the advisories name (hyper-threading, integrated graphics, overclocking lock), or accept the risk by policy.',
  },
  ConfigurationAndSWHardeningNeeded: {
    meaning:
      'Both: a BIOS setting leaves the platform weaker than it could be, and the enclave’s own code must close a hardware weakness.',
    action:
      'Change the settings that the advisories name and build the enclave with the mitigations; raise its ISVSVN.',
  },
  OutOfDate: {
    meaning: 'The platform, its quoting enclave or its TDX module lacks security updates.',
    action:
      'Update BIOS, microcode, SGX/TDX platform software; in a cloud, move to a patched host. Until then only a policy that names this status lets it pass.',
  },
  OutOfDateConfigurationNeeded: {
    meaning: 'Security updates are missing, and a BIOS setting leaves the platform weaker than it could be.',
    action: 'Update BIOS, microcode and platform software, and change the settings that the advisories name.',
  },
  TDRelaunchAdvised: {
    meaning:
      'The TDX module was updated after this TD was launched: the host is good now, the TD still carries the old measurement.',
    action: 'Launch the TD again.',
  },
  TDRelaunchAdvisedConfigurationNeeded: {
    meaning:
      'The TDX module was updated after this TD was launched, and a BIOS setting leaves the platform weaker than it could be.',
    action: 'Change the settings that the advisories name, then launch the TD again.',
  },
  Revoked: {
    meaning: 'Keys or software of this TCB level are known to be compromised; its quotes prove nothing.',
    action: 'Do not trust the platform. Update it, provision it again, and rotate every secret that it had.',
  },
};

/** The meaning of a debug enclave or TD, which is independent of the TCB. */
export const DEBUG_MEANING: StatusMeaning = {
  meaning: 'Debug mode: the host can read and change the memory of this enclave or TD.',
  action: 'Give it no real secret. Build and sign the production variant.',
};
