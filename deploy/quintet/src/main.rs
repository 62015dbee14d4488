//! The `quintet` executable: exit code 0 when it worked, 1 with one line on stderr when not, 2 for
//! wrong usage.

use clap::Parser;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    #[cfg(feature = "tls")]
    let _ = rustls::crypto::ring::default_provider().install_default();
    match quintet::run(quintet::Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("quintet: {}", quintet::explain(&error));
            ExitCode::FAILURE
        }
    }
}
