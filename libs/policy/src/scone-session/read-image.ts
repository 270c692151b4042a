import { Fields } from './fields.js';
import { checkTemplate } from './read-service.js';
import type { InjectionFile, SconeImage } from './model.js';

const DEFAULT_PERMISSION = 0o700;

export function readImages(session: Fields): SconeImage[] {
  return session.mappings('images').map((fields) => {
    const provided = fields.has('provide_secrets') ? fields.texts('provide_secrets') : undefined;
    fields.raw('volumes');
    const image: SconeImage = {
      name: fields.required('name'),
      files: fields.list('injection_files').flatMap(([path, value]): InjectionFile[] => {
        if (typeof value === 'string') return [{ path: value, permission: DEFAULT_PERMISSION }];
        const file = Fields.of(value, path, fields.source);
        return file ? [readFile(file)] : [];
      }),
      ...(provided === undefined ? {} : { provideSecrets: provided }),
    };
    fields.end();
    return image;
  });
}

function readFile(fields: Fields): InjectionFile {
  const content = fields.text('content');
  const permission = fields.number('permission', 0o777);
  const path = fields.required('path');
  if (path !== '' && (!path.startsWith('/') || path.includes('\0')))
    fields.fault('path', 'is no absolute path');
  if (content !== undefined) checkTemplate(content, fields, 'content');
  fields.end();
  return {
    path,
    ...(content === undefined ? {} : { content }),
    permission: permission ?? DEFAULT_PERMISSION,
  };
}
