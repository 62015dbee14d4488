//! Makes a failing schedule small: takes out steps, then faults, as long as it fails in the same way.

use anyhow::Result;

use crate::{
    databases::Databases,
    run::{Run, run},
    schedule::{Schedule, Step},
};

/// Runs that it may take: enough for some hundred steps, and for nobody to wait long.
const MOST: u32 = 800;

/// The smallest schedule found that breaks the same invariant, and its run.
///
/// # Errors
/// If the databases cannot be used.
pub async fn shrink(
    databases: &Databases,
    failing: &Schedule,
    failed: Run,
) -> Result<(Schedule, Run)> {
    let (schedule, broken) = (failing.clone(), failed.broken().map(ToOwned::to_owned));
    let mut shrinking = Shrinking { databases, broken, schedule, run: failed, left: MOST };
    shrinking.cut().await?;
    loop {
        let before = shrinking.schedule.clone();
        shrinking.take_out().await?;
        shrinking.mend().await?;
        if shrinking.schedule == before || shrinking.left == 0 {
            return Ok((shrinking.schedule, shrinking.run));
        }
    }
}

struct Shrinking<'d> {
    databases: &'d Databases,
    broken: Option<String>,
    /// The smallest so far, and its run.
    schedule: Schedule,
    run: Run,
    left: u32,
}

impl Shrinking<'_> {
    /// Goes on from these steps if they fail in the same way; whether they do.
    async fn accepts(&mut self, steps: Vec<Step>) -> Result<bool> {
        if self.left == 0 {
            return Ok(false);
        }
        self.left -= 1;
        let schedule = Schedule { steps, ..self.schedule.clone() };
        let run = run(self.databases, &schedule).await?;
        let same = run.broken() == self.broken.as_deref();
        if same {
            (self.schedule, self.run) = (schedule, run);
        }
        Ok(same)
    }

    /// What came after the failure did nothing for it.
    async fn cut(&mut self) -> Result<()> {
        let end = self.run.story.last().map_or(0, |line| line.nth + 1);
        let steps = self.schedule.steps.iter().take(end).copied().collect();
        self.accepts(steps).await.map(drop)
    }

    /// Takes out steps, many at once, then fewer.
    async fn take_out(&mut self) -> Result<()> {
        let mut size = self.schedule.steps.len().div_ceil(2);
        while size > 0 {
            let mut from = 0;
            while from < self.schedule.steps.len() {
                let mut steps = self.schedule.steps.clone();
                steps.drain(from..steps.len().min(from + size));
                if !self.accepts(steps).await? {
                    from += size;
                }
            }
            size /= 2;
        }
        Ok(())
    }

    /// Takes the faults out of the steps that are left.
    async fn mend(&mut self) -> Result<()> {
        for nth in 0..self.schedule.steps.len() {
            let mend: [fn(&mut Step); 2] = [|step| step.broken = None, |step| step.trouble = None];
            for mend in mend {
                let mut steps = self.schedule.steps.clone();
                mend(&mut steps[nth]);
                if steps != self.schedule.steps {
                    self.accepts(steps).await?;
                }
            }
        }
        Ok(())
    }
}
