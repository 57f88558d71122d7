//! The program `viaduct`.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    viaduct::app::main(viaduct::app::Cli::parse())
}
