//! The actors, on a scripted core and a store that takes its time.

mod errands;
mod fakes;
mod faults;
mod life;
mod order;
