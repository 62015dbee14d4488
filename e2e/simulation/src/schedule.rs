//! What happens in a run, drawn from its seed before anything does.
//!
//! A schedule is plain data. Each step brings a seed of its own for what is drawn within it, so that
//! the others stay what they are when one is taken out.

mod apart;

use std::time::Duration;

use clock::{Random as _, SeededRandom};

/// One of the five services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after the services")]
pub enum Voice {
    Order,
    Inventory,
    Payment,
    Shipping,
    Notification,
}

impl Voice {
    /// All five.
    pub const ALL: [Self; 5] =
        [Self::Order, Self::Inventory, Self::Payment, Self::Shipping, Self::Notification];
    /// Those that ask the outside world.
    pub const ASKING: [Self; 3] = [Self::Payment, Self::Shipping, Self::Notification];
}

/// What customers pay with; the first does what everybody hopes for.
pub(crate) const TOKENS: [&str; 5] =
    ["tok_ok", "tok_declined", "tok_unknown", "tok_flaky", "tok_refund_refused"];

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A customer places an order.
    Place,
    /// A customer who has heard nothing asks again under the same key.
    Repeat,
    /// A customer cancels.
    Cancel,
    /// A product gets another price.
    Reprice,
    /// More of a product comes in.
    Restock,
    /// An operator has a refused refund tried again.
    RetryRefund,
    /// A service takes what waits and applies it.
    Turn(Voice),
    /// A service sends its outbox.
    Relay(Voice),
    /// A service asks the outside world.
    Effects(Voice),
    /// A service looks for deadlines.
    Alarms(Voice),
    /// An operator has a service try its dead letters again.
    Replay(Voice),
    /// A service's stored offsets reach the broker.
    Offsets(Voice),
    /// A service is stopped in order.
    Stop(Voice),
    /// A service is stopped, and its group set back to the beginning.
    Rewind(Voice),
    /// A request that was given up for lost reaches its provider.
    Arrive,
    /// Time passes.
    Pass(Duration),
    /// The clock is set back.
    SetBack(Duration),
    /// The clock is set forward. No time passes.
    SetForward(Duration),
    /// An operator has a service's held requests attempted at once.
    RetryHeld(Voice),
    /// The broker denies a service everything until [`Action::Grant`].
    Withdraw(Voice),
    /// The broker grants a service its rights again.
    Grant(Voice),
    /// An operator looks up a service's held requests at the provider, and reports what came of them.
    Resolve(Voice),
}

/// Where a service is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// At the database's so-manieth operation in this step: an open transaction is rolled back.
    Operation(u64),
    /// In its so-manieth commit in this step, which goes through without anybody hearing of it.
    Commit(u64),
    /// When all is done, and before anybody hears of it.
    End,
}

/// What becomes of the interrupted service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It dies, and starts again when it is next needed.
    Crash,
    /// It lives, and does not know what came of its transaction.
    GiveUp,
}

/// What goes wrong between a service and what it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It is turned away: nothing happens.
    Refused,
    /// It happens, and the answer is lost.
    AnswerLost,
    /// Nothing is heard; it happens later.
    Late,
    /// The request itself is refused as malformed: nothing happens.
    Malformed,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it does.
    pub action: Action,
    /// Where it is interrupted, if it is.
    pub broken: Option<(Spot, Then)>,
    /// What it meets outside, if anything.
    pub trouble: Option<Trouble>,
    /// Draws what happens within it.
    pub seed: u64,
}

/// What holds for a whole run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Of each topic.
    pub partitions: i32,
    /// Effects of a service under way at once.
    pub concurrency: usize,
    /// For how long an effect or alarm is claimed.
    pub claim: Duration,
    /// Of what could be taken over in a turn, how much is still on its way, in percent.
    pub held_up: u64,
    /// How often a voice that has nothing to do lets the next one go, in percent.
    pub eager: u64,
    /// Different products.
    pub products: u64,
    /// Pieces of each on the shelf at the beginning.
    pub pieces: i64,
    /// How many customers are awkward, in percent.
    pub awkward: u64,
    /// What those pay with.
    pub token: usize,
    /// How many of those live where the carrier does not go, in percent.
    pub far_away: u64,
    /// In which version order publishes `OrderPlaced`.
    pub order_placed: u32,
    /// How many records a service does not understand when they first come, in percent.
    pub poison: u64,
}

/// A whole run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// What it was drawn from.
    pub seed: u64,
    /// What holds throughout.
    pub setting: Setting,
    /// What happens, one after the other.
    pub steps: Vec<Step>,
}

impl Schedule {
    /// The schedule of this seed. Each seed knows faults of some kinds only, and some more often:
    /// all of them all the time would leave no order alone for long enough to get far.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let random = SeededRandom::new(seed);
        let pick = |choices: &[u64]| choices[index(&random, choices.len())];
        let mut setting = Setting {
            partitions: 1 + i32::try_from(random.below(3)).unwrap_or(0),
            concurrency: index(&random, 3) * 8 + 1,
            claim: Duration::from_secs(pick(&[15, 15, 1])),
            held_up: pick(&[10, 25, 60]),
            eager: pick(&[0, 20, 80]),
            products: 1 + random.below(2),
            pieces: 1 + i64::try_from(random.below(6)).unwrap_or(0),
            awkward: 50,
            token: index(&random, TOKENS.len()),
            far_away: pick(&[0, 10, 50]),
            order_placed: u32::try_from(pick(&[2, 2, 2, 1])).unwrap_or(2),
            poison: 0,
        };
        let mut mix = Mix {
            pace: [(); 5].map(|()| pick(&[0, 4, 4, 8])),
            broken: pick(&[0, 2, 8, 20]),
            trouble: pick(&[0, 30, 80]),
            cancel: pick(&[0, 1, 5]),
            operator: pick(&[1, 1, 15]),
            rewind: pick(&[0, 0, 1]),
            far: pick(&[0, 0, 1, 3]),
            back: pick(&[0, 0, 1]),
        };
        // Money that does not want to go back makes the longest stories, and is rare by itself.
        if random.below(6) == 0 {
            let claim = Duration::from_secs(1);
            setting = Setting { claim, held_up: 60, eager: 80, pieces: 6, ..setting };
            setting = Setting { awkward: 100, token: 4, far_away: 100, ..setting };
            mix = Mix { pace: [4; 5], operator: 40, broken: 1, far: 0, ..mix };
        }
        // Most find nothing to do, which costs next to nothing.
        let count = 150 + random.below(400);
        let mut steps: Vec<Step> = (0..count).map(|_| mix.step(&random)).collect();
        for _ in 0..=random.below(6) {
            // What is placed late would get nowhere before all faults end.
            let nth = index(&random, steps.len() / 2);
            steps[nth] = Step { action: Action::Place, broken: None, trouble: None, ..steps[nth] };
        }
        apart::poison(seed, &mut setting, &mut steps);
        apart::hold(seed, &mut steps);
        apart::jump(seed, &mut steps);
        apart::withdraw(seed, &mut steps);
        Self { seed, setting, steps }
    }
}

/// How often what happens in a run.
struct Mix {
    /// How often each voice has its turn: one that lags behind the others hears everything late.
    pace: [u64; 5],
    /// Interruptions and troubles, in percent of the steps that can have them.
    broken: u64,
    trouble: u64,
    /// Weights, beside those of all runs.
    cancel: u64,
    operator: u64,
    rewind: u64,
    far: u64,
    back: u64,
}

/// Operations of the database in which an interruption may fall: a large batch takes about as many.
const OPERATIONS: u64 = 2_000;

impl Mix {
    fn step(&self, random: &SeededRandom) -> Step {
        let action = self.action(random);
        let within = matches!(
            action,
            Action::Turn(_) | Action::Relay(_) | Action::Effects(_) | Action::Alarms(_)
        );
        let broken = (within && random.below(100) < self.broken).then(|| {
            let spot = match random.below(4) {
                0 => Spot::Operation(1 + random.below(OPERATIONS)),
                // Small numbers more often: most steps are small.
                1 => Spot::Operation(1 + random.below(1 + random.below(OPERATIONS))),
                2 => Spot::Commit(1 + random.below(2)),
                _ => Spot::End,
            };
            let gives_up = matches!(action, Action::Turn(_)) && random.below(2) == 0;
            (spot, if gives_up { Then::GiveUp } else { Then::Crash })
        });
        let outside = matches!(action, Action::Relay(_) | Action::Effects(_));
        let trouble = (outside && random.below(100) < self.trouble)
            .then(|| [Trouble::Refused, Trouble::AnswerLost, Trouble::Late][index(random, 3)]);
        Step { action, broken, trouble, seed: random.below(u64::MAX) }
    }

    fn action(&self, random: &SeededRandom) -> Action {
        let voice = Voice::ALL[weighted(random, &self.pace)];
        let asking = Voice::ASKING.map(|voice| self.pace[voice as usize]);
        let asks = Voice::ASKING[weighted(random, &asking)];
        let short = Duration::from_millis(1 + random.below(1 + random.below(20_000)));
        let long = Duration::from_millis(1 + random.below(1_500_000));
        let choices = [
            (90, Action::Turn(voice)),
            (45, Action::Relay(voice)),
            (30, Action::Effects(asks)),
            (4, Action::Alarms(Voice::Order)),
            (8, Action::Offsets(voice)),
            (1, Action::Stop(voice)),
            (self.rewind, Action::Rewind(voice)),
            (1, Action::Repeat),
            (self.cancel, Action::Cancel),
            (1, Action::Reprice),
            (1, Action::Restock),
            (self.operator, Action::RetryRefund),
            (3, Action::Arrive),
            (8, Action::Pass(short)),
            (self.far, Action::Pass(long)),
            (self.back, Action::SetBack(long / 20)),
        ];
        choices[weighted(random, &choices.map(|(weight, _)| weight))].1
    }
}

/// A place in the list, as often as its weight says.
fn weighted(random: &SeededRandom, weights: &[u64]) -> usize {
    let mut left = random.below(weights.iter().sum());
    let chosen = weights.iter().position(|weight| {
        let here = left < *weight;
        left = left.saturating_sub(*weight);
        here
    });
    chosen.unwrap_or(0)
}

fn index(random: &SeededRandom, n: usize) -> usize {
    usize::try_from(random.below(n as u64)).unwrap_or(0)
}
