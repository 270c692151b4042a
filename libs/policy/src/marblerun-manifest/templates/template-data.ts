import type { Manifest, SecretDefinition } from '../model.js';
import type { SecretMaterial } from './secret-material.js';
import { octets, text } from './template-error.js';
import { NO_VALUE, SecretValue, Structure, type Dictionary, type Value } from './values.js';

const NOTHING = Buffer.alloc(0);
const DUMMY = Buffer.alloc(32, 0x41);
const NO_DETAILS = { size: 0, shared: false, userDefined: false, validFor: 0 };

/** What the templates of one marble see. */
export interface TemplateInput {
  readonly secrets: Dictionary;
  readonly previous: Dictionary;
  /** DER. */
  readonly marbleRoot: Buffer;
  readonly coordinatorRoot: Buffer;
  readonly coordinatorIntermediate: Buffer;
  readonly marble: SecretMaterial;
}

export function templateData(input: TemplateInput): Value {
  const certificate = (der: Buffer): Value => new SecretValue('', der, NOTHING, NOTHING, NO_DETAILS);
  const { marble } = input;
  return structure('templates.Data', {
    MarbleRun: structure('templates.Reserved', {
      RootCA: certificate(input.marbleRoot),
      MarbleCert: new SecretValue('', marble.certificate, marble.private, marble.public, NO_DETAILS),
      CoordinatorRoot: certificate(input.coordinatorRoot),
      CoordinatorIntermediate: certificate(input.coordinatorIntermediate),
    }),
    Secrets: input.secrets,
    Previous: structure('templates.Previous', { Secrets: input.previous }),
  });
}

/** Secrets by name: those that have been prepared, and those of which only the definition is known (not set yet: empty). */
export function secretDictionary(
  definitions: ReadonlyMap<string, SecretDefinition>,
  materials: ReadonlyMap<string, SecretMaterial>,
): Dictionary {
  return {
    kind: 'map',
    typeName: 'map[string]manifest.Secret',
    names: () => [...definitions.keys()].map(octets),
    get: (name) => {
      const key = text(name);
      const definition = definitions.get(key);
      if (!definition) return NO_VALUE;
      const { certificate, private: priv, public: pub } = materials.get(key) ?? EMPTY;
      return new SecretValue(definition.type, certificate, priv, pub, definition);
    },
  };
}

const EMPTY: SecretMaterial = { private: NOTHING, public: NOTHING, certificate: NOTHING };

/** 32 bytes 0x41 for everything; of the previous cycle, whose names are not known here, for any name. */
export function dryRunData(manifest: Manifest): Value {
  const dummy: SecretMaterial = { private: DUMMY, public: DUMMY, certificate: DUMMY };
  const materials = new Map([...manifest.secrets.keys()].map((name) => [name, dummy]));
  const secrets = secretDictionary(manifest.secrets, materials);
  const previous: Dictionary = {
    ...secrets,
    get: (name) => {
      const known = secrets.get(name);
      return known === NO_VALUE ? new SecretValue('plain', DUMMY, DUMMY, DUMMY, NO_DETAILS) : known;
    },
  };
  return templateData({
    secrets,
    previous,
    marbleRoot: DUMMY,
    coordinatorRoot: DUMMY,
    coordinatorIntermediate: DUMMY,
    marble: dummy,
  });
}

const structure = (typeName: string, members: Readonly<Record<string, Value>>): Structure =>
  new Structure(typeName, new Map(Object.entries(members)));
