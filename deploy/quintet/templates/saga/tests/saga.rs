//! Tests the contract, and simulates the whole saga from seeds.

use std::path::Path;

use quintet::{anyhow, async_trait, uuid_v7};
use quintet_test::{
    conformance::schemas,
    simulation::{Actions, Clients, Participants, Simulation, Workload},
};

use my_saga::{
    contract::Event,
    invariants,
    seats::Seats,
    tickets::{RequestTicket, Tickets},
};

#[test]
fn schemas_and_types_agree() {
    schemas::<Event>(&Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas"));
}

/// Each seed is a run of its own, in which services crash at any operation, records are refused and repeated, and the clock
/// jumps. If a run breaks the invariant, the simulation shortens it and prints its steps.
#[test]
fn a_sold_ticket_has_its_seat_in_spite_of_all_faults() {
    let services = Participants::without_providers().with(Tickets).with(Seats);
    let played = Simulation::new(services)
        .workload(|_| Customers)
        .invariant(invariants::SEATED, |known| {
            let (tickets, seats) = (known.of("tickets", "ticket"), known.of("seats", "seat"));
            let offences = invariants::seated(tickets, seats);
            if offences.is_empty() {
                Ok(())
            } else {
                Err(offences.join("; "))
            }
        })
        .run(0..300);
    assert_eq!(played.unwrap(), 300);
}

/// Customers with different budgets.
struct Customers;

#[async_trait]
impl Workload for Customers {
    fn actions(&self) -> Actions {
        let others = Vec::new();
        Actions {
            opening: "ask",
            openings: 4,
            others,
        }
    }

    async fn act(
        &mut self,
        _: &'static str,
        clients: &mut Clients<'_>,
    ) -> anyhow::Result<Option<String>> {
        let environment = clients.environment();
        let request = RequestTicket {
            ticket_id: uuid_v7(environment, environment).into(),
            show: "Hamlet".to_owned(),
            budget: [10, 40, 80][environment.dice().index(3)],
        };
        // The printed steps show this name instead of the id.
        environment.call(request.ticket_id.uuid(), "the ticket");
        let step = format!("a customer has {} euros", request.budget);
        let command = clients.command::<Tickets>(&step, request, None);
        clients.send(command).await?;
        Ok(Some(step))
    }
}
