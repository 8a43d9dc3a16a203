//! What the engine's own operations on keys leave out (NC-16).

use deno_core::op2;
use deno_error::JsErrorBox;
use deno_node_crypto::keys::{AsymmetricPrivateKey, AsymmetricPublicKey, KeyObjectHandle};

/// The key of RSA that an RSA-PSS key is, without what binds it to that scheme. Its parameters are written around its
/// encoding by `js/fixes/pss.js`: the crate reads them, and does not write them.
#[op2]
#[cppgc]
pub(super) fn op_ff_pss_as_rsa(
    #[cppgc] key: &KeyObjectHandle,
) -> Result<KeyObjectHandle, JsErrorBox> {
    match key {
        KeyObjectHandle::AsymmetricPrivate(AsymmetricPrivateKey::RsaPss(key)) => Ok(
            KeyObjectHandle::AsymmetricPrivate(AsymmetricPrivateKey::Rsa(key.key.clone())),
        ),
        KeyObjectHandle::AsymmetricPublic(AsymmetricPublicKey::RsaPss(key)) => Ok(
            KeyObjectHandle::AsymmetricPublic(AsymmetricPublicKey::Rsa(key.key.clone())),
        ),
        _ => Err(JsErrorBox::type_error("the key is not one of RSA-PSS")),
    }
}
