import { chainPem, type CollateralOptions, type SimulatedBundle } from '../collateral.js';
import { intelName, NAMES, reissue, type IssuedCertificate } from '../certificate.js';
import {
  COMMON_FAULTS,
  END_ENTITY_FAULTS,
  INTERMEDIATE_FAULTS,
  namesOtherThan,
  ROOT_FAULTS,
  selfMadeChain,
  signedBy,
  withKey,
} from './certificate-faults.js';
import { bundleCase, collateralCase, type BrokenCase, type Scene } from './evidence.js';
import { PEM_FAULTS } from './pem-faults.js';

/** The three chains of a bundle; the first certificate signs the documents or the PCK CRL, the second is the root. */
interface ChainSlot {
  name: string;
  option: 'tcbInfoChain' | 'qeIdentityChain' | 'pckCrlChain';
  field: keyof SimulatedBundle;
  chain(made: Scene): [IssuedCertificate, IssuedCertificate];
}

const signers = ({ sgx }: Scene): [IssuedCertificate, IssuedCertificate] => [sgx.pki.tcbSigner, sgx.pki.root];
const SLOTS: ChainSlot[] = [
  { name: 'TCB info chain', option: 'tcbInfoChain', field: 'tcb_info_issuer_chain', chain: signers },
  { name: 'QE identity chain', option: 'qeIdentityChain', field: 'qe_identity_issuer_chain', chain: signers },
  {
    name: 'PCK CRL chain',
    option: 'pckCrlChain',
    field: 'pck_crl_issuer_chain',
    chain: ({ sgx, platform }) => [sgx.pki[platform.ca], sgx.pki.root],
  },
];

function slotCases(slot: ChainSlot): BrokenCase[] {
  const isSigner = slot.option !== 'pckCrlChain';
  const chainOf =
    (build: (leaf: IssuedCertificate, root: IssuedCertificate, made: Scene) => IssuedCertificate[]) =>
    (made: Scene): CollateralOptions => ({ [slot.option]: build(...slot.chain(made), made) });
  const area = `collateral-chain/${slot.name}`;
  const leafFaults = isSigner
    ? [...COMMON_FAULTS, ...END_ENTITY_FAULTS, ...namesOtherThan(NAMES.tcbSigner)]
    : [...COMMON_FAULTS, ...INTERMEDIATE_FAULTS];
  return [
    ...leafFaults.map(({ what, code, edit }) =>
      collateralCase(
        `${area}: first certificate: ${what}`,
        code,
        chainOf((leaf, root, made) => [edit(leaf, made.sgx.now()), root]),
      ),
    ),
    ...[...COMMON_FAULTS, ...ROOT_FAULTS].map(({ what, code, edit }) =>
      collateralCase(
        `${area}: root: ${what}`,
        code,
        chainOf((leaf, root, made) => [leaf, edit(root, made.sgx.now())]),
      ),
    ),
    collateralCase(
      `${area}: without the root`,
      'CERT_CHAIN_LENGTH',
      chainOf((leaf) => [leaf]),
    ),
    collateralCase(
      `${area}: the root alone`,
      'CERT_CHAIN_LENGTH',
      chainOf((_, root) => [root]),
    ),
    collateralCase(
      `${area}: three certificates`,
      'CERT_CHAIN_LENGTH',
      chainOf((leaf, root) => [leaf, root, root]),
    ),
    collateralCase(
      `${area}: the root twice`,
      'CERT_ROLE_INVALID',
      chainOf((_, root) => [root, root]),
    ),
    collateralCase(
      `${area}: the first twice`,
      'CERT_ROLE_INVALID',
      chainOf((leaf) => [leaf, leaf]),
    ),
    collateralCase(
      `${area}: signed by a stranger`,
      'CERT_SIGNATURE_INVALID',
      chainOf((leaf, root, made) => [signedBy(leaf, made.strangerKey), root]),
    ),
    collateralCase(
      `${area}: issued by the other CA`,
      'CERT_ISSUER_MISMATCH',
      chainOf((leaf, root) => [reissue(leaf, { issuer: intelName(NAMES.processor) }), root]),
    ),
    collateralCase(
      `${area}: self-made root`,
      'ROOT_NOT_TRUSTED',
      chainOf((leaf, root, made) => selfMadeChain([leaf, root], (label) => made.sgx.pki.key(label))),
    ),
    ...PEM_FAULTS.map(({ what, code, edit }) =>
      bundleCase(`${area}: PEM: ${what}`, code, (bundle, made) => ({
        ...bundle,
        [slot.field]: edit(chainPem(slot.chain(made))),
      })),
    ),
  ];
}

/** A certificate of one role in the place of another. */
const roles: BrokenCase[] = [
  ...(['tcbInfo', 'qeIdentity'] as const).flatMap((document) => [
    collateralCase(`collateral-chain/${document} signed by a PCK`, 'CERT_CHAIN_LENGTH', (made) => ({
      [`${document}Key`]: made.pckKey,
      [`${document}Chain`]: [made.platform.pck, made.sgx.pki.platform, made.sgx.pki.root],
    })),
    collateralCase(
      `collateral-chain/${document} signed by a PCK without its CA`,
      'CERT_ROLE_INVALID',
      (made) => ({
        [`${document}Key`]: made.pckKey,
        [`${document}Chain`]: [made.platform.pck, made.sgx.pki.root],
      }),
    ),
    collateralCase(`collateral-chain/${document} signed by the PCK CA`, 'CERT_ROLE_INVALID', (made) => ({
      [`${document}Key`]: made.sgx.pki.platform.key,
      [`${document}Chain`]: [made.sgx.pki.platform, made.sgx.pki.root],
    })),
    collateralCase(`collateral-chain/${document} signed by the root`, 'CERT_CHAIN_LENGTH', (made) => ({
      [`${document}Key`]: made.sgx.pki.root.key,
      [`${document}Chain`]: [made.sgx.pki.root],
    })),
    collateralCase(
      `collateral-chain/${document} by a signer under the PCK CA`,
      'CERT_CHAIN_LENGTH',
      (made) => {
        const { platform, root, tcbSigner } = made.sgx.pki;
        const own = withKey(tcbSigner, made.strangerKey, {
          issuer: platform.profile.subject,
          signer: platform.key,
        });
        return { [`${document}Key`]: made.strangerKey, [`${document}Chain`]: [own, platform, root] };
      },
    ),
    collateralCase(
      `collateral-chain/${document} by a signer that the PCK CA signed`,
      'CERT_SIGNATURE_INVALID',
      (made) => {
        const { platform, root, tcbSigner } = made.sgx.pki;
        const own = withKey(tcbSigner, made.strangerKey, { signer: platform.key });
        return { [`${document}Key`]: made.strangerKey, [`${document}Chain`]: [own, root] };
      },
    ),
  ]),
  collateralCase('collateral-chain/PCK CRL chain of the TCB signer', 'CERT_ROLE_INVALID', (made) => ({
    pckCrlChain: [made.sgx.pki.tcbSigner, made.sgx.pki.root],
  })),
];

export const COLLATERAL_CHAIN_CASES: BrokenCase[] = [...SLOTS.flatMap(slotCases), ...roles];
