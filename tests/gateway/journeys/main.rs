//! The journeys: `cargo test -p viaduct-gateway-tests --test journeys -- --help` says how to run a part of them.

mod cases;

use std::process::ExitCode;

fn main() -> ExitCode {
    viaduct_gateway_tests::main(cases::ALL)
}
