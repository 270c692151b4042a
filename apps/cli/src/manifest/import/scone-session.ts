import { scone } from '#policy';
import { type Imported, type Importer, type ImportLine, malformed, textOf } from './importer.js';

/** A session of SCONE's language 0.3, or a template of one: each service that attests becomes a workload. */
export const SCONE_SESSION: Importer = {
  what: 'session of SCONE (language 0.3), or a template of one',
  maxBytes: scone.SCONE_SESSION_LIMITS.bytes,
  read: (file, { values }): Imported => {
    const { text, missing } = scone.fillTemplate(textOf(file), values);
    const asked = missing.map(({ name, written }): ImportLine => ({
      path: written,
      result: 'unsupported',
      note: `a variable of a template, taken as it is written; give --value ${name}=…, or accept it`,
    }));
    const read = scone.readSession(text);
    if (!read.ok) {
      // What is no YAML may become some once its variables are filled in.
      if (asked.length > 0) return { workload: undefined, report: asked };
      const [fault] = read.faults;
      throw malformed(fault?.message ?? 'it is no session');
    }
    const { services, report } = scone.importSession(read);
    const [workload, ...further] = services.map((service) => service.workload);
    return { workload, further, report: [...asked, ...report] };
  },
};
