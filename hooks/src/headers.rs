//! Header fields as functions see them: one line per field, in order, in the casing that was
//! received (LE-196, LE-197). The type is shared with everything else that carries headers around a
//! function's call, so it lives in the model.

pub use fourfront_model::{HeaderLine, HeaderLines};
