//! Shrinks a failing schedule: it leaves out steps, then faults, as long as the schedule breaks the same invariant.

use anyhow::Result;

use super::{
    Databases, Found, Run, Schedule, Simulation, providers::Providers, schedule::Step,
    workload::Workload,
};

/// The most runs for shrinking a schedule: enough for some hundred steps, and done within a short time.
const MOST: u32 = 800;

impl<P: Providers, W: Workload> Simulation<P, W> {
    /// Returns the smallest schedule that it finds to break the same invariant, and its run.
    ///
    /// # Errors
    /// If the databases cannot be used.
    pub async fn shrink(&self, databases: &Databases, failing: Found) -> Result<Found> {
        let Found { schedule, run } = failing;
        let broken = run.broken();
        let (simulation, left) = (self, MOST);
        let mut shrinking = Shrinking { simulation, databases, broken, schedule, run, left };
        shrinking.drop_steps_after_the_failure().await?;
        loop {
            let before = shrinking.schedule.clone();
            shrinking.drop_steps().await?;
            shrinking.drop_faults().await?;
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
    /// The smallest schedule so far.
    schedule: Schedule,
    /// Its run.
    run: Run,
    /// How many more runs there may be.
    left: u32,
}

impl<P: Providers, W: Workload> Shrinking<'_, P, W> {
    /// Plays these steps, and goes on from them if they break the same invariant. Returns whether they do.
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

    /// Leaves out the steps after the failure.
    async fn drop_steps_after_the_failure(&mut self) -> Result<()> {
        let end = self.run.story.last().map_or(0, |line| line.nth + 1);
        let steps = self.schedule.steps.iter().take(end).copied().collect();
        self.accepts(steps).await.map(drop)
    }

    /// Leaves out steps: first half of them at once, then smaller and smaller parts.
    async fn drop_steps(&mut self) -> Result<()> {
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

    /// Leaves out the faults of the remaining steps.
    async fn drop_faults(&mut self) -> Result<()> {
        for nth in 0..self.schedule.steps.len() {
            let changes: [fn(&mut Step); 2] =
                [|step| step.interruption = None, |step| step.fault = None];
            for change in changes {
                let mut steps = self.schedule.steps.clone();
                change(&mut steps[nth]);
                if steps != self.schedule.steps {
                    self.accepts(steps).await?;
                }
            }
        }
        Ok(())
    }
}
