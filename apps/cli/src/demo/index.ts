export { registerDemo } from './command.js';
