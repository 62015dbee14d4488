//! A slice of the matrix, on every backend there is: the first reaction of an order, the last, and one
//! that asks the outside world.

use chaos::{Verdict, matrix, run};
use scenarios::Backend;

const SLICE: [(&str, &str); 3] =
    [("order", "PlaceOrder"), ("payment", "*charge"), ("order", "ShipmentDispatched")];

#[test]
fn whoever_dies_anywhere_on_the_way_of_an_order_charges_it_once() {
    let mut cells = matrix();
    cells.retain(|cell| SLICE.contains(&(cell.reaction.service, &*cell.reaction.input)));
    for backend in Backend::all() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let verdicts = runtime.expect("a runtime").block_on(run(&backend, &cells));
        let verdicts = verdicts.expect("the audit holds");
        let wrong: Vec<_> = verdicts.iter().filter(|(_, verdict)| !verdict.is_right()).collect();
        assert!(wrong.is_empty(), "{backend}: {wrong:?}");
        assert!(verdicts.values().any(|verdict| *verdict == Verdict::Once), "{backend}");
    }
}
