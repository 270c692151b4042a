/** SCONE's session language 0.3: reading, its meaning for a manifest, and the texts in it. Source: reference/commercial.md §2. */
export { readSession, SESSION_NAME } from './read-session.js';
export type { ReadSession, SessionResult } from './read-session.js';
export { importSession } from './import/import-session.js';
export type { ImportedService, ImportedSession } from './import/import-session.js';
export type { SessionImportLine } from './import/report.js';
export { SCONE_SESSION_LIMITS } from './model.js';
export type * from './model.js';
export { fillTemplate } from './text/template-variables.js';
export { parseTemplate, PlaceholderError, wholePlaceholder } from './text/placeholder.js';
export type { Placeholder, TemplatePart } from './text/placeholder.js';
export { hostArguments } from './text/command.js';
export { keyHashBytes } from './text/key-hash.js';
