//! A slice of the matrix, on every backend there is.

use crash::Point;
use crash_matrix::{Cell, Verdict, matrix, run};
use scenarios::Backend;

/// The first reaction of an order, the last, one that asks the outside world, and what an operator has to do with.
const REACTIONS: [(&str, &str); 6] = [
    ("order", "PlaceOrder"),
    ("order", "@payment_deadline"),
    ("payment", "*charge"),
    ("payment", "*charge held"),
    ("payment", "*charge resolved"),
    ("order", "ShipmentDispatched"),
];
/// On Kafka whoever dies is missed by its group for six seconds: a few points must do.
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
fn whoever_dies_anywhere_on_the_way_of_an_order_charges_it_once() {
    for backend in Backend::all() {
        let cells = slice(&backend);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let verdicts = runtime.expect("a runtime").block_on(run(&backend, &cells));
        let verdicts = verdicts.expect("the audit holds");
        let wrong: Vec<_> = verdicts.iter().filter(|(_, verdict)| !verdict.is_right()).collect();
        assert!(wrong.is_empty(), "{backend}: {wrong:?}");
        assert!(verdicts.values().any(|verdict| *verdict == Verdict::Once), "{backend}");
    }
}
