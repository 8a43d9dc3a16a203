//! Message ports whose queues are counted (LE-264).
//!
//! The operations of `deno_web` under the same names, for ports that stay inside one isolate. A message
//! is a copy that belongs to nobody while it is under way: V8 does not count it, so it is counted here.

use std::{borrow::Cow, cell::RefCell, future::poll_fn, rc::Rc, sync::Arc};

use deno_core::{
    CancelFuture, CancelHandle, DetachedBuffer, JsBuffer, OpDecl, OpState, RcRef, Resource,
    ResourceId, TransferredResource, op2, v8,
};
use deno_error::JsErrorBox;
use deno_web::{JsMessageData, MessagePortError, RecvMessageData, Transferable};
use tokio::sync::mpsc;

use super::{
    limits::{Held, Limits},
    memory,
};

/// What a port costs by itself: its queue's first block and its place in the table.
const PORT_BYTES: usize = 4096;
/// What a message costs besides its bytes.
const MESSAGE_BYTES: usize = 256;

/// The operations that this file replaces.
pub(super) fn ops() -> [OpDecl; 5] {
    [
        op_message_port_create_entangled(),
        op_message_port_post_message(),
        op_message_port_post_message_raw(),
        op_message_port_recv_message(),
        op_message_port_recv_message_sync(),
    ]
}

struct Message {
    data: DetachedBuffer,
    transferred: Vec<Transferable>,
    _held: Held,
}

/// One end of a channel.
struct Port {
    receiver: RefCell<mpsc::UnboundedReceiver<Message>>,
    sender: mpsc::UnboundedSender<Message>,
    _held: Held,
}

impl TransferredResource for Port {
    fn receive(self: Box<Self>) -> Rc<dyn Resource> {
        Rc::new(Opened::from(*self))
    }
}

/// A port that JavaScript knows by its number.
struct Opened {
    port: Port,
    cancel: CancelHandle,
}

impl From<Port> for Opened {
    fn from(port: Port) -> Self {
        Self {
            port,
            cancel: CancelHandle::new(),
        }
    }
}

impl Resource for Opened {
    fn name(&self) -> Cow<'_, str> {
        "messagePort".into()
    }

    fn close(self: Rc<Self>) {
        self.cancel.cancel();
    }

    fn transfer(self: Rc<Self>) -> Result<Box<dyn TransferredResource>, JsErrorBox> {
        self.cancel.cancel();
        let opened =
            Rc::try_unwrap(self).map_err(|_| JsErrorBox::from_err(MessagePortError::NotReady))?;
        Ok(Box::new(opened.port))
    }
}

fn find(state: &OpState, id: ResourceId) -> Result<Rc<Opened>, MessagePortError> {
    state
        .resource_table
        .get::<Opened>(id)
        .map_err(MessagePortError::Resource)
}

#[op2]
fn op_message_port_create_entangled(
    isolate: &mut v8::Isolate,
    state: Rc<RefCell<OpState>>,
) -> Result<(ResourceId, ResourceId), JsErrorBox> {
    let limits = memory::limits(&state.borrow());
    let (first, second) = (
        memory::hold(isolate, &limits, PORT_BYTES)?,
        memory::hold(isolate, &limits, PORT_BYTES)?,
    );
    let (to_second, from_first) = mpsc::unbounded_channel();
    let (to_first, from_second) = mpsc::unbounded_channel();
    let port = |sender, receiver, held| {
        Opened::from(Port {
            receiver: RefCell::new(receiver),
            sender,
            _held: held,
        })
    };
    let table = &mut state.borrow_mut().resource_table;
    Ok((
        table.add(port(to_second, from_second, first)),
        table.add(port(to_first, from_first, second)),
    ))
}

fn send(
    isolate: &mut v8::Isolate,
    limits: &Arc<Limits>,
    port: &Opened,
    data: DetachedBuffer,
    transferred: Vec<Transferable>,
) -> Result<(), MessagePortError> {
    let held = memory::hold(isolate, limits, data.len() + MESSAGE_BYTES)
        .map_err(MessagePortError::Generic)?;
    // A port whose other end is gone swallows messages.
    let _ = port.port.sender.send(Message {
        data,
        transferred,
        _held: held,
    });
    Ok(())
}

#[op2]
fn op_message_port_post_message(
    isolate: &mut v8::Isolate,
    state: Rc<RefCell<OpState>>,
    #[smi] id: ResourceId,
    #[serde] data: JsMessageData,
) -> Result<(), MessagePortError> {
    let (limits, port, transferred) = {
        let mut state = state.borrow_mut();
        // Found first: a port that transfers itself is then not ready to be.
        let port = find(&state, id)?;
        let transferred = deno_web::deserialize_js_transferables(&mut state, data.transferables)?;
        (memory::limits(&state), port, transferred)
    };
    send(isolate, &limits, &port, data.data, transferred)
}

/// For messages that transfer nothing.
#[op2]
fn op_message_port_post_message_raw(
    isolate: &mut v8::Isolate,
    state: Rc<RefCell<OpState>>,
    #[smi] id: ResourceId,
    #[buffer(detach)] data: JsBuffer,
) -> Result<(), MessagePortError> {
    let (limits, port) = {
        let state = state.borrow();
        (memory::limits(&state), find(&state, id)?)
    };
    let data = DetachedBuffer::from_v8slice(data.into_parts());
    send(isolate, &limits, &port, data, Vec::new())
}

fn received(state: &mut OpState, message: Message) -> JsMessageData {
    JsMessageData {
        data: message.data,
        transferables: deno_web::serialize_transferables(state, message.transferred),
    }
}

#[op2]
async fn op_message_port_recv_message(
    state: Rc<RefCell<OpState>>,
    #[smi] id: ResourceId,
) -> Result<Option<RecvMessageData>, MessagePortError> {
    let Ok(opened) = find(&state.borrow(), id) else {
        return Ok(None);
    };
    let cancel = RcRef::map(opened.clone(), |o| &o.cancel);
    let message = poll_fn(|cx| opened.port.receiver.borrow_mut().poll_recv(cx))
        .or_cancel(cancel)
        .await?;
    Ok(message.map(|m| received(&mut state.borrow_mut(), m).into()))
}

#[op2]
fn op_message_port_recv_message_sync(
    state: &mut OpState,
    #[smi] id: ResourceId,
) -> Result<Option<JsMessageData>, MessagePortError> {
    let opened = find(state, id)?;
    let message = opened.port.receiver.borrow_mut().try_recv();
    Ok(message.ok().map(|m| received(state, m)))
}
