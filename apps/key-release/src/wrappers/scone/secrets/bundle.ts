import { scone } from '#policy';
import { type MadeSecrets, SecretProblem } from './made-secret.js';
import { referencesOf, renderBytes, renderText } from './render-template.js';

/** What a service starts with. */
export interface ReleaseBundle {
  readonly argv?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Variables whose value the host gives. */
  readonly hostEnvironment: readonly string[];
  readonly pwd?: string;
  readonly files: readonly {
    readonly path: string;
    /** Octal, four digits. */
    readonly mode: string;
    readonly contentBase64: string;
  }[];
  /** Templates on the image's disk, which the caller fills in itself. */
  readonly templates: readonly string[];
  /** What those, and the application, may ask for: name to base64 of the default format. */
  readonly secrets: Readonly<Record<string, string>>;
}

type Service = scone.SconeService;
type Image = scone.SconeImage | undefined;

/** Names of all secrets that the bundle of a service needs. */
export function neededSecrets(service: Service, image: Image): Set<string> {
  const templates = [
    ...(service.command ?? []),
    ...service.environment.values(),
    ...(image?.files ?? []).map(({ content }) => content),
  ];
  return new Set([
    ...templates.flatMap((template) => (template === undefined ? [] : referencesOf(template))),
    ...(image?.provideSecrets ?? []),
  ]);
}

/**
 * Fills in everything that a service is given.
 *
 * @param hostArguments the command line of the host, for `@@N`
 * @throws SecretProblem where a secret, a format or an argument is missing: half a bundle is given to nobody
 */
export function renderBundle(
  service: Service,
  image: Image,
  secrets: MadeSecrets,
  hostArguments: readonly string[],
): ReleaseBundle {
  const environment: Record<string, string> = {};
  const hostEnvironment: string[] = [];
  for (const [name, value] of service.environment) {
    if (value === undefined) hostEnvironment.push(name);
    else environment[name] = renderText(value, secrets);
  }
  const files = image?.files ?? [];
  return {
    ...(service.command === undefined
      ? {}
      : { argv: service.command.map((word) => argument(word, secrets, hostArguments)) }),
    environment,
    hostEnvironment,
    ...(service.pwd === undefined ? {} : { pwd: service.pwd }),
    files: files.flatMap(({ path, content, permission }) =>
      content === undefined
        ? []
        : [
            {
              path,
              mode: permission.toString(8).padStart(4, '0'),
              contentBase64: renderBytes(content, secrets).toString('base64'),
            },
          ],
    ),
    templates: files.flatMap(({ path, content }) => (content === undefined ? [path] : [])),
    secrets: Object.fromEntries(
      (image?.provideSecrets ?? []).map((name) => [
        name,
        renderBytes(placeholder(name), secrets).toString('base64'),
      ]),
    ),
  };
}

/** The host's arguments are put in before secrets are, so that no value is ever read as a reference. */
function argument(word: string, secrets: MadeSecrets, host: readonly string[]): string {
  return word
    .split(/(@@\d{1,4})/)
    .map((part) => {
      const index = /^@@(\d{1,4})$/.exec(part)?.[1];
      if (index === undefined) return renderText(part, secrets);
      const given = host[Number(index)];
      if (given !== undefined) return given;
      throw new SecretProblem('SCONE_SECRET_UNKNOWN', `the host gave no argument ${index}`);
    })
    .join('');
}

const placeholder = (name: string): string => ['$$SCONE::', name, '$$'].join('');
