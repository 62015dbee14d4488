//! Plays seeds.

use anyhow::Result;
use simulation::{Databases, Schedule, run};

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let args: Vec<u64> = std::env::args().skip(1).map(|a| a.parse().unwrap()).collect();
    runtime.block_on(async {
        let databases = Databases::new().await?;
        let begin = std::time::Instant::now();
        for seed in args[0]..args[1] {
            let schedule = Schedule::of(seed);
            let came = run(&databases, &schedule).await?;
            if let Some(failure) = &came.failure {
                println!("seed {seed}: {failure}");
            }
            if args.len() > 2 {
                for l in &came.story {
                    println!("{l}");
                }
            }
        }
        println!("{:?}", begin.elapsed());
        Ok(())
    })
}
