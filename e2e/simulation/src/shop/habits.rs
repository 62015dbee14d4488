use clock::{Random as _, SeededRandom};

/// What customers pay with; the first is always accepted.
pub(super) const TOKENS: [&str; 5] =
    ["tok_ok", "tok_declined", "tok_unknown", "tok_flaky", "tok_refund_refused"];

/// What a seed draws once for the whole run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habits {
    /// Different products.
    pub(super) products: usize,
    /// Pieces of each on the shelf at the beginning.
    pub(super) pieces: i64,
    /// How many customers are awkward, in percent.
    pub(super) awkward: u64,
    /// What those pay with, by its place in [`TOKENS`].
    pub(super) token: usize,
    /// How many of those live where the carrier does not go, in percent.
    pub(super) far_away: u64,
    /// How often customers cancel, as a weight.
    pub(super) cancel: u64,
    /// How often an operator has refused refunds tried again, as a weight.
    pub(super) operator: u64,
    /// Money does not want to go back: this makes the longest stories, and is rare by itself.
    pub(super) unwilling: bool,
}

impl Habits {
    pub(super) fn drawn(random: &SeededRandom) -> Self {
        let index = |n: u64| usize::try_from(random.below(n)).unwrap_or(0);
        let pick = |choices: [u64; 3]| choices[index(3)];
        let habits = Self {
            products: 1 + index(2),
            pieces: 1 + i64::try_from(random.below(6)).unwrap_or(0),
            awkward: 50,
            token: index(TOKENS.len() as u64),
            far_away: pick([0, 10, 50]),
            cancel: pick([0, 1, 5]),
            operator: pick([1, 1, 15]),
            unwilling: random.below(6) == 0,
        };
        if !habits.unwilling {
            return habits;
        }
        Self { pieces: 6, awkward: 100, token: 4, far_away: 100, operator: 40, ..habits }
    }
}
