#[path = "scenarios/collapsed_misses.rs"]
mod collapsed_misses;
#[path = "scenarios/freshness.rs"]
mod freshness;
#[path = "scenarios/generated_responses.rs"]
mod generated_responses;
#[path = "scenarios/ranges_and_conditions.rs"]
mod ranges_and_conditions;
#[path = "scenarios/refused_requests.rs"]
mod refused_requests;
#[path = "scenarios/triggers.rs"]
mod triggers;
#[path = "scenarios/vary.rs"]
mod vary;
