//! Makes a failing schedule small: takes out steps, then faults, as long as it fails in the same way.

use anyhow::Result;

use super::{
    Databases, Found, Run, Schedule, Simulation, providers::Providers, schedule::Step,
    workload::Workload,
};

/// Runs that it may take: enough for some hundred steps, and few enough to wait for.
const MOST: u32 = 800;

impl<P: Providers, W: Workload> Simulation<P, W> {
    /// The smallest schedule found that breaks the same invariant, and its run.
    ///
    /// # Errors
    /// If the databases cannot be used.
    pub async fn shrink(&self, databases: &Databases, failing: Found) -> Result<Found> {
        let Found { schedule, run } = failing;
        let broken = run.broken();
        let (simulation, left) = (self, MOST);
        let mut shrinking = Shrinking { simulation, databases, broken, schedule, run, left };
        shrinking.cut().await?;
        loop {
            let before = shrinking.schedule.clone();
            shrinking.take_out().await?;
            shrinking.mend().await?;
            if shrinking.schedule == before || shrinking.left == 0 {
                let Shrinking { schedule, run, .. } = shrinking;
                return Ok(Found { schedule, run });
            }
        }
    }
}

struct Shrinking<'d, P, W> {
    simulation: &'d Simulation<P, W>,
    databases: &'d Databases,
    broken: Option<&'static str>,
    /// The smallest so far, and its run.
    schedule: Schedule,
    run: Run,
    left: u32,
}

impl<P: Providers, W: Workload> Shrinking<'_, P, W> {
    /// Goes on from these steps if they fail in the same way; whether they do.
    async fn accepts(&mut self, steps: Vec<Step>) -> Result<bool> {
        if self.left == 0 {
            return Ok(false);
        }
        self.left -= 1;
        let schedule = Schedule { steps, ..self.schedule.clone() };
        let run = self.simulation.play(self.databases, &schedule).await?;
        let same = run.broken() == self.broken;
        if same {
            (self.schedule, self.run) = (schedule, run);
        }
        Ok(same)
    }

    /// Takes out what came after the failure.
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
            let mend: [fn(&mut Step); 2] =
                [|step| step.interruption = None, |step| step.fault = None];
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
