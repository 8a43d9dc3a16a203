"use strict"; return ((function () {
// What OpenSSL and Node say when cryptography fails, for what the crates say (NC-15, NC-17).
const { core, primordials } = __bootstrap;
const { Error, ErrorCaptureStackTrace, ErrorPrototype, ObjectPrototypeIsPrototypeOf, RangeError, RegExpPrototypeExec, StringPrototypeSlice, TypeError } = primordials;

/** One of OpenSSL: its message holds number, library and reason, its code the reason. */
const openssl = (number, library, reason, code) => (at) => {
  const error = new Error(`error:${number}:${library}::${reason}`);
  error.library = library;
  error.reason = reason;
  error.code = code;
  ErrorCaptureStackTrace(error, at);
  return error;
};
/** One of Node. */
const coded = (Kind, code, message) => (at, found) => {
  const error = new Kind(message ?? found);
  error.name = `${Kind.name} [${code}]`;
  ErrorCaptureStackTrace(error, at);
  void error.stack;
  delete error.name;
  error.code = code;
  return error;
};

const unsupported = openssl("1E08010C", "DECODER routines", "unsupported", "ERR_OSSL_UNSUPPORTED");
const wrongTag = openssl("068000A8", "asn1 encoding routines", "wrong tag", "ERR_OSSL_ASN1_WRONG_TAG");
const noPadding = openssl("1C8000A5", "Provider routines", "illegal or unsupported padding mode", "ERR_OSSL_ILLEGAL_OR_UNSUPPORTED_PADDING_MODE");
const wrongKind = openssl("03000096", "digital envelope routines", "operation not supported for this keytype", "ERR_OSSL_EVP_OPERATION_NOT_SUPPORTED_FOR_THIS_KEYTYPE");

// What the crates say, and what is thrown for it. Made when something has failed: V8 reads a pattern where it is written.
let made;
const table = () => made ??= [
  [/unable to authenticate data/, (at) => {
    const error = new Error("Unsupported state or unable to authenticate data");
    ErrorCaptureStackTrace(error, at);
    return error;
  }],
  [/DECODER routines::unsupported|unsupported PEM label|^invalid PEM public key$/, unsupported],
  [/^digest is legacy$/, openssl("0308010C", "digital envelope routines", "unsupported", "ERR_OSSL_EVP_UNSUPPORTED")],
  [/^Invalid JWK$/, coded(TypeError, "ERR_CRYPTO_INVALID_JWK", "Invalid JWK data")],
  [/^crypto error$/, coded(TypeError, "ERR_CRYPTO_INVALID_JWK", "Invalid JWK EC key")],
  [/^unsupported curve: /, (at, message) => coded(TypeError, "ERR_INVALID_ARG_VALUE", `The property 'key.crv' must be one of: 'P-256', 'secp256k1', 'P-384', 'P-521'. Received '${StringPrototypeSlice(message, 19)}'`)(at)],
  [/^invalid SPKI public key$/, (at) => {
    const error = new Error("Failed to read asymmetric key");
    ErrorCaptureStackTrace(error, at);
    return error;
  }],
  [/wrong final block length/, openssl("1C80006B", "Provider routines", "wrong final block length", "ERR_OSSL_WRONG_FINAL_BLOCK_LENGTH")],
  [/bad decrypt/, openssl("1C800064", "Provider routines", "bad decrypt", "ERR_OSSL_BAD_DECRYPT")],
  [/^invalid PKCS#8 private key/, openssl("0680008E", "asn1 encoding routines", "not enough data", "ERR_OSSL_ASN1_NOT_ENOUGH_DATA")],
  [/interrupted or cancelled/, openssl("07880109", "common libcrypto routines", "interrupted or cancelled", "ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED")],
  [/illegal or unsupported padding mode/, noPadding],
  [/operation not supported for this keytype|^Algorithm must be specified when using non-Ed25519 keys/, wrongKind],
  [/digest not allowed/, openssl("1C8000AE", "Provider routines", "digest not allowed", "ERR_OSSL_DIGEST_NOT_ALLOWED")],
  [/^Only '.*' is supported for Ed25519 keys/, openssl("1C80007A", "Provider routines", "invalid digest", "ERR_OSSL_INVALID_DIGEST")],
  [/oaep decoding error/, openssl("02000079", "rsa routines", "oaep decoding error", "ERR_OSSL_RSA_OAEP_DECODING_ERROR")],
  [/^message too long/, openssl("0200006E", "rsa routines", "data too large for key size", "ERR_OSSL_RSA_DATA_TOO_LARGE_FOR_KEY_SIZE")],
  [/^decryption error/, openssl("0200008A", "rsa routines", "invalid padding", "ERR_OSSL_RSA_INVALID_PADDING")],
  [/^nom error/, openssl("0480006C", "PEM routines", "no start line", "ERR_OSSL_PEM_NO_START_LINE")],
  [/^BER error/, wrongTag],
  [/^Invalid initialization vector/, coded(TypeError, "ERR_CRYPTO_INVALID_IV", "Invalid initialization vector")],
  [/^Invalid key length/, coded(RangeError, "ERR_CRYPTO_INVALID_KEYLEN", "Invalid key length")],
  [/^Invalid authentication tag length/, coded(TypeError, "ERR_CRYPTO_INVALID_AUTH_TAG")],
  [/^Invalid digest: /, coded(TypeError, "ERR_CRYPTO_INVALID_DIGEST")],
  [/^Invalid XOF digest length/, openssl("030000B2", "digital envelope routines", "not XOF or invalid length", "ERR_OSSL_EVP_NOT_XOF_OR_INVALID_LENGTH")],
  [/unknown message digest algorithm/, coded(Error, "ERR_OSSL_EVP_INVALID_DIGEST", "Invalid digest used")],
  [/^invalid curve|^Invalid EC curve name/, coded(TypeError, "ERR_CRYPTO_INVALID_CURVE", "Invalid EC curve name")],
  [/^Private key is not valid for specified curve/, coded(RangeError, "ERR_CRYPTO_INVALID_KEYTYPE", "Private key is not valid for specified curve.")],
  [/^Failed to get ECDH (public|private) key/, coded(Error, "ERR_CRYPTO_OPERATION_FAILED")],
  [/^Unsupported cipher for PKCS#8 encryption/, coded(Error, "ERR_CRYPTO_UNKNOWN_CIPHER", "Unknown cipher")],
  [/expecting "RSA PRIVATE KEY"/, coded(TypeError, "ERR_CRYPTO_INVALID_KEY_OBJECT_TYPE", "Invalid key object type public, expected private.")],
];
// Codes of the crates that are theirs alone; any other code is Node's already.
const theirs = { __proto__: null, ERR_CRYPTO_INVALID_JWK: true, ERR_OSSL_EVP_OPERATION_NOT_SUPPORTED_FOR_THIS_KEYTYPE: true, ERR_CRYPTO_DECIPHER: true, ERR_CRYPTO_INVALID_KEY_LENGTH: true, ERR_OSSL_EVP_WRONG_FINAL_BLOCK_LENGTH: true, ERR_OSSL_EVP_BAD_DECRYPT: true, ERR_OSSL_WRONG_FINAL_BLOCK_LENGTH: true, ERR_OSSL_BAD_DECRYPT: true, ERR_OSSL_EVP_NOT_XOF_OR_INVALID_LENGTH: true, ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED: true, ERR_OSSL_ILLEGAL_OR_UNSUPPORTED_PADDING_MODE: true, ERR_OSSL_RSA_OAEP_DECODING_ERROR: true, ERR_OSSL_EVP_INVALID_DIGEST: true };

/** The error to throw for `error`, its stack beginning at the caller of `at`. */
function translated(error, at) {
  if (!ObjectPrototypeIsPrototypeOf(ErrorPrototype, error)) return error;
  if (error.code !== undefined && theirs[error.code] === undefined) return error;
  const known = table();
  for (let i = 0; i < known.length; i++) {
    if (RegExpPrototypeExec(known[i][0], error.message) !== null) return known[i][1](at, error.message);
  }
  return error;
}

return { coded, translated };
})()
);
