export { registerUp } from './command.js';
