//! Faults that only some runs have. Each kind is drawn from a source of randomness of its own, so that a new kind does not
//! change the schedules of other runs.

use std::time::Duration;

use clock::{Random as _, SeededRandom};

use super::{Action, Cast, Fault, Setting, Step};
use crate::simulation::dice::index;

/// In one run of four, services do not understand some records, and an operator replays the dead letters now and then.
pub(super) fn poison(seed: u64, cast: &Cast, setting: &mut Setting, steps: &mut [Step]) {
    let random = SeededRandom::new(!seed);
    if random.below(4) > 0 || cast.all.is_empty() {
        return;
    }
    setting.poison = [1, 5, 20][index(&random, 3)];
    for step in steps {
        if random.below(40) == 0 && !matches!(step.action, Action::Open(_)) {
            *step = step.doing(Action::Replay(cast.all[index(&random, cast.all.len())]));
        }
    }
}

/// In one run of four, providers refuse some requests as malformed, and an operator retries or resolves held requests.
pub(super) fn hold(seed: u64, cast: &Cast, steps: &mut [Step]) {
    let random = SeededRandom::new(seed ^ HELD);
    if random.below(4) > 0 || cast.asking.is_empty() {
        return;
    }
    for step in steps {
        let opens = matches!(step.action, Action::Open(_));
        match (random.below(40), step.action) {
            (0 | 1, _) if !opens => {
                let service = cast.asking[index(&random, cast.asking.len())];
                let retries = random.below(3) == 0;
                let action =
                    if retries { Action::RetryHeld(service) } else { Action::Resolve(service) };
                *step = step.doing(action);
            }
            (2..16, Action::Effects(_)) => step.fault = Some(Fault::Malformed),
            _ => {}
        }
    }
}

/// In one run of four, the clock is set a few times by up to an hour, both ways.
pub(super) fn jump(seed: u64, steps: &mut [Step]) {
    let random = SeededRandom::new(seed ^ JUMPS);
    if random.below(4) > 0 {
        return;
    }
    for _ in 0..=random.below(4) {
        let by = Duration::from_secs(1 + random.below(3_600));
        let back = random.below(2) == 0;
        let action = if back { Action::SetBack(by) } else { Action::SetForward(by) };
        let step = &mut steps[index(&random, steps.len())];
        *step = step.doing(action);
    }
}

/// In one run of four, the broker withdraws the rights of services for a while, of one after another or of several at once.
/// Rights that are still withdrawn at the end of the schedule are granted then.
pub(super) fn withdraw(seed: u64, cast: &Cast, steps: &mut [Step]) {
    let random = SeededRandom::new(seed ^ RIGHTS);
    if random.below(4) > 0 || cast.all.is_empty() {
        return;
    }
    for _ in 0..=random.below(4) {
        let service = cast.all[index(&random, cast.all.len())];
        let from = index(&random, steps.len());
        let to = from + 1 + index(&random, 200);
        for (nth, action) in [(from, Action::Withdraw(service)), (to, Action::Grant(service))] {
            if let Some(step) = steps.get_mut(nth) {
                *step = step.doing(action);
            }
        }
    }
}

/// Each kind draws from the run's seed combined with such a number.
const HELD: u64 = 0x6865_6c64;
/// See [`HELD`].
const JUMPS: u64 = 0x6a75_6d70;
/// See [`HELD`].
const RIGHTS: u64 = 0x7269_6768;
