/** Templates in the parameters of marbles: the subset of Go's text/template that manifests use, without I/O. */
export { templateFaults } from './dry-run.js';
export type { TemplateFault } from './dry-run.js';
export { templatesOf } from './manifest-templates.js';
export type { MarbleTemplates } from './manifest-templates.js';
export { pemText } from './secret-functions.js';
export type { SecretMaterial } from './secret-material.js';
export { Template } from './template.js';
export type { ParameterKind } from './template.js';
export { secretDictionary, templateData } from './template-data.js';
export { TemplateError } from './template-error.js';
export { Structure } from './values.js';
export type { Value } from './values.js';
