/*
 * Secret Provisioning with Mbed TLS, the TLS library inside Gramine's client: what our server and its certificates must get along with.
 * Usage: client PORT HOST CA.pem OWN.der OWN.key.pem; prints the TLS version, the size of the secret and the secret in hex.
 */
#include <stdio.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

static const char REQUEST[] = "SECRET_PROVISION_RA_TLS_REQUEST_V1";
enum { ANSWER_BYTES = 37 + 4, BUFFER_BYTES = 65536 };
static unsigned char buffer[BUFFER_BYTES];

static int fail(const char *what, int code) {
  fprintf(stderr, "%s: -0x%04x\n", what, (unsigned)-code);
  return 1;
}

static int read_all(mbedtls_ssl_context *ssl, unsigned char *to, size_t length) {
  for (size_t have = 0; have < length;) {
    int count = mbedtls_ssl_read(ssl, to + have, length - have);
    if (count <= 0) return count == 0 ? MBEDTLS_ERR_SSL_CONN_EOF : count;
    have += (size_t)count;
  }
  return 0;
}

static size_t read_file(const char *path) {
  FILE *file = fopen(path, "rb");
  if (!file) return 0;
  size_t length = fread(buffer, 1, sizeof buffer, file);
  fclose(file);
  return length;
}

int main(int argc, char **argv) {
  mbedtls_net_context net;
  mbedtls_ssl_context ssl;
  mbedtls_ssl_config config;
  mbedtls_entropy_context entropy;
  mbedtls_ctr_drbg_context random;
  mbedtls_x509_crt ca, own;
  mbedtls_pk_context key;
  int code;
  if (argc != 6) return 2;
  mbedtls_net_init(&net);
  mbedtls_ssl_init(&ssl);
  mbedtls_ssl_config_init(&config);
  mbedtls_entropy_init(&entropy);
  mbedtls_ctr_drbg_init(&random);
  mbedtls_x509_crt_init(&ca);
  mbedtls_x509_crt_init(&own);
  mbedtls_pk_init(&key);
  if ((code = mbedtls_ctr_drbg_seed(&random, mbedtls_entropy_func, &entropy, NULL, 0))) return fail("random", code);
  if ((code = mbedtls_x509_crt_parse_file(&ca, argv[3]))) return fail("CA", code);
  size_t length = read_file(argv[4]);
  if ((code = mbedtls_x509_crt_parse_der(&own, buffer, length))) return fail("own certificate", code);
#if MBEDTLS_VERSION_MAJOR >= 3
  code = mbedtls_pk_parse_keyfile(&key, argv[5], NULL, mbedtls_ctr_drbg_random, &random);
#else
  code = mbedtls_pk_parse_keyfile(&key, argv[5], NULL);
#endif
  if (code) return fail("own key", code);
  code = mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
  if (code) return fail("defaults", code);
  mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
  mbedtls_ssl_conf_ca_chain(&config, &ca, NULL);
  mbedtls_ssl_conf_rng(&config, mbedtls_ctr_drbg_random, &random);
  if ((code = mbedtls_ssl_conf_own_cert(&config, &own, &key))) return fail("own certificate", code);
  if ((code = mbedtls_ssl_setup(&ssl, &config))) return fail("setup", code);
  if ((code = mbedtls_ssl_set_hostname(&ssl, argv[2]))) return fail("host name", code);
  if ((code = mbedtls_net_connect(&net, "127.0.0.1", argv[1], MBEDTLS_NET_PROTO_TCP))) return fail("connect", code);
  mbedtls_ssl_set_bio(&ssl, &net, mbedtls_net_send, mbedtls_net_recv, NULL);
  if ((code = mbedtls_ssl_handshake(&ssl))) return fail("handshake", code);
  code = mbedtls_ssl_write(&ssl, (const unsigned char *)REQUEST, sizeof REQUEST);
  if (code != (int)sizeof REQUEST) return fail("request", code);
  if ((code = read_all(&ssl, buffer, ANSWER_BYTES))) return fail("answer", code);
  size_t size = (size_t)buffer[37] << 24 | (size_t)buffer[38] << 16 | (size_t)buffer[39] << 8 | buffer[40];
  if (size > sizeof buffer) return fail("size", 0);
  if ((code = read_all(&ssl, buffer, size))) return fail("secret", code);
  printf("%s %zu ", mbedtls_ssl_get_version(&ssl), size);
  for (size_t at = 0; at < size; at++) printf("%02x", buffer[at]);
  printf("\n");
  mbedtls_ssl_close_notify(&ssl);
  return 0;
}
