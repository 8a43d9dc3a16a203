//! Functions run for real: one binary, because each one that links V8 is slow to build.

#[path = "engine/built_in_names.rs"]
mod built_in_names;
#[path = "engine/builtins.rs"]
mod builtins;
#[path = "engine/cff.rs"]
mod cff;
#[path = "engine/cff_library.rs"]
mod cff_library;
#[path = "engine/console.rs"]
mod console;
#[path = "engine/differential.rs"]
mod differential;
#[path = "engine/files.rs"]
mod files;
#[path = "engine/harness.rs"]
mod harness;
#[path = "engine/held_threads.rs"]
mod held_threads;
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
#[path = "engine/loops.rs"]
mod loops;
#[path = "engine/memory.rs"]
mod memory;
#[path = "engine/modules.rs"]
mod modules;
#[path = "engine/no_way_out.rs"]
mod no_way_out;
#[path = "engine/packages.rs"]
mod packages;
#[path = "engine/peer.rs"]
mod peer;
#[path = "engine/pooling.rs"]
mod pooling;
#[path = "engine/samples.rs"]
mod samples;
#[path = "engine/sharp.rs"]
mod sharp;
#[path = "engine/walker.rs"]
mod walker;
