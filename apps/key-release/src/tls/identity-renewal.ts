const CHECK_MS = 60_000;

export interface IdentityRenewal {
  stop(): void;
}

/**
 * Replaces a server's identity when it is time, which is half of a certificate's life; open connections keep theirs. What fails is told and
 * tried again a minute later.
 *
 * @param first in use already; one without `renewAt` is the operator's and stays
 */
export function renewIdentity<I extends { readonly renewAt?: Date }>(
  first: I,
  next: () => Promise<I>,
  use: (identity: I) => void,
  failed: (error: unknown) => void,
): IdentityRenewal {
  let { renewAt } = first;
  if (!renewAt) return { stop: () => undefined };
  let making = false;
  const timer = setInterval(() => {
    if (making || !renewAt || Date.now() < renewAt.getTime()) return;
    making = true;
    next()
      .then((identity) => {
        use(identity);
        ({ renewAt } = identity);
      })
      .catch(failed)
      .finally(() => (making = false));
  }, CHECK_MS);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}
