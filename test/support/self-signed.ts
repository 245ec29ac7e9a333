// A certificate for localhost that nobody signed, with its key; both are public and for tests only. Good until 2126; made by
//   openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=localhost -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1'

export const selfSigned = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBnDCCAUGgAwIBAgIUGt4cTPR8NkPN8MqSGPGvttKx7RAwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNTE3Mjg0MVoYDzIxMjYxMTAx
MTcyODQxWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQmRQ5ebZPATM1hek2dYRYK0OWvjB7WSUTWDYEzeEqHES0cKXsesBpo
BnQUz1rchWbEe2TdR6M2l/tgZyilbzaLo28wbTAdBgNVHQ4EFgQU3CXTgf/lLrWm
Ey7rzP4f7CSrWW0wHwYDVR0jBBgwFoAU3CXTgf/lLrWmEy7rzP4f7CSrWW0wDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSQAwRgIhAI+gefRaHHyDuulIs5P3Z3PbyWbT7ry27jX2LlRsoCf6AiEA
7ugqnGV+/LrNHKpQXf7I/dFLUmV/X8Mb9F1izCCa7H0=
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgCpBM4Ela8DVtAr5D
u0l7ZTXxBRb+iLnTAkvcDsRDOl2hRANCAAQmRQ5ebZPATM1hek2dYRYK0OWvjB7W
SUTWDYEzeEqHES0cKXsesBpoBnQUz1rchWbEe2TdR6M2l/tgZyilbzaL
-----END PRIVATE KEY-----
`,
};
