/** Name of this wrapper in events. */
export const TRUSTEE_PROTOCOL = 'trustee';
/** The convention of libs/evidence by which its clients bind their key. */
export const TRUSTEE_BINDING = 'trustee-runtime-data';
