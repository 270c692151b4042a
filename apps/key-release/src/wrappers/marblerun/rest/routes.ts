import type { Handler } from './api-request.js';

/** Handlers by `METHOD /path`. */
export type Routes = Readonly<Record<`${'GET' | 'POST'} /${string}`, Handler>>;
