//! The executable `quintet`. Exit code 0: success. 1: failure, with one line on stderr. 2: wrong usage. A service or the
//! sandbox has exit codes of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    quintet_cli::main()
}
