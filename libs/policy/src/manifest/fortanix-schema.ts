import { z } from 'zod';
import { FORMATS } from './formats.js';
import { list, prose, text } from './schema-parts.js';

/** Where clients of EnclaveOS accept the files of a configuration. */
export const FORTANIX_FILES = '/opt/fortanix/enclave-os/app-config/rw/';

const uuid = (): z.ZodString =>
  z
    .string()
    .regex(/^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/)
    .describe('a UUID');
/** A name that becomes part of a path on the enclave's side. */
const name = (): z.ZodString => z.string().regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/);
const owner = { acct_id: uuid().optional(), group_id: uuid().optional() };

const PortSchema = z
  .strictObject({
    dataset: z.strictObject({ id: uuid(), ...owner }).optional(),
    application: z.strictObject(owner).optional(),
  })
  .refine((port) => (port.dataset === undefined) !== (port.application === undefined), {
    message: 'exactly one of "dataset" and "application"',
  });

const WorkflowSchema = z.strictObject({
  workflow_id: uuid(),
  app_name: z.string().max(256),
  port_map: z.record(name(), z.record(name(), PortSchema)),
  app_acct_id: uuid().optional(),
  app_group_id: uuid().optional(),
});

/** The hashed part of a configuration, member by member as Fortanix' manager shows it. */
const AppConfigSchema = z
  .strictObject({
    app_config: z
      .record(
        z.string().min(1).max(1024),
        z.strictObject({
          contents: z
            .base64()
            .max(128 * 1024)
            .optional(),
        }),
      )
      .describe('Files by path; contents in base64'),
    labels: z.record(z.string().max(256), z.string().max(1024)),
    zone_ca: z
      .array(z.string().max(16 * 1024))
      .max(16)
      .describe('Authorities of the zone, PEM'),
    workflow: WorkflowSchema.optional(),
  })
  .describe('What the SHA-256 that the enclave is started with commits to; public');

const ConnectionSchema = z
  .strictObject({
    dataset: z
      .strictObject({
        location: prose(2048).describe('Where the data lie; goes to location.txt'),
        secret: text(FORMATS.objectAlias).describe('Alias of the secret with its credentials'),
      })
      .optional(),
    application: z.strictObject({ workflow_domain: text(FORMATS.dnsName) }).optional(),
  })
  .refine((one) => (one.dataset === undefined) !== (one.application === undefined), {
    message: 'exactly one of "dataset" and "application"',
  });

export const FortanixSchema = z.strictObject({
  configs: list(
    z.strictObject({
      config: AppConfigSchema,
      connections: z
        .record(name(), z.record(name(), ConnectionSchema))
        .optional()
        .describe('By port and name, as in port_map'),
    }),
    16,
  )
    .optional()
    .describe('Configurations with which the enclave may be started; without them it is started with none'),
});
export type FortanixSection = z.infer<typeof FortanixSchema>;
