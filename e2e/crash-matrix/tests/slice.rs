//! A slice of the crash matrix, on every available backend.

use crash::Point;
use crash_matrix::{Cell, CellOutcome, matrix, run};
use scenarios::Backend;

/// The first reaction to an order and the last, one to a provider's answer, one to a deadline, and those that an operator takes
/// part in.
const REACTIONS: [(&str, &str); 6] = [
    ("order", "PlaceOrder"),
    ("order", "@payment_deadline"),
    ("payment", "*charge"),
    ("payment", "*charge held"),
    ("payment", "*charge resolved"),
    ("order", "ShipmentDispatched"),
];
/// On Kafka only a few points: after each death the consumer group waits six seconds for the dead member.
const POINTS_ON_SERVERS: [Point; 4] =
    [Point::AfterAttempt, Point::BeforeHold, Point::AfterCommit, Point::AfterPublish];

fn slice(backend: &Backend) -> Vec<Cell> {
    let mut cells = matrix();
    cells.retain(|cell| {
        REACTIONS.contains(&(cell.reaction.service, &*cell.reaction.input))
            && (*backend == Backend::Files || POINTS_ON_SERVERS.contains(&cell.point))
    });
    cells
}

#[test]
fn an_order_is_charged_once_wherever_a_service_dies() {
    for backend in Backend::all() {
        let cells = slice(&backend);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let outcomes = runtime.expect("a runtime").block_on(run(&backend, &cells));
        let outcomes = outcomes.expect("the audit holds");
        let wrong: Vec<_> = outcomes.iter().filter(|(_, outcome)| !outcome.is_right()).collect();
        assert!(wrong.is_empty(), "{backend}: {wrong:?}");
        assert!(outcomes.values().any(|outcome| *outcome == CellOutcome::Once), "{backend}");
    }
}
