/** One Intel security advisory as attestation names it. */
export interface AdvisoryMeaning {
  readonly id: string;
  readonly title: string;
  readonly action: string;
  readonly url: string;
}

const FIRMWARE =
  'Install the BIOS with the microcode that the advisory names; microcode loaded by the OS does not count.';

/**
 * Advisories whose remedy is not only "update". The first four as in Intel's support article 000057197, the three
 * of 2023.1 as in Intel's TCB recovery guidance of Q1 2023; the others by the names they are published under.
 */
const KNOWN: Readonly<Record<string, { title: string; action: string }>> = {
  'INTEL-SA-00161': {
    title: 'L1 terminal fault (Foreshadow)',
    action: 'Current microcode, and hyper-threading off in the BIOS.',
  },
  'INTEL-SA-00219': {
    title: 'Processor graphics',
    action:
      'Disable the integrated graphics in the BIOS, or handle memory in the enclave as Intel describes.',
  },
  'INTEL-SA-00289': {
    title: 'Voltage settings (Plundervolt)',
    action: 'Current BIOS, with the overclocking lock enabled.',
  },
  'INTEL-SA-00334': {
    title: 'Load value injection',
    action:
      'Build the enclave with the LVI mitigations of the toolchain; processors that are affected always report it.',
  },
  'INTEL-SA-00320': { title: 'Special register buffer data sampling (SRBDS)', action: FIRMWARE },
  'INTEL-SA-00615': {
    title: 'Processor MMIO stale data',
    action:
      'Current microcode, and an enclave built with the mitigations; processors that are affected always report it.',
  },
  'INTEL-SA-00657': { title: 'Stale data read from legacy xAPIC', action: FIRMWARE },
  'INTEL-SA-00730': { title: '3rd generation Xeon Scalable processors (2023.1)', action: FIRMWARE },
  'INTEL-SA-00738': { title: 'Xeon processors (2023.1)', action: FIRMWARE },
  'INTEL-SA-00767': { title: 'Processors (2023.1)', action: FIRMWARE },
  'INTEL-SA-00828': { title: 'Gather data sampling', action: FIRMWARE },
};

/** What is known of an advisory; of one that is not listed, where Intel publishes it. */
export function advisoryMeaning(id: string): AdvisoryMeaning {
  const known = KNOWN[id] ?? {
    title: 'Platform advisory',
    action: 'Read the advisory; as a rule it asks for a newer BIOS, microcode or platform software.',
  };
  return {
    id,
    ...known,
    url: `https://www.intel.com/content/www/us/en/security-center/advisory/${id.toLowerCase()}.html`,
  };
}
