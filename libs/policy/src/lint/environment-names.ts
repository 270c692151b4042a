/** Variables with which whoever sets them makes a program load or run other code. */
const LOADER_NAMES = new Set([
  'PATH',
  'ENV',
  'BASH_ENV',
  'SHELLOPTS',
  'IFS',
  'GCONV_PATH',
  'GLIBC_TUNABLES',
  'MALLOC_CHECK_',
  'NODE_OPTIONS',
  'NODE_PATH',
  'NODE_EXTRA_CA_CERTS',
  'NODE_TLS_REJECT_UNAUTHORIZED',
  'PYTHONPATH',
  'PYTHONSTARTUP',
  'PYTHONHOME',
  'PERL5LIB',
  'PERL5OPT',
  'RUBYOPT',
  'RUBYLIB',
  'JAVA_TOOL_OPTIONS',
  '_JAVA_OPTIONS',
  'JDK_JAVA_OPTIONS',
  'CLASSPATH',
  'OPENSSL_CONF',
  'OPENSSL_MODULES',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'SSLKEYLOGFILE',
  'DOTNET_STARTUP_HOOKS',
]);
const LOADER_PREFIXES = ['LD_', 'DYLD_'];

/** True if the name changes which code a program loads or whom it trusts. */
export function isLoaderName(name: string): boolean {
  return LOADER_NAMES.has(name) || LOADER_PREFIXES.some((prefix) => name.startsWith(prefix));
}

/** True if a plain value looks like a secret that belongs into a vault. */
export function looksSecret(name: string, value: string): boolean {
  if (value === '') return false;
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(value)) return true;
  // A name that ends in a place ("TOKEN_FILE", "SECRET_PATH") holds no secret.
  const named =
    /(?:^|_)(?:PASSWORD|PASSWD|PWD|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|CREDENTIALS?|CONNECTION_?STRING)$/i;
  return named.test(name) && !/^(?:\/|https?:\/\/|true$|false$)/.test(value);
}
