//! What some runs meet besides, each drawn apart from all else, so that the other runs stay what they are.

use std::time::Duration;

use clock::{Random as _, SeededRandom};

use super::{Action, Setting, Step, Trouble, Voice, index};

/// In one run of four, services do not understand some records, and an operator sees to them now and
/// then. Drawn apart, so that the others stay what they are.
pub(super) fn poison(seed: u64, setting: &mut Setting, steps: &mut [Step]) {
    let random = SeededRandom::new(!seed);
    if random.below(4) > 0 {
        return;
    }
    setting.poison = [1, 5, 20][index(&random, 3)];
    for step in steps {
        if random.below(40) == 0 && step.action != Action::Place {
            let voice = Voice::ALL[index(&random, Voice::ALL.len())];
            *step = Step { action: Action::Replay(voice), broken: None, trouble: None, ..*step };
        }
    }
}

/// In one run of four, providers refuse some requests as malformed, and an operator sees to what is held. Drawn
/// apart, as above.
pub(super) fn hold(seed: u64, steps: &mut [Step]) {
    let random = SeededRandom::new(seed ^ HELD);
    if random.below(4) > 0 {
        return;
    }
    for step in steps {
        let place = step.action == Action::Place;
        match (random.below(40), step.action) {
            (0 | 1, _) if !place => {
                let voice = Voice::ASKING[index(&random, Voice::ASKING.len())];
                let retries = random.below(3) == 0;
                let action =
                    if retries { Action::RetryHeld(voice) } else { Action::Resolve(voice) };
                *step = Step { action, broken: None, trouble: None, ..*step };
            }
            (2..16, Action::Effects(_)) => step.trouble = Some(Trouble::Malformed),
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
        if step.action != Action::Place {
            *step = Step { action, broken: None, trouble: None, ..*step };
        }
    }
}

/// In one run of four, the broker denies services their rights for a while, one after the other or several at once.
/// Whatever is not granted again by the end is granted then.
pub(super) fn withdraw(seed: u64, steps: &mut [Step]) {
    let random = SeededRandom::new(seed ^ RIGHTS);
    if random.below(4) > 0 {
        return;
    }
    for _ in 0..=random.below(4) {
        let voice = Voice::ALL[index(&random, Voice::ALL.len())];
        let from = index(&random, steps.len());
        let to = from + 1 + index(&random, 200);
        for (nth, action) in [(from, Action::Withdraw(voice)), (to, Action::Grant(voice))] {
            let step = steps.get_mut(nth).filter(|step| step.action != Action::Place);
            if let Some(step) = step {
                *step = Step { action, broken: None, trouble: None, ..*step };
            }
        }
    }
}

/// What tells the draws of [`hold`], [`jump`] and [`withdraw`] from others of the same seed.
const HELD: u64 = 0x6865_6c64;
const JUMPS: u64 = 0x6a75_6d70;
const RIGHTS: u64 = 0x7269_6768;
