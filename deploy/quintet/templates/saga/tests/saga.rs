//! The contract, and the whole saga played from seeds.

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
fn the_schemas_say_what_the_types_say() {
    schemas::<Event>(&Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas"));
}

/// Services crash at any operation, records are refused and repeated, the clock jumps: each seed is a story of its own.
/// The first that breaks the invariant is told as short as it can be.
#[test]
fn whatever_fails_a_sold_ticket_has_its_seat() {
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
        // The story calls it so.
        environment.call(request.ticket_id.uuid(), "the ticket");
        let told = format!("a customer has {} euros", request.budget);
        let command = clients.command::<Tickets>(&told, request, None);
        clients.send(command).await?;
        Ok(Some(told))
    }
}
