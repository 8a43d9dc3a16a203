//! Copies of values: `structuredClone`, and what ports and channels hand over.
//!
//! The operations of `deno_core` under the same names. An object of the host's is copied by what its kind is copied
//! by, and any object can be made to look like one. Theirs call whatever they find for the kind it gives, and look for
//! it where no JavaScript may run: a kind there is none of, or one that is no name, would end the process. These refuse.

use deno_core::{
    JsBuffer, OpDecl, op2,
    v8::{self, ValueDeserializerHelper as _, ValueSerializerHelper as _},
};
use deno_error::JsErrorBox;

/// The symbol by which the engine tells objects of the host's.
const BRAND: &str = "Deno.core.hostObject";

/// An object that is copied as what its kind makes of it, and not as one of a list.
const BY_KIND: u32 = u32::MAX;

/// Puts these in the place of the engine's own.
pub(super) fn replace(op: OpDecl) -> OpDecl {
    match op.name {
        "op_deserialize" => op.with_implementation_from(&op_deserialize()),
        "op_structured_clone" => op.with_implementation_from(&op_structured_clone()),
        _ => op,
    }
}

struct Copying<'a> {
    brand: Option<v8::Local<'a, v8::Symbol>>,
    host_objects: Option<v8::Local<'a, v8::Array>>,
    kinds: Option<v8::Local<'a, v8::Object>>,
}

impl v8::ValueSerializerImpl for Copying<'_> {
    fn throw_data_clone_error<'s, 'i>(
        &self,
        scope: &mut v8::PinScope<'s, 'i>,
        message: v8::Local<'s, v8::String>,
    ) {
        let error = v8::Exception::type_error(scope, message);
        scope.throw_exception(error);
    }

    fn has_custom_host_object(&self, _isolate: &v8::Isolate) -> bool {
        true
    }

    fn is_host_object<'s, 'i>(
        &self,
        scope: &mut v8::PinScope<'s, 'i>,
        object: v8::Local<'s, v8::Object>,
    ) -> Option<bool> {
        object.has(scope, self.brand?.into())
    }

    fn write_host_object<'s, 'i>(
        &self,
        scope: &mut v8::PinScope<'s, 'i>,
        object: v8::Local<'s, v8::Object>,
        serializer: &dyn v8::ValueSerializerHelper,
    ) -> Option<bool> {
        let value = object.get(scope, self.brand?.into())?;
        if let Ok(describe) = value.try_cast::<v8::Function>() {
            let described = describe.call(scope, object.into(), &[])?;
            serializer.write_uint32(BY_KIND);
            serializer.write_value(scope.get_current_context(), described);
            return Some(true);
        }
        let message = v8::String::new(scope, "Unsupported object type")?;
        self.throw_data_clone_error(scope, message);
        None
    }
}

impl v8::ValueDeserializerImpl for Copying<'_> {
    fn read_host_object<'s, 'i>(
        &self,
        scope: &mut v8::PinScope<'s, 'i>,
        deserializer: &dyn v8::ValueDeserializerHelper,
    ) -> Option<v8::Local<'s, v8::Object>> {
        let mut place = 0;
        if !deserializer.read_uint32(&mut place) {
            return None;
        }
        if place == BY_KIND {
            let described = deserializer.read_value(scope.get_current_context());
            if let Some((make, described)) = described.and_then(|d| self.maker(scope, d)) {
                let receiver = v8::null(scope).into();
                let scope = std::pin::pin!(v8::AllowJavascriptExecutionScope::new(scope));
                let scope = &mut scope.init();
                return make.call(scope, receiver, &[described])?.to_object(scope);
            }
        } else if let Some(known) = self.host_objects
            && let Some(object) = known.get_index(scope, place)
        {
            return v8::Local::<v8::Object>::try_from(object).ok();
        }
        let message = v8::String::new(scope, "Failed to deserialize host object")?;
        let error = v8::Exception::error(scope, message);
        scope.throw_exception(error);
        None
    }
}

impl Copying<'_> {
    /// What makes an object of the kind that a description names. No JavaScript runs in here: only data that has just been
    /// read is looked at, and a table without a prototype.
    fn maker<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
        described: v8::Local<'s, v8::Value>,
    ) -> Option<(v8::Local<'s, v8::Function>, v8::Local<'s, v8::Value>)> {
        let object = v8::Local::<v8::Object>::try_from(described).ok()?;
        let key = v8::String::new(scope, "type")?;
        if object.is_proxy() || !object.has_own_property(scope, key.into())? {
            return None;
        }
        let kind = v8::Local::<v8::String>::try_from(object.get(scope, key.into())?).ok()?;
        let make = self.kinds?.get(scope, kind.into())?;
        let make = v8::Local::<v8::Function>::try_from(make).ok()?;
        Some((make, described))
    }
}

fn brand<'s>(scope: &mut v8::PinScope<'s, '_>) -> Option<v8::Local<'s, v8::Symbol>> {
    let key = v8::String::new(scope, BRAND)?;
    Some(v8::Symbol::for_key(scope, key))
}

fn read<'s, 'i>(
    scope: &mut v8::PinScope<'s, 'i>,
    copying: Copying<'_>,
    bytes: &[u8],
) -> Result<v8::Local<'s, v8::Value>, JsErrorBox> {
    let failed = || JsErrorBox::range_error("could not deserialize value");
    let deserializer = v8::ValueDeserializer::new(scope, Box::new(copying), bytes);
    let context = scope.get_current_context();
    if !deserializer.read_header(context).unwrap_or_default() {
        return Err(failed());
    }
    deserializer.read_value(context).ok_or_else(failed)
}

#[op2(reentrant)]
fn op_structured_clone<'s, 'i>(
    scope: &mut v8::PinScope<'s, 'i>,
    value: v8::Local<'s, v8::Value>,
    kinds: Option<v8::Local<'s, v8::Object>>,
) -> Result<v8::Local<'s, v8::Value>, JsErrorBox> {
    let brand = brand(scope);
    let writing = Copying {
        brand,
        host_objects: None,
        kinds: None,
    };
    let serializer = v8::ValueSerializer::new(scope, Box::new(writing));
    serializer.write_header();
    v8::tc_scope!(let scope, scope);
    let written = serializer.write_value(scope.get_current_context(), value);
    if scope.has_caught() || scope.has_terminated() {
        scope.rethrow();
        return Ok(v8::undefined(scope).into());
    }
    if written != Some(true) {
        return Err(JsErrorBox::type_error("Failed to serialize response"));
    }
    let bytes = serializer.release();
    let reading = Copying {
        brand,
        host_objects: None,
        kinds,
    };
    read(scope, reading, &bytes)
}

/// Array buffers are transferred through a store that isolates here do not have: `_transferred` comes to nothing, as in
/// the engine's own.
#[op2(reentrant)]
fn op_deserialize<'s, 'i>(
    scope: &mut v8::PinScope<'s, 'i>,
    #[buffer] bytes: JsBuffer,
    host_objects: Option<v8::Local<'s, v8::Value>>,
    _transferred: Option<v8::Local<'s, v8::Value>>,
    kinds: Option<v8::Local<'s, v8::Value>>,
    _for_storage: bool,
) -> Result<v8::Local<'s, v8::Value>, JsErrorBox> {
    let reading = Copying {
        brand: brand(scope),
        host_objects: host_objects.and_then(|v| v8::Local::<v8::Array>::try_from(v).ok()),
        kinds: kinds.and_then(|v| v8::Local::<v8::Object>::try_from(v).ok()),
    };
    read(scope, reading, &bytes)
}
