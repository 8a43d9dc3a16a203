"use strict"; return ((function () {
// RSA-PSS keys written with the parameters they were read with (NC-16, RFC 4055 section 3.1).
const { core, primordials } = __bootstrap;
const { StringPrototypeMatch, SafeRegExp, ArrayPrototypeJoin, Uint8Array, TypedArrayPrototypeSet } = primordials;

// === DER ===
function tagged(tag, ...parts) {
  let length = 0;
  for (let i = 0; i < parts.length; i++) length += parts[i].length;
  const head = [tag];
  if (length < 0x80) head[1] = length;
  else {
    const size = length < 0x100 ? 1 : length < 0x10000 ? 2 : 3;
    head[1] = 0x80 | size;
    for (let i = size - 1; i >= 0; i--) head[head.length] = (length >> (8 * i)) & 0xff;
  }
  const all = new Uint8Array(head.length + length);
  TypedArrayPrototypeSet(all, head);
  for (let at = head.length, i = 0; i < parts.length; at += parts[i].length, i++) TypedArrayPrototypeSet(all, parts[i], at);
  return all;
}
const sequence = (...parts) => tagged(0x30, ...parts);
const NULL = new Uint8Array([0x05, 0x00]);
const ZERO = new Uint8Array([0x02, 0x01, 0x00]);
const PSS = tagged(0x06, [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a]);
const MGF1 = tagged(0x06, [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08]);
const nist = (number) => tagged(0x06, [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, number]);
const HASHES = {
  __proto__: null,
  "sha224": nist(4), "sha256": nist(1), "sha384": nist(2), "sha512": nist(3), "sha512-224": nist(5), "sha512-256": nist(6),
};

/** The parameters; what is the default is left out. */
function parameters({ hashAlgorithm, mgf1HashAlgorithm, saltLength }) {
  const hash = (name) => sequence(HASHES[name], NULL);
  const parts = [];
  if (hashAlgorithm !== "sha1") parts[parts.length] = tagged(0xa0, hash(hashAlgorithm));
  if (mgf1HashAlgorithm !== "sha1") parts[parts.length] = tagged(0xa1, sequence(MGF1, hash(mgf1HashAlgorithm)));
  if (saltLength !== 20) parts[parts.length] = tagged(0xa2, tagged(0x02, saltLength < 0x80 ? [saltLength] : [saltLength >> 8, saltLength & 0xff]));
  return sequence(...parts);
}
const algorithm = (details) => details.hashAlgorithm === undefined ? sequence(PSS) : sequence(PSS, parameters(details));

const LINES = new SafeRegExp(".{1,64}", "g");
function pem(label, der) {
  const { Buffer } = core.loadExtScript("ext:deno_node/internal/buffer.mjs");
  return `-----BEGIN ${label}-----\n${ArrayPrototypeJoin(StringPrototypeMatch(Buffer.from(der).toString("base64"), LINES), "\n")}\n-----END ${label}-----\n`;
}

/** The operations to put in the place of the crate's. */
function operations() {
  const { ops } = core;
  const {
    op_ff_pss_as_rsa, op_node_export_private_key_der, op_node_export_private_key_pem, op_node_export_public_key_der, op_node_export_public_key_pem,
    op_node_get_asymmetric_key_details, op_node_get_asymmetric_key_type,
  } = ops;
  const isPss = (handle) => op_node_get_asymmetric_key_type(handle) === "rsa-pss";
  const privateKey = (handle) => sequence(ZERO, algorithm(op_node_get_asymmetric_key_details(handle)), tagged(0x04, op_node_export_private_key_der(op_ff_pss_as_rsa(handle), "pkcs1", null, null)));
  const publicKey = (handle) => sequence(algorithm(op_node_get_asymmetric_key_details(handle)), tagged(0x03, [0], op_node_export_public_key_der(op_ff_pss_as_rsa(handle), "pkcs1")));
  // Sealing the encoding is the crate's, which has none to seal.
  const plain = (handle, type, cipher) => type === "pkcs8" && cipher === null && isPss(handle);
  return {
    op_node_export_private_key_der: (handle, type, cipher, passphrase) => plain(handle, type, cipher) ? privateKey(handle) : op_node_export_private_key_der(handle, type, cipher, passphrase),
    op_node_export_private_key_pem: (handle, type, cipher, passphrase) => plain(handle, type, cipher) ? pem("PRIVATE KEY", privateKey(handle)) : op_node_export_private_key_pem(handle, type, cipher, passphrase),
    op_node_export_public_key_der: (handle, type) => type === "spki" && isPss(handle) ? publicKey(handle) : op_node_export_public_key_der(handle, type),
    op_node_export_public_key_pem: (handle, type) => type === "spki" && isPss(handle) ? pem("PUBLIC KEY", publicKey(handle)) : op_node_export_public_key_pem(handle, type),
  };
}

return { operations };
})()
);
