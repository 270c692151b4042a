import type { Importer } from './importer.js';
import { AKV_POLICY } from './akv-policy.js';
import { ANJUNA_AUTHORIZE } from './anjuna-authorize.js';
import { ANJUNA_MANIFEST } from './anjuna-manifest.js';
import { FORTANIX_BUILDS } from './fortanix-builds.js';
import { GRAMINE_ENV } from './gramine-env.js';
import { GSC_INFO_IMAGE } from './gsc-info-image.js';
import { MAA_POLICY } from './maa-policy.js';
import { MARBLERUN_MANIFEST } from './marblerun-manifest.js';
import { SCONE_SESSION } from './scone-session.js';
import { SIGSTRUCT } from './sigstruct-file.js';
import { SIGSTRUCT_VIEW } from './sigstruct-view.js';
import { TRUSTEE_POLICY } from './trustee-policy.js';

/** The kinds of files that become a manifest: one line each, one file each. */
export const IMPORTERS: Readonly<Record<string, Importer>> = {
  'akv-policy': AKV_POLICY,
  'anjuna-authorize': ANJUNA_AUTHORIZE,
  'anjuna-manifest': ANJUNA_MANIFEST,
  'fortanix-builds': FORTANIX_BUILDS,
  'gramine-env': GRAMINE_ENV,
  'gramine-sigstruct-view': SIGSTRUCT_VIEW,
  'gsc-info-image': GSC_INFO_IMAGE,
  'maa-policy': MAA_POLICY,
  marblerun: MARBLERUN_MANIFEST,
  'scone-session': SCONE_SESSION,
  sigstruct: SIGSTRUCT,
  'trustee-policy': TRUSTEE_POLICY,
};
