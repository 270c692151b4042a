import { z } from 'zod';
import { FORMATS } from './formats.js';
import { GRAMINE_ENCODINGS } from './gramine-schema.js';
import { list, text } from './schema-parts.js';

/** The two init clients of Occlum (`occlum new --init-ra …`); `aecs` is also the protocol of its library for applications. */
export const OCCLUM_PROTOCOLS = ['aecs', 'grpc_ratls'] as const;
export type OcclumProtocol = (typeof OCCLUM_PROTOCOLS)[number];

/** What a client's file holds afterwards. */
export const OCCLUM_FORMS = ['text', 'bytes', 'base64', 'image-key'] as const;
export type OcclumForm = (typeof OCCLUM_FORMS)[number];

/** The name under which both init clients ask for the key of an encrypted image (init_aecs, init_grpc_ratls: main.rs). */
export const OCCLUM_IMAGE_KEY = 'image_key';
/** An image key as `occlum gen-image-key` writes it: 16 bytes as hexadecimal digits with hyphens, and a line end. */
export const OCCLUM_IMAGE_KEY_BYTES = 16;

/** Longest value: the clients' buffers of 10,240 bytes for files and 256 for an image key, less what decoding may add. */
export const occlumLimit = (name: string): number => (name === OCCLUM_IMAGE_KEY ? 253 : 10_237);

/**
 * Whether grpc_ratls can carry a value of this length and nothing else: its client loses or adds bytes at the end, depending on the
 * length of the base64 text, and for lengths of 3n + 1 no text gives exactly the value.
 */
export const carriedExactly = (length: number): boolean => length % 3 !== 1;

export const OcclumSchema = z.strictObject({
  protocols: list(z.enum(OCCLUM_PROTOCOLS), OCCLUM_PROTOCOLS.length)
    .optional()
    .describe('Which of the two clients may come; default: aecs'),
  answers: list(
    z.strictObject({
      name: text(FORMATS.occlumName).describe(
        'What the client asks for: "key" in init_ra_conf.json, or image_key',
      ),
      service: text(FORMATS.occlumName)
        .optional()
        .describe('Only for this service; aecs sends one, for an image key service1; default: any'),
      secret: text(FORMATS.objectAlias).describe('Alias of the secret that is sent'),
      form: z
        .enum(OCCLUM_FORMS)
        .optional()
        .describe(
          'text: as it is; bytes: exactly these bytes; base64: their base64 text, for keys with encode: base64; image-key: 16 bytes in ' +
            'the notation of occlum gen-image-key. Default: image-key for the name image_key, else text',
        ),
      encoding: z
        .enum(GRAMINE_ENCODINGS)
        .optional()
        .describe("How the vault's text stands for bytes; default none: as they are"),
      length: z.int().min(1).max(10_237).optional().describe('Bytes that the value must have'),
    }),
    64,
  ),
});
export type OcclumSection = z.infer<typeof OcclumSchema>;
export type OcclumAnswer = OcclumSection['answers'][number];

/** The form that holds where the manifest names none. */
export const occlumForm = ({ name, form }: Pick<OcclumAnswer, 'name' | 'form'>): OcclumForm =>
  form ?? (name === OCCLUM_IMAGE_KEY ? 'image-key' : 'text');
