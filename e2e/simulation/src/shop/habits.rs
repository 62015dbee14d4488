use clock::{Random as _, SeededRandom};

/// The means of payment; the first is always accepted.
pub(super) const TOKENS: [&str; 5] =
    ["tok_ok", "tok_declined", "tok_unknown", "tok_flaky", "tok_refund_refused"];

/// The habits of the shop's people, drawn once per run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habits {
    /// The number of products.
    pub(super) products: usize,
    /// The stock of each product at the beginning.
    pub(super) pieces: i64,
    /// The share of awkward customers, in percent.
    pub(super) awkward: u64,
    /// Their means of payment, as an index into [`TOKENS`].
    pub(super) token: usize,
    /// The share of them who live where the carrier does not ship to, in percent.
    pub(super) far_away: u64,
    /// How often customers cancel, as a weight.
    pub(super) cancel: u64,
    /// How often an operator requests refused refunds again, as a weight.
    pub(super) operator: u64,
    /// Whether refunds are refused all the time. This makes the longest stories, and would be rare by chance.
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
