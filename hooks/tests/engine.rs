//! Functions run for real: one binary, because each one that links V8 is slow to build.

#[path = "engine/builtins.rs"]
mod builtins;
#[path = "engine/harness.rs"]
mod harness;
#[path = "engine/hostile.rs"]
mod hostile;
#[path = "engine/hostile_set.rs"]
mod hostile_set;
#[path = "engine/inline.rs"]
mod inline;
#[path = "engine/invocation.rs"]
mod invocation;
#[path = "engine/loading.rs"]
mod loading;
#[path = "engine/memory.rs"]
mod memory;
#[path = "engine/modules.rs"]
mod modules;
#[path = "engine/pooling.rs"]
mod pooling;
#[path = "engine/walker.rs"]
mod walker;
