export { registerUp } from './command.js';
export { LocalDeployment } from './deployment.js';
