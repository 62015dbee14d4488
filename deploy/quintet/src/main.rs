//! The `quintet` executable: exit code 0 when it worked, 1 with one line on stderr when not, 2 for
//! wrong usage; as a service or the sandbox, theirs.

use std::process::ExitCode;

fn main() -> ExitCode {
    quintet_cli::main()
}
