//! Functions at the four triggers: events, validation and the engine that runs them.
